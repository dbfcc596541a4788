#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Modules come and go in any order, domains too, and what is owed survives.

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/ledger.sh

AMOUNT=16384

load_back() { insmod /modules/xen-cmmback.ko; }
load_front() { guest -t 60 "$1" "insmod /modules/xen-cmmfront.ko $FRONT_PARAMS"; }
# loads_within SECONDS NAME: as load_front, by the DomU's own clock.
loads_within() {
	set -- "$1" "$(guest -t 60 "$2" "cut -d. -f1 /proc/uptime; insmod /modules/xen-cmmfront.ko $FRONT_PARAMS &&
		cut -d. -f1 /proc/uptime")"
	# shellcheck disable=SC2086 # two times
	set -- "$1" $2
	if [ $# -ne 3 ] || [ $(($3 - $2)) -ge "$1" ]; then
		echo "loaded from $2 to $3 s"
		return 1
	fi
}
unload_front() { guest -t 60 "$1" rmmod xen_cmmfront; }
balance_is() { equals "$2 $3" echo "$(front "$1" borrowed_kb) $(front "$1" lent_kb)"; }
size_is() { equals "$2" size_of "$1"; }
conserved() { within "$(total)" "$all_memory" 1024 || { echo "total $(total), was $all_memory"; false; }; }
owed_nothing() { equals "0 0" echo "$(back alice borrowed_kb) $(back bob lent_kb)"; }
vanished() { ! xenstore-exists "/local/domain/0/backend/cmm/$1"; }

# patient: an emulated donor is slow. The back-end forgets it when unloaded.
patient() {
	driver donor_timeout_ms 20000
	front alice deadline_us 60000000
}

# transfers: does alice get memory of bob's, and bob his back?
transfers() {
	patient
	eventually 15 has_spare bob $((AMOUNT * 2)) &&
		front alice request_kb "$AMOUNT" &&
		balance_is alice "$AMOUNT" 0 &&
		front alice release_kb "$AMOUNT" &&
		eventually 10 balance_is bob 0 0
}

borrow() {
	patient
	eventually 15 has_spare bob $((AMOUNT * 2)) && front alice request_kb "$AMOUNT"
}

# reads_ahead NAME: small requests in a row fetch more than was asked for.
reads_ahead() {
	eventually 15 has_spare bob 16384 || return 1
	# shellcheck disable=SC2016 # for the DomU's shell
	guest -t 120 "$1" 'cd /sys/bus/xen/devices/cmm-0 && echo 60000000 >deadline_us &&
		for i in 1 2 3 4; do echo 64 >request_kb || exit; done && [ "$(cat ahead_kb)" -gt 0 ]'
}

# removed NAME: both its directories at once, as the toolstack removes devices.
removed() {
	id=$(xl domid "$1")
	xenstore-rm "/local/domain/$id/device/cmm/0" "/local/domain/0/backend/cmm/$id" && sleep 2 && vanished "$id"
}

# What xenbus's thread does in a domain.
answers() {
	xl sysrq "$1" h && eventually 5 guest "$1" 'dmesg | grep -q "sysrq: HELP"'
}
lends_still() { [ "$(front "$1" lent_kb)" -gt 0 ]; }
answers_while_lending() { answers "$1" && lends_still "$1"; }

# watches NAME [on]: programs of the domain's own set all watches that it may; or take any place that is
# left, too, as long as they run.
watches() {
	guest -t 60 "$1" "/scenario/watches $2 >/run/watches 2>&1 &"
	eventually 20 guest "$1" "grep -E '^[1-9][0-9]* watches, then: ' /run/watches" >/dev/null &&
		note "$1: $(guest "$1" cat /run/watches)" && guest "$1" '! grep Success /run/watches'
}
# Where a driver is unregistered, its kernel is to write down from now on.
trace_unregistering() {
	guest -t 60 "$1" 'mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
		cd /sys/kernel/tracing && echo "p:cmm/unregister xenbus_unregister_driver" >>kprobe_events &&
			echo 1 >events/cmm/unregister/enable'
}
# check_unregistered NAME TIMES: the debug kernel has no probes.
check_unregistered() {
	if guest -t 20 "$1" test -e /sys/kernel/tracing/kprobe_events; then
		check "in xenbus's thread" unregistered_in_xenwatch "$1" "$2"
	else
		skip "in xenbus's thread" "this kernel cannot write down where that is"
	fi
}
# unregistered_in_xenwatch NAME TIMES: and nowhere else.
unregistered_in_xenwatch() {
	guest -t 60 "$1" cat /sys/kernel/tracing/trace | awk -v times="$2" '
		/ unregister: / { print; n++; here += $1 ~ /^xenwatch-/ }
		END { exit n != times || here != times }'
}
unloads_at_last() {
	guest -t 60 "$1" '(rmmod xen_cmmfront; echo $? >/run/unloaded) >/dev/null 2>&1 &'
	sleep 3
	guest -t 60 "$1" 'cat /run/unloaded; dmesg | grep "waits to be unregistered"; killall watches'
	eventually 10 equals 0 guest "$1" cat /run/unloaded
}

# waits_for_a_paused_donor NAME DONOR: it asks for more, for up to a minute.
waits_for_a_paused_donor() {
	driver donor_timeout_ms 60000
	driver ask_ready 0
	front "$1" deadline_us 60000000
	xl pause "$2"
	guest -t 20 "$1" '(echo 8192 >/sys/bus/xen/devices/cmm-0/request_kb; echo $? >/run/asked) >/dev/null 2>&1 &'
	eventually 5 equals 1 ledger "$(xl domid "$1")" waiting
}
# answers_soon NAME: xenbus's thread in it does.
answers_soon() {
	guest "$1" 'dmesg -c >/dev/null'
	xl sysrq "$1" h && eventually 2 guest "$1" 'dmesg | grep -q "sysrq: HELP"'
}

plan 89
all_memory=$(total)
alice_size=$(size_of alice)
bob_size=$(size_of bob)
check "attach before any module" cmm-attach --all
check "a front-end before the back-end: loading it waits for nobody" loads_within 5 alice
check "it is unloaded" unload_front alice
check "the back-end first" load_back
check "a knob says that the front-end is missing" \
	fails_with 'Transport endpoint is not connected' back alice borrowed_kb
check "a PV front-end after it" load_front alice
check "it connects" connected alice
check "a PVH front-end after it" load_front bob
check "it connects" connected bob
check "memory moves" transfers

check "a front-end is unloaded" unload_front alice
check "the other stays connected" connected bob
left="/local/domain/$(xl domid alice)/data/cmm-balance"
check "what it leaves becomes nonsense" xenstore-write -- "$left" -9223372036854775808
check "and is loaded again" load_front alice
check "it connects" connected alice
check "it does not believe the nonsense" balance_is alice 0 0
check "memory moves" transfers

check "the back-end is unloaded" rmmod xen_cmmback
check "the domains go on" guest alice true
check "without it a request fails" fails_with 'No such device' front alice request_kb 4096
check "the back-end is loaded again, after the front-ends" load_back
check "PV connects by itself" connected alice
check "PVH connects by itself" connected bob
check "memory moves" transfers

back bob weight 7
check "alice borrows" borrow
check "the back-end is unloaded meanwhile" rmmod xen_cmmback
check "and loaded again" load_back
check "alice connects" connected alice
check "bob connects" connected bob
check "what alice borrowed is known" eventually 5 equals $AMOUNT back alice borrowed_kb
check "what bob lent is known" eventually 5 equals $AMOUNT back bob lent_kb
check "his weight is known" equals 7 back bob weight
check "the settings are known" equals 20000 driver donor_timeout_ms
check "no page is lost" conserved
check "a borrower's front-end is unloaded" unload_front alice
check "the lender has its memory again" eventually 15 size_is bob "$bob_size"
check "the borrower is as large as before" eventually 15 size_is alice "$alice_size"
check "no page is lost" conserved
load_front alice
check "it comes back" connected alice

check "alice borrows again" borrow
check "the back-end is unloaded" rmmod xen_cmmback
check "and her front-end, with nobody to settle with" unload_front alice
check "what she borrowed goes back to Xen" eventually 20 size_is alice "$alice_size"
load_back
load_front alice
connected alice
connected bob
check "nobody owes anything" eventually 15 owed_nothing
check "the lender has its memory again" eventually 15 size_is bob "$bob_size"
check "no page is lost" conserved

trace_unregistering alice
check "her programs set all watches that she may" watches alice
check "her front-end is unloaded all the same" unload_front alice
check_unregistered alice 1
check "what it had is enough for it to be loaded again" load_front alice
check "it connects" connected alice
guest alice killall watches
check "her programs take each watch that is left" watches alice on
check "her front-end is unloaded, when they have ended if not before" unloads_at_last alice
check_unregistered alice 2
check "it is loaded again" load_front alice
check "it connects" connected alice

check "alice borrows" borrow
check "and waits for more" waits_for_a_paused_donor alice bob
# Her own root does that, or a toolstack that has waited for long enough.
xenstore-rm "/local/domain/$(xl domid alice)/device/cmm/0"
check "when her device is gone, other devices need not wait for an answer" answers_soon alice
check "nor does who has asked" eventually 2 guest alice 'test -s /run/asked'
xl unpause bob
driver ask_ready 1
cmm-attach --detach alice >/dev/null
cmm-attach alice >/dev/null
check "with another device she connects" connected alice 20
check "what she borrowed her lender has again" eventually 20 size_is bob "$bob_size"
check "she is as large as before" eventually 15 size_is alice "$alice_size"
check "no page is lost" conserved

cmm-attach --watch >/tmp/watch 2>&1 &
watch=$!
check "a domain that appears" xl create -q /etc/xen/carol.cfg
check "loads its front-end" load_front carol
check "is attached by --watch and connects" connected carol 20

check "with interrupts in threads she reads ahead" reads_ahead carol
check "and gives that back" eventually 10 equals 0 front carol ahead_kb

check "detach" cmm-attach --detach carol
check "it is gone" vanished "$(xl domid carol)"
check "attach again" cmm-attach carol
check "it connects again" connected carol 20
check "removed at once, it does not come back" removed carol
check "attach again" cmm-attach carol
check "it connects again" connected carol 20

# Her domain gets a hundredth of a CPU and wants all of it, and nobody else may give: so he waits
# for his memory.
# shellcheck disable=SC2016 # for the DomU's shell
busy() { guest "$1" '(timeout 20 sh -c "while :; do :; done" >/dev/null 2>&1 &)'; }
check "a lender whose borrower" borrow
check "has next to no CPU" xl sched-credit -d alice -c 1
busy alice
floor=$(back carol floor_kb)
back carol floor_kb "$(size_of carol)"
sleep 1
front bob deadline_us 20000000
# She may be given her hundredth just then: he has his memory at once, and it is tried again.
tries=5
while
	cmm-attach --detach bob >/tmp/detach 2>&1 &
	detaching=$!
	sleep 0.2
	tries=$((tries - 1))
	! lends_still bob 2>/dev/null && [ $tries -gt 0 ]
do
	wait "$detaching"
	cmm-attach bob && connected bob 20 && borrow && busy alice
	sleep 1
	front bob deadline_us 20000000
done >/dev/null
check "while he waits for his memory, others' devices need not wait" answers_while_lending bob
xl sched-credit -d alice -c 0
back carol floor_kb "$floor"
wait "$detaching"
check "then it is gone" vanished "$(xl domid bob)"
check "and he has his memory again" eventually 5 size_is bob "$bob_size"
check "attach again" cmm-attach bob
check "it connects again" connected bob 20
check "the borrower is as large as before" eventually 5 size_is alice "$alice_size"

borrow
dead=$(xl domid alice)
# Its directory is a domain's own.
check "a borrower takes its state away" xenstore-rm "/local/domain/$dead/device/cmm/0/state"
check "a borrower is destroyed" xl destroy alice
check "its lender is made whole" eventually 20 size_is bob "$bob_size"
check "nothing is left of it" eventually 20 vanished "$dead"
check "the others stay connected" connected carol
kill $watch
finish
