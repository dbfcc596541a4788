#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Measures each way memory comes to a domain, with a donor of the same type.
# Results go to /out/results.json; scripts/bench adds the table.

. ../lib/cmm.sh
. ../lib/measure.sh

# Sets type, sizes, runs and parts (see measure.sh), paths, what to measure, and
# reserve_kb, so large that it is three quarters full with the largest request in it:
# scripts/bench writes it.
paths='' reserve_kb=0
# shellcheck disable=SC1091
. ./settings
requester=guest donor=donor
dom_requester=$(xl domid $requester)
dom_donor=$(xl domid $donor)

reserve() { with_reserve "$reserve_kb" from_reserve; }
credit() { with_reserve "$reserve_kb" on_credit --sizes 4,16,64,256 --runs 40; }

larger() { [ "$(size_of "$1")" -ge "$2" ]; }
# A PVH domain has some pages besides those that count.
smaller() { [ "$(size_of "$1")" -le $(($2 + 1023)) ]; }

# comes COMMAND...: what comes after is no measurement if it does not come true.
comes() {
	eventually 60 "$@" || failed=$((failed + 1))
}

# balancer COMMAND...: runs it where the stock balloon can move memory. The toolstack
# raises what the requester may have; then only targets move.
balancer() {
	mb=$(($(size_of $requester) / 1024))
	xl mem-set $requester $((mb + 66))
	comes larger $requester $(((mb + 66) * 1024))
	xenstore-write "/local/domain/$dom_requester/memory/target" $((mb * 1024))
	comes smaller $requester $((mb * 1024))
	sleep 2
	keep "$@"
	xl mem-set $requester "$mb"
}

# stock RUNS [OPTION]...
stock() {
	balancer ./cmm-latency balloon --requester "$dom_requester" --donor "$dom_donor" --guest "$type" \
		--malloc $results --settle $PAUSE --sizes "$sizes" --runs "$@"
}
balloon() { stock 10,10,10,10,5,3,2; }
mem_set() { stock 5,5,5,5,5,3,2 --tool; }
polling() { stock 10,10,10,10,5,3,2 --period 1000; }

target() {
	keep guest $requester "/scenario/cmm-latency target --guest $type --settle $PAUSE \
		--sizes $sizes --runs 10,10,10,10,5,3,2"
}

own() {
	keep guest $requester "/scenario/cmm-latency local --case own --guest $type --sizes $sizes --runs $runs"
	keep guest $requester "/scenario/cmm-latency noise --guest $type"
}

bare() {
	guest $requester "dmesg -c >/dev/null; insmod /scenario/cmm-bare.ko sizes_kb=$sizes && rmmod cmm-bare; dmesg" >/tmp/bare
	keep ./cmm-latency bare --guest "$type" --malloc $results --sizes "$sizes" </tmp/bare
}

# What is moved to measure CPU time, and the options of both ways.
MOVED=8192
MOVES="--sizes $MOVED --runs @ --settle 50 --malloc /dev/null"

# meter PATH COMMAND: the CPU time of a command.
meter() {
	./cmm-latency cost --guest "$type" --sizes $MOVED --requester "$dom_requester" \
		--donor "$dom_donor" --path "$@"
}

cost() {
	keep meter cold "guest $requester /scenario/cmm-latency transfer --path cold $MOVES"
	rest cold
	balancer meter balloon \
		"./cmm-latency balloon --requester $dom_requester --donor $dom_donor $MOVES"
}

# The suite that runs on real hosts, too.
suite() { keep guest $requester /scenario/cmm-latency; }

# By default it would keep a quarter of its memory, and the largest reserve leaves less than that.
back $donor floor_kb 65536
prepare_measuring 131072
keeps_all $requester
for path in $paths; do
	echo "$(cut -d ' ' -f 1 /proc/uptime) $path"
	$path
done
[ $failed -eq 0 ]
