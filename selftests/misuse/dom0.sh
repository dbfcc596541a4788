#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Crate `xen` is used, in safe code, as it should not be: nobody gets at freed memory, no kernel
# panics, and nothing is left.

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/faults.sh

# How many verdicts cmm-misuse gives.
EACH=5
# How often a domain is saved whose driver moves memory meanwhile.
SAVES=3

# attach NAME: a device, without another half. When the domain has seen it, it is probed by whoever loads the driver.
attach() {
	id=$(xl domid "$1")
	front=/local/domain/$id/device/misuse/0
	back=/local/domain/0/backend/misuse/$id/0
	xenstore-write "$front" '' && xenstore-chmod "$front" "n$id" r0 &&
		xenstore-write "$back" '' && xenstore-chmod "$back" n0 "r$id" &&
		xenstore-write "$front/backend" "$back" "$front/backend-id" 0 "$front/state" 1 \
			"$back/frontend" "$front" "$back/frontend-id" "$id" "$back/online" 1 "$back/state" 1 &&
		guest -t 60 "$1" 'until [ -e /sys/bus/xen/devices/misuse-0/nodename ]; do sleep 0.1; done'
}

detach() {
	front=/local/domain/$(xl domid "$1")/device/misuse/0
	xenstore-write "$front" '' && xenstore-rm "$front"
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
# Its thread does not freeze, and goes on until the bus finds that the restored domain lacks the device: it looks
# when that changes.
saved_meanwhile() {
	attach alice && sleep 1 && saved alice && eventually 20 found_gone
}
found_gone() {
	detach alice && sleep 0.1 && guest -t 60 alice '[ ! -e /sys/bus/xen/devices/misuse-0 ]'
}
# Two switch the device's state: what its driver takes for its state is what xenstore has. One of them runs only when
# nobody else wants to, and so has switched it long before it knows.
switched_by_two() {
	# shellcheck disable=SC2016 # for the DomU's shell
	guest -t 600 "$1" 'mkdir /mnt && mount -t cgroup2 none /mnt && echo +cpu >/mnt/cgroup.subtree_control &&
		mkdir /mnt/slow && echo 1 >/mnt/slow/cpu.idle || exit
		cd /sys/bus/xen/devices/misuse-0
		while :; do :; done & busy=$!
		for delay in $(seq 0 39); do
			echo InitWait >switched
			{ echo 0 >/mnt/slow/cgroup.procs; echo Initialised >switched; } & slow=$!
			usleep $((delay * 2000))
			echo Connected >switched
			wait $slow
			read -r known stored <switched
			echo "$known $stored"
			[ "$known" = "$stored" ] || break
		done
		kill $busy
		[ "$known" = "$stored" ]'
}
nothing_is_left() { guest -t 60 "$1" '! grep misuse /proc/interrupts && ! dmesg | grep -E "WARNING|BUG"'; }

plan $((2 * (EACH + 8) + 2 * SAVES + 1))
for name in alice bob; do
	check "$name: a device" attach $name
	check "$name: cmm-misuse.ko" guest -t 120 $name insmod /modules/cmm-misuse.ko
	verdicts $name
	check "$name: it is unloaded" guest -t 60 $name rmmod cmm_misuse
	check "$name: its loader is killed" load_killed $name
	verdicts $name
	check "$name: nothing is left" nothing_is_left $name
	check "$name: it is unloaded again" guest -t 60 $name rmmod cmm_misuse
	guest -t 120 $name insmod /modules/cmm-misuse.ko switches=1
	check "$name: a state that two switch at once is what it is taken for" switched_by_two $name
	guest -t 60 $name rmmod cmm_misuse
done
# In a PVH domain what moves has the same numbers afterwards.
eventually 20 found_gone
guest -t 120 alice 'dmesg -c >/dev/null; insmod /modules/cmm-misuse.ko moves=1'
for save in $(seq $SAVES); do
	check "alice: it is saved, $save of $SAVES times" saved_meanwhile
done
verdicts alice
check "alice: nothing is left" nothing_is_left alice
finish
