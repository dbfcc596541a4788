#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Whatever happens while memory is on its way from bob to alice, the books
# balance afterwards, the sizes and caps are as before, and the next transfer
# works. A transfer is stopped at each step by pausing whoever has to go on:
#
#   asked     bob has been asked, and has not begun
#   working   bob is giving
#   granted   bob has given; alice has been told, and has not begun to take
#   borrowed  alice has it

# Commands in single quotes are for a DomU's shell.
# shellcheck disable=SC2016

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/ledger.sh

AMOUNT=32768

load() { guest -t 60 "$1" insmod /modules/xen-cmmfront.ko; }
unload() { guest -t 60 "$1" rmmod xen_cmmfront; }
loaded() { guest -t 60 "$1" test -d /sys/module/xen_cmmfront; }
exists() { xl domid "$1" >/dev/null 2>&1; }
nonzero() { [ "$("$@")" -gt 0 ]; }

# know: their ids change with each life.
know() {
	alice=$(xl domid alice)
	bob=$(xl domid bob)
}

# ask: alice asks, in the background. /run/answer gets the request's status.
ask() {
	guest -t 60 alice 'rm -f /run/answer
		echo 60000000 >/sys/bus/xen/devices/cmm-0/deadline_us
		(echo '"$AMOUNT"' >/sys/bus/xen/devices/cmm-0/request_kb 2>/run/said; echo $? >/run/answer) &'
}

answered() { guest -t 60 alice test -s /run/answer; }
bob_is_giving() { [ "$(ledger "$bob" size)" -lt "$bob_size" ]; }

# reach STEP
reach() {
	driver donor_timeout_ms 20000
	eventually 20 test "$(back bob available_kb)" -gt $((AMOUNT + 8192)) || return 1
	case $1 in
	asked)
		xl pause bob
		ask && eventually 10 nonzero ledger "$bob" asked
		;;
	working)
		# With a twentieth of a CPU he takes long enough to be caught at it.
		xl sched-credit -d bob -c 5
		ask
		eventually 20 bob_is_giving
		xl pause bob
		xl sched-credit -d bob -c 0
		nonzero ledger "$bob" asked
		;;
	granted)
		reach asked || return 1
		xl pause alice
		xl unpause bob
		eventually 20 nonzero ledger "$alice" in-flight
		;;
	borrowed)
		ask && eventually 20 answered && equals "$AMOUNT" ledger "$alice" balance
		;;
	esac
}

# Faults. Each leaves the domains as it likes; go_on sees to the rest.
kill_bob() { xl destroy bob; }
kill_alice() { xl destroy alice; }
unload_bob() { xl unpause bob; unload bob; }
unload_alice() { xl unpause alice; unload alice; }
reload_back() { rmmod xen_cmmback && insmod /modules/xen-cmmback.ko; }
shrink_bob() { xl mem-set bob $((bob_size / 1024 - 16)); }
shrink_alice() { xl mem-set alice $((alice_size / 1024 - 16)); }
pause_alice() { xl pause alice; sleep 2; }
kill_both() { xl destroy alice; xl destroy bob; }

# new_domain: takes nearly all of Xen's free memory, what bob has given included.
new_domain() {
	memory=$(($(xl info free_memory) - 8))
	sed -i "s/^memory.*/memory = $memory/; s/^maxmem.*/maxmem = $memory/" /etc/xen/dave.cfg
	xl create -q /etc/xen/dave.cfg
}

# Bob answers after the patience with him has ended.
too_late() {
	xl unpause bob
	driver donor_timeout_ms 300
	sleep 1
}

# fill_bob: most of bob's memory is in use, and he had said that it was not.
fill_bob() {
	xl unpause bob
	guest -t 60 bob 'mount -t tmpfs -o size=100% fill /tmp
		mib=$(awk "/^MemAvailable:/ { print int(\$2 / 1024) - 24 }" /proc/meminfo)
		dd if=/dev/zero of=/tmp/fill bs=1M count="$mib" 2>/dev/null'
}

save_alice() {
	xl save alice /tmp/alice.save && xl restore /tmp/alice.save
	status=$?
	rm -f /tmp/alice.save
	adopt alice
	return "$status"
}

# adopt NAME: the agent in a restored domain goes on, and says "ready" to nobody.
adopt() {
	dir=/run/guest/$(xl domid "$1")
	mkdir "$dir"
	mkfifo "$dir/in"
	setsid guestd "$(xl domid "$1")" "$1" </dev/null >/dev/null 2>&1 &
	touch "$dir/ready"
}

# go_on: whoever is there runs; whoever is not comes back.
go_on() {
	! exists dave || xl destroy dave
	for name in alice bob; do
		exists $name || xl create -q /etc/xen/$name.cfg
		xl unpause $name 2>/dev/null
	done
	for name in alice bob; do
		loaded $name || load $name
		cmm-attach $name >/dev/null 2>&1
		connected $name 10 || return 1
	done
	driver donor_timeout_ms 20000
}

# give_back: what came, and what the toolstack or bob's own programs took.
give_back() {
	guest -t 60 bob 'rm -f /tmp/fill'
	xl mem-set alice $((alice_size / 1024))
	xl mem-set bob $((bob_size / 1024))
	guest -t 60 alice 'cd /sys/bus/xen/devices/cmm-0
		debt=$(cat borrowed_kb)
		[ "$debt" -eq 0 ] || echo "$debt" >release_kb'
}

conserved() { within "$(total)" "$all_memory" 1024 || equals "$all_memory" total; }
even() {
	equals '0 0' guest -t 60 "$1" 'cd /sys/bus/xen/devices/cmm-0
		echo $(cat borrowed_kb lent_kb)'
}
as_before() {
	eventually 6 books_are "$books_before" "$alice" "$bob" && even alice && even bob && conserved
}

# afresh: so that one failure is one failure.
afresh() {
	for name in alice bob; do
		! exists $name || xl destroy $name
	done
	go_on
}

# fault STEP FAULT: the request is answered if whoever asked is still there.
fault() {
	started=$(cut -d. -f1 /proc/uptime)
	failed=$KTAP_FAILED
	asker=$alice
	check "$1, $2: the step is reached" reach "$1"
	check "$1, $2: it happens" "$2"
	check "$1, $2: all are connected" go_on
	know
	if [ "$alice" = "$asker" ] || [ "$2" = save_alice ]; then
		check "$1, $2: the request is answered" eventually 10 answered
	else
		ok "$1, $2: nobody is left to be answered"
	fi
	check "$1, $2: what came is given back" give_back
	check "$1, $2: all is as before" as_before
	note "$(($(cut -d. -f1 /proc/uptime) - started)) s"
	[ "$KTAP_FAILED" -eq "$failed" ] || {
		afresh
		know
	}
}

plan $((22 * 6 + 2))
know
eventually 15 nonzero back bob available_kb
alice_size=$(size_of alice)
bob_size=$(size_of bob)
all_memory=$(total)
books_before=$(books "$alice" "$bob")
note "$books_before"
check "the caps are right" caps_right "$alice" "$bob"
fault asked shrink_bob
fault asked shrink_alice
fault asked new_domain
fault asked pause_alice
fault asked unload_alice
fault asked fill_bob
fault asked kill_bob
fault asked kill_alice
fault working unload_bob
fault working unload_alice
fault working shrink_bob
fault working kill_bob
fault working kill_both
fault granted unload_bob
fault granted shrink_alice
fault granted new_domain
fault granted kill_alice
fault borrowed save_alice
fault working too_late
fault asked reload_back
fault working reload_back
fault granted reload_back
check "a transfer works in the end" reach borrowed
finish
