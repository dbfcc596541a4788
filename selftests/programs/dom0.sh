#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Programs in a DomU ask by /dev/cmm. What one holds goes back when it ends, by whatever end it comes to,
# and nobody else's does.

# Commands in single quotes are for a DomU's shell.
# shellcheck disable=SC2016

. ../lib/ktap.sh
. ../lib/cmm.sh

SOME=16384
# Its reasons.
GRANTED=0
NO_DONOR=1

borrows() { equals "$2" front "$1" borrowed_kb; }

# asks NAME COMMAND...: what an asker says that is told that, each command one line.
asks() {
	asks_name=$1
	shift
	asks_lines=
	for asks_line; do asks_lines="$asks_lines$asks_line\\n"; done
	guest -t 90 "$asks_name" "printf '$asks_lines' | /scenario/asker" | paste -s -d ' '
}

# lives NAME WHO: an asker that is there until it ends, and obeys WHO.
lives() { guest -t 60 "$1" "mkfifo /run/$2 && { /scenario/asker </run/$2 >/run/$2.said 2>&1 & } && sleep 100000 >/run/$2 & echo \$! >/run/$2.pid"; }
# tell NAME WHO COMMAND
tell() { guest -t 90 "$1" "echo '$3' >/run/$2"; }
last() { guest -t 60 "$1" "tail -n 1 /run/$2.said"; }
ends() { guest -t 60 "$1" "kill \$(cat /run/$2.pid); rm /run/$2"; }

is_roots() { equals 'crw-------' guest -t 60 "$1" 'ls -l /dev/cmm | cut -c 1-10'; }
two_hold_their_own() {
	lives "$1" first && lives "$1" second && tell "$1" first "ask $SOME 0" && tell "$1" second "ask $((SOME * 2)) 0" &&
		eventually 10 borrows "$1" $((SOME * 3)) && ends "$1" first && eventually 10 borrows "$1" $((SOME * 2)) &&
		tell "$1" second held && eventually 5 equals $((SOME * 2)) last "$1" second && ends "$1" second &&
		eventually 10 borrows "$1" 0
}

fill() {
	guest -t 60 "$1" "
		mount -o remount,size=95% /tmp
		available=\$(awk '/^MemAvailable/ { print int(\$2 / 1024) }' /proc/meminfo)
		dd if=/dev/zero of=/tmp/full bs=1M count=\$((available - $2)) 2>&1"
}
free_again() { guest -t 60 "$1" rm /tmp/full; }

has_much() { [ "$(front "$1" borrowed_kb)" -ge 61440 ]; }
# Its kernel needs what the program asked for when that ends: it goes home when it can be spared.
goes_home_later() {
	lives "$1" later && tell "$1" later "ask 65536 0" && eventually 10 has_much "$1" && front "$1" auto 0 &&
		fill "$1" 12 && ends "$1" later && sleep 2 || return 1
	left=$(front "$1" borrowed_kb)
	front "$1" auto 1
	free_again "$1"
	[ "$left" -gt 0 ] || { echo "all went back at once"; return 1; }
	eventually 60 borrows "$1" 0
}

tells_of_pressure() {
	front "$1" auto 0
	equals 0 asks "$1" 'poll 500' && fill "$1" 2 && equals 1 asks "$1" 'poll 5000'
	status=$?
	free_again "$1"
	front "$1" auto 1
	return "$status"
}

# The module stays as long as somebody has the device open.
stays() {
	lives "$1" keeper && tell "$1" keeper "ask $SOME 0" && eventually 10 borrows "$1" "$SOME" &&
		fails_with 'temporarily unavailable' guest -t 60 "$1" 'rmmod xen_cmmfront 2>&1' && tell "$1" keeper held &&
		eventually 5 equals "$SOME" last "$1" keeper && ends "$1" keeper && eventually 10 borrows "$1" 0
}

# The device is taken away from a program that holds memory, and is there again.
device_goes() {
	lives "$1" left && tell "$1" left "ask $SOME 0" && eventually 10 borrows "$1" "$SOME" &&
		cmm-attach --detach "$1" && tell "$1" left "ask $SOME 0" && eventually 10 equals 'error ENODEV' last "$1" left &&
		cmm-attach "$1" && connected "$1" && ends "$1" left && borrows "$1" 0 &&
		equals "$SOME $GRANTED" asks "$1" "ask $SOME 0" && eventually 10 borrows "$1" 0
}

serves() {
	guest -t 90 "$1" "printf '48\n32\n' | /scenario/burst_server" >/tmp/served || { cat /tmp/served; return 1; }
	cat /tmp/served
	grep -q '^48 MiB: got 48 MiB, all of it came' /tmp/served && grep -q '^32 MiB: has it already' /tmp/served
}

plan 36
driver donor_timeout_ms 20000
for name in pv pvh; do
	other=pvh
	[ $name = pv ] || other=pv
	back $other floor_kb "$(size_of $other)"
	back $name floor_kb 0
	eventually 15 has_spare giver 131072 >/dev/null
	check "$name: the device is root's" is_roots $name
	check "$name: a program asks, and gives back" equals "$SOME $GRANTED $SOME $SOME 0" \
		asks $name "ask $SOME 0" held "give $SOME" held
	check "$name: what it does not give back goes back when it ends" equals "$SOME $GRANTED" asks $name "ask $SOME 0"
	check "$name: and has" eventually 10 borrows $name 0
	check "$name: as it does when it is killed" equals "$SOME $GRANTED Killed" asks $name "ask $SOME 0" die
	check "$name: and has" eventually 10 borrows $name 0
	check "$name: two programs hold their own" two_hold_their_own $name
	check "$name: nobody gives back what it does not hold" equals "error EINVAL $SOME $GRANTED error EINVAL 4096" \
		asks $name 'give 4' "ask $SOME 0" "give $((SOME + 4))" 'give 4096'
	check "$name: nonsense gets a clear answer" equals 'error EINVAL error EINVAL error EINVAL error EDQUOT' \
		asks $name 'ask 0 0' 'ask 18446744073709551615 0' 'ask 4 60000001' 'ask 68719476 0'
	check "$name: so do commands that there are not" \
		equals 'error ENOTTY error ENOTTY error ENOTTY error ENOTTY error EFAULT error EFAULT' asks $name odd
	check "$name: what came is held though nobody could be told" equals "error EFAULT $SOME" asks $name "blind $SOME" held
	check "$name: memory does not run short, and does" tells_of_pressure $name
	check "$name: the module stays while the device is open" stays $name
	check "$name: the device goes while it is open" device_goes $name
	check "$name: a server works through its bursts" serves $name
	note "$(cat /tmp/served)"
	check "$name: what cannot be spared when it ends goes home later" goes_home_later $name
	# It is asked all the same, and does not answer.
	driver ask_ready 0
	xl pause giver
	check "$name: a signal ends the waiting, and leaves nothing" equals 'error EINTR 0' asks $name 'alarm 500' "ask $SOME 0" held
	xl unpause giver
	driver ask_ready 1
	back giver floor_kb "$(size_of giver)"
	check "$name: nobody can give: it is told so" equals "0 $NO_DONOR" asks $name "ask $SOME 0"
	back giver floor_kb 65536
done
finish
