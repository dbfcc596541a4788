#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The smallest split driver: a question comes through a shared page, and its answer
# goes back, in PV and in PVH domains; either half may go and come again.

. ../lib/ktap.sh
. ../lib/cmm.sh

QUESTION='is there anybody?'
ANSWER='IS THERE ANYBODY?'

front_node() { echo "/local/domain/$(xl domid "$1")/device/hello/0"; }
back_node() { echo "/local/domain/0/backend/hello/$(xl domid "$1")/0"; }

# attach NAME: what the toolstack does for a device that it knows. The directories
# come first, so that the nodes inherit their permissions.
attach() {
	id=$(xl domid "$1")
	front=$(front_node "$1")
	back=$(back_node "$1")
	xenstore-write "$front" '' && xenstore-chmod "$front" "n$id" r0 &&
		xenstore-write "$back" '' && xenstore-chmod "$back" n0 "r$id" &&
		xenstore-write \
			"$front/backend" "$back" "$front/backend-id" 0 "$front/state" 1 \
			"$back/frontend" "$front" "$back/frontend-id" "$id" \
			"$back/online" 1 "$back/state" 1
}

detach() { xenstore-write "$(back_node "$1")/online" 0 "$(back_node "$1")/state" 5; }

load_back() { insmod /modules/xen-hello-back.ko; }
load_front() { guest -t 60 "$1" insmod /modules/xen-hello-front.ko; }
unload_front() { guest -t 60 "$1" rmmod xen_hello_front; }

states() { echo "$(xenstore-read "$(front_node "$1")/state") $(xenstore-read "$(back_node "$1")/state")"; }
answer() { guest -t 60 "$1" cat /sys/bus/xen/devices/hello-0/answer; }
heard() { cat "/sys/bus/xen-backend/devices/hello-$(xl domid "$1")-0/heard"; }
refused() { xenstore-read "/local/domain/0/error/backend/hello/$(xl domid "$1")/0/error"; }

# talks NAME WHEN
talks() {
	check "$1, $2: both halves connect" eventually 10 equals '4 4' states "$1"
	check "$1, $2: the back-end hears the question" eventually 5 equals "$QUESTION" heard "$1"
	check "$1, $2: the front-end has the answer" eventually 5 equals "$ANSWER" answer "$1"
}

plan 48
check "the back-end is loaded" load_back
for name in alice bob; do
	check "$name: a device" attach $name
	check "$name: the front-end is loaded" load_front $name
	talks $name "at first"
done

for name in alice bob; do
	check "$name: the front-end is unloaded" unload_front $name
	check "$name: the back-end waits for another" eventually 5 equals '6 2' states $name
	check "$name: and has no more to show" fails_with 'not connected' heard $name
	check "$name: the front-end is loaded again" load_front $name
	talks $name "again"
done

check "the back-end is unloaded" rmmod xen_hello_back
for name in alice bob; do
	check "$name: the front-end closes" eventually 5 equals '6 6' states $name
	check "$name: and has no more to show" fails_with 'not connected' answer $name
done
check "the back-end is loaded again" load_back
for name in alice bob; do
	talks $name "with another back-end"
done

# What it said in its last life: neither the page nor the channel is there any more.
unload_front alice
eventually 5 equals '6 2' states alice
xenstore-write "$(front_node alice)/state" 3
check "alice: what is no more is not connected to" eventually 5 equals '3 5' states alice
check "alice: the administrator is told" eventually 5 refused alice
xenstore-write "$(front_node alice)/state" 6
check "alice: the back-end waits for another" eventually 5 equals '6 2' states alice
check "alice: the front-end is loaded" load_front alice
talks alice "at last"

check "bob: the device is taken away" detach bob
gone() { [ ! -e "/sys/bus/xen-backend/devices/hello-$(xl domid "$1")-0" ]; }
check "bob: the back-end lets it go" eventually 5 gone bob
check "the back-end is unloaded" rmmod xen_hello_back
check "the front-ends are unloaded" sh -c 'guest -t 60 alice rmmod xen_hello_front && guest -t 60 bob rmmod xen_hello_front'
finish
