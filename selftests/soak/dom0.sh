#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Six domains ask for memory and give it back at random, while Dom0 does to them
# what can happen, at random too. In the end the books must balance, and sizes and
# caps be as before. `make soak SEED=n ROUNDS=n` does it for longer; on the exact
# clock (scripts/lab --clock exact) the same seed does the same again.

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/ledger.sh

SEED=1 ROUNDS=8
# shellcheck disable=SC1091
[ ! -e settings ] || . ./settings
seed=$SEED moved=0 refused=0

random() {
	seed=$(((seed * 1103515245 + 12345) & 0x7fffffff))
	value=$(((seed >> 8) % $1))
}

# pick WORD...: sets picked to one of them.
pick() {
	random $#
	shift "$value"
	picked=$1
}

pick_domain() {
	# shellcheck disable=SC2086
	pick $ALL
	name=$picked
}

start_worker() {
	random 1000000
	guest -t 60 "$1" "rm -f /run/stop /run/done; sh /scenario/worker.sh $value >/dev/null 2>&1 &"
}

# stop_worker NAME: adds up what it has done.
stop_worker() {
	guest -t 60 "$1" touch /run/stop &&
		eventually 120 guest -t 60 "$1" test -s /run/done || return 1
	# shellcheck disable=SC2046
	set -- $(guest -t 60 "$1" cat /run/done)
	moved=$((moved + $1)) refused=$((refused + $2))
}

# What can happen, the frequent first. Each is a function of a random domain.
paused() {
	xl pause "$1"
	random 20
	sleep $((value / 10)).$((value % 10))
	xl unpause "$1"
}
resized() {
	random 5
	xl mem-set "$1" $((MEMORY - 4 * value))
}
front_end_reloaded() { guest -t 120 "$1" 'rmmod xen_cmmfront; insmod /modules/xen-cmmfront.ko'; }
back_end_reloaded() { rmmod xen_cmmback && insmod /modules/xen-cmmback.ko; }
settings_changed() {
	pick reserve_kb credit_kb
	knob=$picked
	pick 0 1024 16384
	driver "$knob" "$picked"
	pick largest spread
	driver policy "$picked"
}
limits_changed() {
	pick 1 100 1000
	back "$1" weight "$picked"
	pick 0 65536 98304
	back "$1" floor_kb "$picked"
} 2>/dev/null
destroyed() {
	xl destroy "$1"
	xl create -q "/etc/xen/$1.cfg" && guest -t 120 "$1" insmod /modules/xen-cmmfront.ko &&
		cmm-attach "$1" >/dev/null && start_worker "$1"
}

round() {
	pick_domain
	pick paused paused paused resized resized settings_changed limits_changed \
		front_end_reloaded front_end_reloaded back_end_reloaded destroyed
	note "round $1: $name $picked"
	"$picked" "$name" || note "that failed"
	sleep 0.5
}

# come_to_rest: all that was changed is as it was.
come_to_rest() {
	driver reserve_kb 0 && driver credit_kb 0 && driver donor_timeout_ms 5000
	for name in $ALL; do
		xl mem-set "$name" "$MEMORY"
		connected "$name" 20 || return 1
	done
}

ids() {
	for name in $ALL; do
		xl domid "$name"
	done
}

ALL=$(awk '!/^#/ && NF { printf "%s ", $1 }' domains)
MEMORY=$(awk '!/^#/ && NF { print $3; exit }' domains)
plan 7
note "seed $SEED, $ROUNDS rounds"
all_memory=$(total)
# shellcheck disable=SC2046
books_before=$(books $(ids))
for name in $ALL; do
	start_worker "$name"
done
round=0
while [ $round -lt "$ROUNDS" ]; do
	round=$((round + 1))
	round $round
	balanced >/dev/null || {
		note "out of balance after round $round:"
		note "$(cat $LEDGER)"
		break
	}
done
check "the books balance after each round" test $round -eq "$ROUNDS" -a -n "$(balanced)"
check "all come to rest, connected" come_to_rest
failed=
for name in $ALL; do
	stop_worker "$name" >/dev/null || failed="$failed $name"
done
check "every request is answered" equals '' echo "$failed"
check "many transfers: $moved, and $refused refused" test "$moved" -gt $((ROUNDS * 5))
# shellcheck disable=SC2046
check "sizes, caps and books are as before" eventually 20 books_are "$books_before" $(ids)
# shellcheck disable=SC2046
check "the caps are right" caps_right $(ids)
check "no page is lost" within "$(total)" "$all_memory" 1024
finish
