#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Modules come and go in any order, domains too, and what is owed survives.

. ../lib/ktap.sh
. ../lib/cmm.sh

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

plan 71
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
