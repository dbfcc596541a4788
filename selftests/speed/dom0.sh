#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The main figures, held against bars: the exact clock makes them the same in each
# run, so that a change of ours is all that can move them. selftests/latency/src/limits.rs
# has the bars; scripts/bench measures more, and with a donor of each type.

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/measure.sh

donor=donor sizes=4,64,2048 runs=5,5,3 parts=yes
row_sizes=64 row_runs=2

# measure NAME: all ways, by the domain that is called after its type.
measure() {
	requester=$1 type=$1
	cold
	with_reserve 16384 from_reserve
	with_reserve 16384 on_credit --sizes 4,64
}

series_passed() { [ "$failed" -eq 0 ]; }
is_skipped() {
	./cmm-latency >/tmp/suite
	[ $? -eq 4 ] && grep '# SKIP this is Dom0' /tmp/suite
}

# What Xen does for a PVH domain is to take what it takes on a machine that says where an
# instruction ends: about 1 us by the exact clock, where finding the end takes 4.5 more. Waiting in
# HLT takes as long as it takes.
MAX_EXIT_NS=2000
exits_are_cheap() {
	guest -t 60 pvh "insmod /modules/cmm-exits.ko && dmesg | sed -n 's/.*cmm-exits: //p'" >/tmp/exits
	cat /tmp/exits
	awk -v most="$MAX_EXIT_NS" '$1 != "hlt" && ($2 > most || $3 > most) { dear++ }
		END { exit dear > 0 || NR != 6 }' /tmp/exits
}

BARS=16
plan $((BARS + 3))
requester=pv prepare_measuring 65536
keeps_all pv pvh
measure pv
measure pvh
check "each transfer's memory came, and its phases add up" series_passed
./cmm-latency bars $results >/tmp/bars
while read -r line; do
	case $line in
	"ok "*) ok "${line#ok }" ;;
	*) not_ok "${line#not ok }" ;;
	esac
done </tmp/bars
check "pvh: Xen is told where an instruction ends, and so need not look" exits_are_cheap
check "the suite for real hosts says why it does not run in Dom0" is_skipped
finish
