#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Either module is unloaded at random moments, while devices are taken away and given,
# and domains are destroyed and saved. Nothing may hang: not the unloading, and not
# xenbus's thread, in Dom0 or in a DomU. `make unload SEED=n SHORT=n ROUNDS=n` does it for longer.

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/ledger.sh
. ../lib/faults.sh
. ../lib/random.sh

SEED=${SEED:-1} ROUNDS=${ROUNDS:-4} SHORT=${SHORT:-20}
seed=$SEED
ALL=$(awk '!/^#/ && NF { printf "%s ", $1 }' domains)

back_dir() { echo "/local/domain/0/backend/cmm/$(xl domid "$1")"; }
front_dir() { echo "/local/domain/$(xl domid "$1")/device/cmm/0"; }

# Devices whose front-ends are nodes only, so that many go at once: the more there are, the
# likelier one is met half-way.
SPARES="1 2 3 4 5 6 7 8"
spare_dir() { echo "/local/domain/$(xl domid alice)/spare"; }
spares_come() {
	back=$(back_dir alice) front=$(spare_dir)
	set --
	for spare in $SPARES; do
		set -- "$@" "$front/$spare/state" 1 "$back/$spare/frontend" "$front/$spare" \
			"$back/$spare/frontend-id" "$(xl domid alice)" "$back/$spare/online" 1 "$back/$spare/state" 1
	done
	xenstore-write "$@"
	eventually 10 spares_in 2
}
spares_in() {
	for spare in $SPARES; do
		equals "$1" xenstore-read "$(back_dir alice)/$spare/state" || return 1
	done
}
spares_go() {
	set --
	for spare in $SPARES; do
		set -- "$@" "$back/$spare/online" 0 "$front/$spare/state" 6
	done
	xenstore-write "$@"
}

# What happens beside it, to the domains named. Most often to all.
closing() {
	for name in "$@"; do
		set -- "$@" "$(back_dir "$name")/0/online" 0 "$(back_dir "$name")/0/state" 5
		shift
	done
	xenstore-write "$@"
}
vanishing() {
	for name in "$@"; do
		set -- "$@" "$(back_dir "$name")" "$(front_dir "$name")"
		shift
	done
	xenstore-rm "$@"
}
coming() {
	for name in "$@"; do
		cmm-attach "$name"
	done
}
# All ask at once, so that those who wait for a CPU are paused and unpaused for it. Who asks a
# module that is gone is told so.
asking() {
	for name in "$@"; do
		# shellcheck disable=SC2016 # for the DomU's shell
		guest -t 60 "$name" 'cd /sys/bus/xen/devices/cmm-0 && i=0 &&
			while [ $i -lt 50 ] && echo 64 >request_kb; do i=$((i + 1)); done; true' &
	done
	wait
}
none_paused() { xl list | awk 'NR > 1 && $5 ~ /p/ { print "paused: " $1; paused = 1 } END { exit paused }'; }
destroyed_first() { destroyed "$1"; }
saved_first() { saved "$1"; }
saved_last() { saved "$2"; }

# unload_back DELAY: in microseconds.
unload_back() {
	usleep "$1"
	rmmod xen_cmmback &
	unloading=$!
}
back_unloaded() { [ ! -d /sys/module/xen_cmmback ] && ! kill -0 "$unloading" 2>/dev/null; }

# unload_fronts DELAY: all of them, each by itself.
unload_fronts() {
	for name in $ALL; do
		guest -t 60 "$name" "(usleep $1; exec rmmod xen_cmmfront) >/dev/null 2>&1 &"
	done
}
front_unloaded() { guest -t 20 "$1" '[ ! -d /sys/module/xen_cmmfront ] && ! pidof rmmod'; }
fronts_unloaded() {
	for name in $ALL; do
		! exists "$name" || eventually 20 front_unloaded "$name" || return 1
	done
}

# Where those are who wait for each other.
stuck() {
	for task in rmmod xenwatch; do
		for pid in $(pidof $task); do
			echo "$task:"
			cat "/proc/$pid/stack"
		done
	done
}
# shellcheck disable=SC2016 # for the DomU's shell
stuck_anywhere() {
	note "Dom0: $(stuck)"
	for name in $ALL; do
		note "$name: $(guest -t 20 "$name" 'for pid in $(pidof rmmod xenwatch); do cat /proc/$pid/comm /proc/$pid/stack; done')"
	done
}

# whole NAME: it is there, with the module, and a fresh device that connects.
whole() {
	exists "$1" || revive "$1" || return 1
	! xenstore-exists "$(back_dir "$1")" || cmm-attach --detach "$1" || return 1
	guest -t 60 "$1" '[ -d /sys/module/xen_cmmfront ] || insmod /modules/xen-cmmfront.ko' || return 1
	cmm-attach "$1" && connected "$1" 20
}

all_whole() {
	[ -d /sys/module/xen_cmmback ] || insmod /modules/xen-cmmback.ko || return 1
	for name in $ALL; do
		whole "$name" || return 1
	done
}

# One thing happens, and one module is unloaded in the middle of it.
round() {
	pick closing closing closing vanishing vanishing coming asking asking destroyed_first saved_first saved_last
	what=$picked
	pick unload_back unload_back unload_fronts
	unload=$picked
	case $what in
	saved_*) random 3000000 ;;
	*) random 60000 ;;
	esac
	delay=$value
	note "round $1: $what, $unload after $delay us"

	if [ "$what" = coming ]; then
		for name in $ALL; do
			cmm-attach --detach "$name" || return 1
		done
	fi >/dev/null
	# A DomU begins to count when it is told to.
	[ "$unload" = unload_back ] || unload_fronts "$delay"
	# shellcheck disable=SC2086
	$what $ALL >/dev/null &
	happening=$!
	[ "$unload" != unload_back ] || unload_back "$delay"
	wait "$happening" || return 1
	case $unload in
	unload_back) eventually 20 back_unloaded ;;
	unload_fronts) fronts_unloaded ;;
	esac || return 1
	none_paused && all_whole >/dev/null
}

# As round, in Dom0 alone, and therefore soon over.
short_round() {
	random 60000
	if spares_come; then
		spares_go &
		happening=$!
		unload_back "$value"
		wait "$happening"
	fi
	eventually 20 back_unloaded || { note "short round $1: after $value us"; return 1; }
	xenstore-rm "$front" && for spare in $SPARES; do xenstore-rm "$back/$spare"; done &&
		insmod /modules/xen-cmmback.ko
}

asked_and_unloaded() {
	for delay in 20000 60000 120000; do
		# shellcheck disable=SC2086
		asking $ALL >/dev/null 2>&1 &
		happening=$!
		unload_back "$delay"
		wait "$happening"
		eventually 20 back_unloaded && none_paused && all_whole >/dev/null || return 1
	done
}

# rounds KIND COUNT
rounds() {
	while [ $round -lt "$2" ]; do
		round=$((round + 1))
		"$1" $round || return 1
	done
}

# many KIND COUNT WHAT: counts for itself, and shows where everybody is when that fails.
many() {
	round=0
	if rounds "$1" "$2"; then
		ok "$3, $2 times"
	else
		not_ok "$3, $2 times"
		note "round $round of $2: $cmm_said"
		stuck_anywhere
		finish
	fi
}

plan 9
note "seed $SEED, $SHORT short rounds and $ROUNDS others"
for name in $ALL; do
	keep_image "$name" >/dev/null
done
check "both domains are connected" all_whole
all_memory=$(total)
many short_round "$SHORT" "the back-end is unloaded while devices go"
check "both domains are connected" all_whole
check "asked for memory while it is unloaded, the back-end leaves nobody paused" asked_and_unloaded
check "both domains are connected" all_whole
many round "$ROUNDS" "either module is unloaded, whatever else happens"
check "xenbus's thread goes on in Dom0 and in the domains" all_whole
check "the books balance" balanced
check "no page is lost" within "$(total)" "$all_memory" 1024
finish
