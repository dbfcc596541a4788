#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# One request for 1.5 GiB, which eight donors give, is met in one piece. Dom0's interrupts are handled by
# threads meanwhile (threadirqs). What donors have put aside, or protect, is theirs.

# Commands in single quotes are for a DomU's shell.
# shellcheck disable=SC2016

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/ledger.sh

WANTED=1572864
DONORS='one two three four five six seven eight'
HUGE_PAGES=16
PROTECTED_MB=40

have_spare() {
	for name in $DONORS; do
		eventually 20 has_spare "$name" "$1" || return 1
	done
}
puts_aside() { guest -t 60 "$1" "echo $HUGE_PAGES >/proc/sys/vm/nr_hugepages && grep -x $HUGE_PAGES /proc/sys/vm/nr_hugepages"; }
has_put_aside() { equals "$HUGE_PAGES" guest -t 60 "$1" "/scenario/hugepages $HUGE_PAGES"; }

# A control group whose page cache is not to be reclaimed.
protects() {
	guest -t 120 "$1" "
		mkdir -p /run/cgroup && mount -t cgroup2 cgroup /run/cgroup &&
			echo +memory >/run/cgroup/cgroup.subtree_control && mkdir /run/cgroup/dear &&
			echo $((PROTECTED_MB + 8))M >/run/cgroup/dear/memory.low &&
			insmod /modules/brd.ko rd_nr=1 rd_size=1048576 || exit
		# What a device has cached is gone with the last who has it open.
		sleep 100000 </dev/ram0 >/dev/null 2>&1 &
		sh -c 'echo \$\$ >/run/cgroup/dear/cgroup.procs &&
			exec dd if=/dev/ram0 of=/dev/null bs=64k count=$((PROTECTED_MB * 16)) 2>/dev/null'" &&
		has_protected "$1"
}
has_protected() {
	found=$(guest -t 60 "$1" 'awk "\$1 == \"file\" { print int(\$2 / 1048576) }" /run/cgroup/dear/memory.stat')
	[ "$found" -ge $((PROTECTED_MB - 1)) ] || { echo "$found MiB of $PROTECTED_MB are there still"; return 1; }
}

asks() { front alice request_kb "$WANTED" && equals "$WANTED" front alice borrowed_kb && equals granted front alice last_reason; }
all_gave() {
	for name in $DONORS; do
		[ "$(back "$name" lent_kb)" -gt 0 ] || { echo "$name gave nothing"; return 1; }
	done
}
are_whole() {
	for name in $DONORS; do
		equals 0 back "$name" lent_kb || return 1
	done
}
live() { for name in $DONORS; do guest -t 60 "$name" true || return 1; done; }

# has_threads: one for each connection, beside that which this driver has of its own.
has_threads() { [ "$(cat /proc/[0-9]*/comm | grep -c '^irq/.*xen-cmm')" -ge 9 ]; }
reload() {
	rmmod xen_cmmback && insmod /modules/xen-cmmback.ko || return 1
	for name in alice $DONORS; do connected "$name" 30 || return 1; done
}

plan 20
all_memory=$(total)
conserved() { within "$(total)" "$all_memory" 1024 || { echo "total $(total), was $all_memory"; return 1; }; }
check "interrupts of Dom0's are handled by threads" has_threads
check "a donor puts huge pages aside" puts_aside one
check "another protects what it has read" protects two
have_spare 131072 >/dev/null
for round in 1 2; do
	check "$round: 1.5 GiB arrive in one piece" asks
	note "after $(($(front alice last_latency_ns) / 1000000)) ms"
	check "$round: each donor gave some" all_gave
	check "$round: the donors live" live
	check "$round: huge pages that were put aside are there" has_put_aside one
	check "$round: what is protected is there" has_protected two
	check "$round: all of it is given back" front alice release_kb "$WANTED"
	check "$round: the donors have theirs again" eventually 30 are_whole
	check "$round: no page is lost" eventually 5 conserved
	[ "$round" = 2 ] || check "the back-end is loaded again" reload
	have_spare 131072 >/dev/null
done
finish
