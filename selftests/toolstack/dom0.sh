#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What an administrator, a toolstack and a guest's own root do in an ordinary day, while memory is
# borrowed and lent: nothing is wedged, nobody dies, and the toolstack's word holds.

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/ledger.sh

AMOUNT=32768

# borrows NAME KIB
borrows() {
	front "$1" deadline_us 60000000 && eventually 20 has_spare bob $(($2 + 8192)) &&
		front "$1" request_kb "$2" && equals "$2" front "$1" borrowed_kb
}
returns() { front "$1" release_kb "$(front "$1" borrowed_kb)" && equals 0 front "$1" borrowed_kb; }
free_again() { guest -t 60 "$1" rm /tmp/full; }
# fill NAME LEFT_MB: its memory, but for so much.
fill() {
	guest -t 60 "$1" "
		mount -o remount,size=95% /tmp
		available=\$(awk '/^MemAvailable/ { print int(\$2 / 1024) }' /proc/meminfo)
		dd if=/dev/zero of=/tmp/full bs=1M count=\$((available - $2)) 2>&1"
}
# size_near NAME KIB: to the megabyte.
size_near() {
	found=$(size_of "$1")
	within "$found" "$2" 1024 || { echo "$1 has $found KiB, want $2"; return 1; }
}

# A target that cannot be reached, until the balloon driver has given up on it. It leaves next to
# nothing: after that there must be enough to start a program again.
out_of_reach() {
	borrows alice "$AMOUNT" && guest -t 60 alice '
		dd if=/dev/zero of=/tmp/some bs=1M count=4 2>&1
		(sleep 66; : >/tmp/some) >/dev/null 2>&1 &' &&
		fill alice 12 && xl mem-set alice 100 && sleep 70
}
# It says why, and it can be mended from inside the domain.
denied_above_target() {
	fails_with 'temporarily unavailable' front alice request_kb 1024 &&
		equals above-target front alice last_reason && equals 0 front alice last_granted_kb
}

freezes() {
	# shellcheck disable=SC2016 # for the DomU's shell
	guest -t 60 "$1" "echo $2 >/sys/power/pm_test && echo freeze >/sys/power/state"
}
# All stays connected and borrowed, and memory moves.
sleeps() {
	had=$(front "$1" borrowed_kb)
	freezes "$1" "$2" && equals "$had" front "$1" borrowed_kb && connected "$1" &&
		front "$1" request_kb 1024 && equals $((had + 1024)) front "$1" borrowed_kb
}

# Three at once: a rule of udev's, a service, an administrator.
attached_thrice() {
	detach || return 1
	for _ in 1 2 3; do
		cmm-attach tiny &
		attachers="$attachers $!"
	done
	# shellcheck disable=SC2086 # a list
	for pid in $attachers; do wait $pid || return 1; done
	connected tiny
}
detach() { ! xenstore-exists "/local/domain/0/backend/cmm/$(xl domid tiny)" || cmm-attach --detach tiny; }
rounds() { for _ in 1 2 3 4; do attachers='' && attached_thrice || return 1; done; }
# The service looks when it starts, and whenever a domain comes or goes.
stays_detached() {
	cmm-attach --detach tiny && cmm-attach --all && timeout 5 cmm-attach --watch >/tmp/watch 2>&1
	! xenstore-exists "/local/domain/0/backend/cmm/$(xl domid tiny)"
}
a_number_for_a_name() {
	id=$(xl domid tiny)
	xl rename tiny 1 && cmm-attach 1 | grep -F "1 (id $id)" && cmm-attach --id 1 | grep -F "alice (id 1)"
	status=$?
	xl rename "$id" tiny && return "$status"
}

plan 17
driver donor_timeout_ms 20000
guest alice 'echo 0 >/sys/bus/xen/devices/cmm-0/fetch_ahead_kb'
guest tiny 'echo 0 >/sys/bus/xen/devices/cmm-0/fetch_ahead_kb'
tiny_size=$(size_of tiny)

check "a small domain borrows" borrows tiny 16384
check "and returns all of it" returns tiny
check "it has what it had" eventually 10 equals "$tiny_size" size_of tiny

check "a domain is to have less than it can" out_of_reach
check "it is told why it gets nothing" denied_above_target
free_again alice
check "once it has memory, it can return all" returns alice
check "it borrows again" borrows alice 16384
check "and has what the toolstack wants" eventually 10 size_near alice $((100 * 1024 + 16384))

fill alice 24
check "it puts itself to sleep with what it borrowed" sleeps alice freezer
check "and its devices, too" sleeps alice devices
free_again alice
check "the books balance" balanced

check "a domain is attached by three at once" rounds
check "and once more" cmm-attach tiny
check "one that was detached stays detached" stays_detached
check "until somebody attaches it" cmm-attach tiny
check "a name is looked for before a number" a_number_for_a_name
check "cmm-attach has a version" cmm-attach --version
finish
