#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Crate `xen` is used, in safe code, as it should not be: nobody gets at freed memory, no kernel
# panics, and nothing is left.

. ../lib/ktap.sh
. ../lib/cmm.sh

# How many verdicts cmm-misuse gives.
EACH=5

# attach NAME: a device, without another half.
attach() {
	id=$(xl domid "$1")
	front=/local/domain/$id/device/misuse/0
	back=/local/domain/0/backend/misuse/$id/0
	xenstore-write "$front" '' && xenstore-chmod "$front" "n$id" r0 &&
		xenstore-write "$back" '' && xenstore-chmod "$back" n0 "r$id" &&
		xenstore-write "$front/backend" "$back" "$front/backend-id" 0 "$front/state" 1 \
			"$back/frontend" "$front" "$back/frontend-id" "$id" "$back/online" 1 "$back/state" 1
}

# said NAME: its verdicts since the log was last cleared, as TAP, in /tmp/verdicts.
said() { guest -t 60 "$1" dmesg | sed -n 's/^.*cmm_misuse: \(ok\|bad\) /\1 /p' >/tmp/verdicts; }
verdicts() {
	said "$1"
	while read -r word what; do
		case $word in
		ok) ok "$1: $what" ;;
		*) not_ok "$1: $what" ;;
		esac
	done </tmp/verdicts
}
# Its loader is killed while it waits for that.
load_killed() {
	guest -t 60 "$1" 'dmesg -c >/dev/null; timeout -s KILL 2 insmod /modules/cmm-misuse.ko killed=1; [ $? -ne 0 ]'
}
nothing_is_left() { guest -t 60 "$1" '! grep misuse /proc/interrupts && ! dmesg | grep -E "WARNING|BUG"'; }

plan $((2 * (EACH + 7)))
for name in alice bob; do
	check "$name: a device" attach $name
	check "$name: cmm-misuse.ko" guest -t 120 $name insmod /modules/cmm-misuse.ko
	verdicts $name
	check "$name: it is unloaded" guest -t 60 $name rmmod cmm_misuse
	check "$name: its loader is killed" load_killed $name
	verdicts $name
	check "$name: nothing is left" nothing_is_left $name
	check "$name: it is unloaded again" guest -t 60 $name rmmod cmm_misuse
done
finish
