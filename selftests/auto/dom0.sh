#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A program needs twice the memory of its domain, and nobody writes to a file: it is killed if the
# domain does not ask by itself, and finishes if it does. What it needed goes home. Reading a large
# file is no need, and an idle domain is not woken.
#
# /out/results.json has what it cost.

# Commands in single quotes are for a DomU's shell.
# shellcheck disable=SC2016

. ../lib/ktap.sh
. ../lib/cmm.sh

# What the program needs, in MiB, and what a domain must have besides its own for that, in KiB.
NEED=320
OWNED=290816

tally() { guest -t 60 "$1" "awk '\$1 == \"$2\" { print \$2 }' /sys/kernel/debug/xen-cmm/auto"; }
is_home() { equals "0 0" echo "$(front "$1" borrowed_kb) $(front giver lent_kb)"; }
comes_home() { eventually 60 is_home "$1"; }

# eat NAME RATE [NICE]: prints how long it took and the longest stall, in us, and how often the kernel
# reclaimed in the program's own time.
eat() {
	guest -t 300 "$1" '
		stalls() { awk "/^allocstall/ { sum += \$2 } END { print sum }" /proc/vmstat; }
		before=$(stalls)
		/scenario/eater '"$NEED $2 ${3:-}"' >/run/eaten || exit
		echo $(cat /run/eaten) $(($(stalls) - before))'
}

# finishes NAME RATE WHAT: and leaves what it said in /tmp/eaten.
finishes() {
	eat "$1" "$2" >/tmp/eaten || { cat /tmp/eaten; guest -t 60 "$1" 'cat /sys/kernel/debug/xen-cmm/auto'; return 1; }
	read -r took longest stalls </tmp/eaten
	line="\"case\":\"$3\",\"guest\":\"$1\",\"rate_mib_s\":$2,\"took_us\":$took"
	line="$line,\"longest_stall_us\":$longest,\"direct_reclaims\":$stalls"
	echo "{$line,\"asked\":$(tally "$1" asked),\"rescues\":$(tally "$1" rescued)}" >>/out/results.json
}
took() { cut -d' ' -f1 /tmp/eaten; }
no_stall() { equals 0 cut -d' ' -f3 /tmp/eaten; }
is_killed() { ! eat "$1" 0; }
is_more() { [ "$1" -gt "$2" ] || { echo "$1, want more than $2"; return 1; }; }

# not_slower OWN AUTO PERCENT: beside a domain that owns everything.
not_slower() { [ $(($2 * 100)) -le $(($1 * $3)) ] || { echo "$2 us, and $1 us with memory of its own"; return 1; }; }

# owned NAME RATE: the same program, in a domain that has all it needs before.
owned() {
	front "$1" auto 0
	# It may have asked by itself the moment before.
	had=$(front "$1" borrowed_kb)
	[ "$had" -eq 0 ] || front "$1" release_kb "$had"
	eventually 15 has_spare giver "$OWNED" >/dev/null
	front "$1" request_kb "$OWNED" && finishes "$1" "$2" owned
	owned_status=$?
	front "$1" release_kb "$OWNED"
	front "$1" auto 1
	return "$owned_status"
}

streams() {
	guest -t 120 "$1" '
		insmod /modules/brd.ko rd_nr=1 rd_size=1048576 &&
		dd if=/dev/ram0 of=/dev/null bs=64k count=8192 2>&1'
}

# woken NAME: how often our thread ran, how often it was woken by its own count, how often the alarm of
# our reports went off, and how often the numbers were looked at, in 20 s in which nothing else happens.
woken() {
	guest -t 60 "$1" '
		for comm in /proc/[0-9]*/comm; do
			[ "$(cat "$comm")" != xen-cmm-auto ] || thread=${comm%/comm}
		done
		ran() { awk "/ctxt_switches/ { sum += \$2 } END { print sum }" "$thread/status"; }
		count() { awk "\$1 == \"$1\" { print \$2 }" /sys/kernel/debug/xen-cmm/auto; }
		sleep 3
		ran=$(ran) woken=$(count woken) alarms=$(count alarms) looks=$(count looks)
		sleep 20
		echo $(($(ran) - ran)) $(($(count woken) - woken)) $(($(count alarms) - alarms)) $(($(count looks) - looks))'
}
# The shell that looks runs last, and the kernel works for some ms now and then: there is a look after each.
sleeps() {
	woken "$1" >/tmp/woken
	read -r ran woken alarms looks </tmp/woken
	echo "the thread ran $ran times, counted $woken, the alarm went off $alarms times, and the numbers were" \
		"looked at $looks times in 20 s"
	[ "$ran" -eq 0 ] && [ "$woken" -eq 0 ] && [ "$alarms" -le 3 ]
}

# timers NAME: how often its kernel'''s timer went off in 20 s in which nothing else happens.
timers() {
	guest -t 60 "$1" '
		timers() { awk "/ timer[0-9]/ { for (i = 2; i <= NF && \$i ~ /^[0-9]+\$/; i++) sum += \$i } END { print sum }" /proc/interrupts; }
		sleep 3
		timers=$(timers)
		sleep 20
		echo $(($(timers) - timers))'
}
# is_left_asleep NAME: it is woken no more often than it would be without the driver, to the two a second by
# which that differs from one time to another.
is_left_asleep() {
	with=$(timers "$1")
	guest -t 60 "$1" 'rmmod xen_cmmfront' || return 1
	without=$(timers "$1")
	guest -t 60 "$1" 'insmod /modules/xen-cmmfront.ko'
	echo "its timer went off $with times in 20 s, and $without times without the driver" | tee /tmp/timers
	[ "$without" -gt 0 ] && [ "$with" -le $((without + 40)) ]
}

# What asks by itself is a thread: one that runs only when nothing else does is of no help.
slow_down() {
	guest -t 60 "$1" '
		echo "+cpu +memory" >/run/cgroup/cgroup.subtree_control && mkdir /run/cgroup/slow &&
			echo 1 >/run/cgroup/slow/cpu.idle || exit
		for comm in /proc/[0-9]*/comm; do
			[ "$(cat "$comm")" != xen-cmm-auto ] || thread=${comm%/comm}
		done
		echo "${thread#/proc/}" >/run/cgroup/slow/cgroup.procs'
}
is_rescued() {
	slow_down "$1" && eat "$1" 0 -20 || return 1
	is_more "$(tally "$1" rescued)" "$2"
}

said() { guest -t 60 "$1" 'dmesg | grep -c "nobody helps: no other domain can spare any memory"' || true; }

# Dies of want though it asks, and is told why: once in the time in which one process dies.
is_not_rescued() {
	! eat "$1" 0 -20 || return 1
	equals 1 said "$1" && equals 1 tally "$1" not_rescued
}

# Of a control group's limit the domain hears nothing. It is one that the domain has the memory for.
is_limited() {
	! guest -t 120 "$1" '
		mkdir -p /run/cgroup && mount -t cgroup2 cgroup /run/cgroup &&
			echo +memory >/run/cgroup/cgroup.subtree_control && mkdir /run/cgroup/small &&
			echo 8M >/run/cgroup/small/memory.max || exit 0
		sh -c "echo \$\$ >/run/cgroup/small/cgroup.procs && exec /scenario/eater 16 20"' || return 1
	guest -t 60 "$1" 'awk "\$1 == \"oom_kill\" && \$2 == 1 { found = 1 } END { exit !found }" /run/cgroup/small/memory.events'
}

# burst NAME RATE PERCENT
burst() {
	what="$1, ${2#0} MiB/s"
	[ "$2" != 0 ] || what="$1, as fast as it can"
	check "$what: finishes with memory of its own" owned "$1" "$2"
	own=$(took)
	comes_home "$1" >/dev/null
	sleep 3
	check "$what: finishes" finishes "$1" "$2" auto
	check "$what: it asked by itself" is_more "$(tally "$1" asked)" 0
	note "took $(took) us, and $own us with memory of its own; longest stall, direct reclaims: $(cut -d' ' -f2- /tmp/eaten)"
	if [ "$2" != 0 ]; then
		check "$what: the kernel reclaimed nothing in the program's own time" no_stall
	fi
	check "$what: takes no more than $3 % of that with memory of its own" not_slower "$own" "$(took)" "$3"
	check "$what: the memory goes home" comes_home "$1"
}

plan 48
all_memory=$(total)
driver donor_timeout_ms 20000
conserved() { within "$(total)" "$all_memory" 1024 || { echo "total $(total), was $all_memory"; false; }; }
for name in pv pvh; do
	other=pvh
	[ $name = pv ] || other=pv
	back $other floor_kb "$(size_of $other)"
	back $name floor_kb 0
	front $name auto 0
	eventually 15 has_spare giver "$OWNED" >/dev/null
	check "$name: killed if it may not ask by itself" is_killed $name
	check "$name: then it has asked for nothing" equals 0 tally $name asked
	front $name auto 1
	sleep 2
	burst $name 100 125
	burst $name 0 200
	asked=$(tally $name asked)
	check "$name: reads a large file" streams $name
	check "$name: that is no need" equals "$asked" tally $name asked
	check "$name: sleeps when nothing runs" sleeps $name
	note "$(cat /tmp/woken)"
	rescued=$(tally $name rescued)
	asked=$(tally $name asked)
	check "$name: a control group at its limit" is_limited $name
	check "$name: that is nobody's business but its own" equals "$rescued $asked" \
		echo "$(tally $name rescued) $(tally $name asked)"
	check "$name: a program is saved from being killed" is_rescued $name "$rescued"
	check "$name: what it needed goes home" comes_home $name
	back giver floor_kb "$(size_of giver)"
	check "$name: it is killed if nobody can give, and the log says why" is_not_rescued $name
	check "$name: nothing is borrowed then" is_home $name
	back giver floor_kb 114688
	note "$(guest -t 60 $name 'cat /sys/kernel/debug/xen-cmm/auto')"
	check "$name: no page is lost" conserved
	check "$name: it is woken no more often than without the driver" is_left_asleep $name
	note "$(cat /tmp/timers)"
done
finish
