#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Measures each way memory comes to a domain, with a donor of the same type.
# Results go to /out/results.json; scripts/bench adds the table.
#
# While a series runs nothing else does: each is one `guest` command, with the
# pauses in the DomU.

. ../lib/cmm.sh

# Sets type (pv or pvh) and paths: scripts/bench writes it.
type='' paths=''
# shellcheck disable=SC1091
. ./settings
# For the largest request. The pool is filled up again only below three quarters.
RESERVE=$((96 * 1024))
FULL=$((RESERVE * 3 / 4))
PAUSE=300
results=/out/results.json
failed=0

say() { echo "$(cut -d ' ' -f 1 /proc/uptime) $*"; }

least() { [ "$1" -lt "$2" ] && echo "$1" || echo "$2"; }

# Of all domains at once: a process started in Dom0 is slow here.
at_rest() {
	! cat /sys/bus/xen-backend/devices/cmm-*-0/borrowed_kb \
		/sys/bus/xen-backend/devices/cmm-*-0/lent_kb | grep -qvx 0
}

# rest PATH: waits until nobody owes anything; says who does if that does not come.
rest() {
	eventually 10 at_rest && return
	for name in guest donor; do
		echo "after $1: $name has borrowed $(back "$name" borrowed_kb) and lent $(back "$name" lent_kb) KiB"
	done
}

# keep COMMAND...: its output to the results, or a complaint.
keep() {
	if "$@" >/tmp/series; then
		grep '^{' /tmp/series | tee -a $results
		grep -v '^{' /tmp/series
	else
		cat /tmp/series
		echo "FAILED: $*"
		failed=1
	fi
}

# transfers PATH [OPTION]...
transfers() {
	keep guest guest "/scenario/cmm-latency transfer --guest $type --settle $PAUSE --path $*"
}

cold() {
	transfers cold
	rest cold
}

pool_is_full() { [ "$(driver pool_kb)" -ge $FULL ]; }
pool_is_empty() { [ "$(driver pool_kb)" -eq 0 ]; }

reserve() {
	driver reserve_kb $RESERVE
	if eventually 20 pool_is_full; then
		transfers reserve
	else
		echo "FAILED: the pool has $(driver pool_kb) KiB, and $FULL are wanted"
		failed=1
	fi
	driver reserve_kb 0
	eventually 10 pool_is_empty
	rest reserve
}

# How much a domain may take on its own.
CREDIT=4096

credit() {
	knob=$(echo /sys/bus/xen-backend/drivers/*cmm*/credit_kb)
	[ -e "$knob" ] || {
		say "credit: skipped, this back-end has no credit_kb"
		return
	}
	driver reserve_kb $RESERVE
	eventually 20 pool_is_full
	driver credit_kb $CREDIT
	sleep 2
	transfers credit --sizes 4,64 --runs 40
	driver credit_kb 0
	driver reserve_kb 0
	eventually 10 pool_is_empty
	rest credit
}

larger() { [ "$(size_of "$1")" -ge "$2" ]; }
smaller() { [ "$(size_of "$1")" -le "$2" ]; }
has_to_spare() { [ "$(back "$1" available_kb)" -gt 131072 ]; }

# balancer OPTION...: the stock balloon. The toolstack raises what the requester
# may have; then only targets move.
balancer() {
	mb=$(($(size_of guest) / 1024))
	xl mem-set guest $((mb + 66))
	eventually 60 larger guest $(((mb + 66) * 1024))
	xenstore-write "/local/domain/$(xl domid guest)/memory/target" $((mb * 1024))
	eventually 60 smaller guest $((mb * 1024))
	sleep 2
	keep ./cmm-latency balloon --guest "$type" --malloc $results --settle $PAUSE \
		--requester "$(xl domid guest)" --donor "$(xl domid donor)" "$@"
	xl mem-set guest "$mb"
}

balloon() { balancer --runs 10,10,5,3,2; }
mem_set() { balancer --runs 5,5,5,3,2 --tool; }
polling() { balancer --runs 10,10,5,3,2 --period 1000; }

own() { keep guest guest "/scenario/cmm-latency local --case own --guest $type"; }

bare() {
	guest guest 'dmesg -C; insmod /scenario/cmm-bare.ko && rmmod cmm-bare; dmesg' >/tmp/bare
	grep -q cmm-bare: /tmp/bare || cat /tmp/bare
	keep ./cmm-latency bare --guest "$type" --malloc $results </tmp/bare
}

driver donor_timeout_ms 20000
eventually 30 has_to_spare donor
# The requester is nobody's donor, not for the reserve either.
back guest floor_kb "$(least "$(size_of guest)" "$(back guest ceiling_kb)")"
for path in $paths; do
	say "$path"
	$path
done
say "done"
[ $failed -eq 0 ]
