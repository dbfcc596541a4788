#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Six domains ask for memory and give it back at random, while Dom0 does to them
# what can happen, at random too, and a seventh does what it can to hurt, one way or
# two at once. In the end the books must balance, and sizes and caps be as before.
# `make soak SEED=n ROUNDS=n` does it for longer, on the exact clock, where the same
# seed does the same again.

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/ledger.sh
. ../lib/faults.sh
. ../lib/random.sh
. ../lib/crimes.sh

SEED=${SEED:-1} ROUNDS=${ROUNDS:-5}
seed=$SEED moved=0 refused=0

start_mover() {
	random 1000000
	guest -t 60 "$1" "rm -f /run/stop /run/moved; /scenario/mover random $((value + 1)) >/run/said 2>&1 &"
}

# More of what can happen; the rest is in faults.sh.
paused() {
	xl pause "$1"
	random 20
	sleep $((value / 10)).$((value % 10))
}
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
}
replaced() {
	destroyed "$1"
	mend "$1" && start_mover "$1"
}

# All that mallory survives.
CRIMES='index-jumps index-returns consumer-returns consumer-runs same-id-twice nine-requests
	reason-unknown stats-with-id stats-absurd drew-uncredited release-all took-excess took-twice
	offered-for-grant offered-excess offered-unfreed offered-twice took-for-reclaim never-takes greedy
	flood-requests flood-stats flood-events flood-both flood-singles flood-xenstore never-reads
	change-messages scribble grant-anew grant-read-only grant-to-another channel-of-xenstore claims-loan'

# commit_crimes: two at once, or one twice, on a fresh device. Nobody cares whether that connects.
commit_crimes() {
	# shellcheck disable=SC2086
	pick $CRIMES
	crime=$picked
	# shellcheck disable=SC2086
	pick $CRIMES
	begin "$crime+$picked" >/dev/null 2>&1 || :
	note "mallory: $crime, $picked"
	# The answers to a question are crimes only if Dom0 asks.
	back mallory take_kb 1024 2>/dev/null || :
}

round() {
	commit_crimes
	# shellcheck disable=SC2086
	pick $ALL
	name=$picked
	pick paused paused paused resized resized settings_changed limits_changed \
		unloaded unloaded corrupted back_end_reloaded saved replaced
	note "round $1: $name $picked"
	"$picked" "$name" && sleep 0.3 && mend "$name" && balanced >/dev/null
}

rounds() {
	while [ $round -lt "$ROUNDS" ]; do
		round=$((round + 1))
		round $round || return 1
	done
}

# pardoned NAME: a lender that was forgiven may have less until the toolstack says again what it wants.
pardoned() {
	pardoned=$(ledger "$(xl domid "$1")" forgiven)
	[ "$pardoned" -eq 0 ] || { note "$1 was forgiven $pardoned KiB" && xl mem-set "$1" "$(memory_of "$1")"; }
}

# come_to_rest: all that was changed is as it was.
come_to_rest() {
	driver reserve_kb 0 && driver credit_kb 0 && driver donor_timeout_ms 5000
	for name in $ALL; do
		mend "$name" && back "$name" floor_kb 0 && back "$name" weight 100 && pardoned "$name" || return 1
	done
}

# stop_mover NAME: adds up what it has done.
stop_mover() {
	guest -t 60 "$1" touch /run/stop &&
		eventually 60 guest -t 60 "$1" test -s /run/moved || return 1
	# shellcheck disable=SC2046
	set -- $(guest -t 60 "$1" cat /run/moved)
	moved=$((moved + $1)) refused=$((refused + $2))
}

ids() {
	for name in $ALL; do
		xl domid "$name"
	done
}

all_there() {
	keep_image pva && keep_image pvha || return 1
	for name in $ALL; do
		mend "$name" || return 1
	done
}

mallory_comes() { revive mallory && meet_mallory; }

# balloons: what the stock balloon driver of each domain makes of it, in KiB, and our front-end.
balloons() {
	for name in $ALL; do
		# shellcheck disable=SC2046
		set -- $(guest -t 60 "$name" 'cd /sys/devices/system/xen_memory/xen_memory0
			cat target_kb info/current_kb info/low_kb schedule_delay
			cd /sys/bus/xen/devices/cmm-0 && cat borrowed_kb lent_kb')
		note "$name: target $1, current $2, ballooned $3, tries again every $4 s; borrowed $5, lent $6"
	done
}

# agrees NAME: the domain and Dom0 say the same of its balance.
agrees() {
	agreed=$(back "$1" borrowed_kb)/$(back "$1" lent_kb)
	# shellcheck disable=SC2016 # for the DomU's shell
	equals "$agreed" guest -t 60 "$1" 'cd /sys/bus/xen/devices/cmm-0; echo "$(cat borrowed_kb)/$(cat lent_kb)"'
}
all_agree() {
	for name in $ALL; do
		agrees "$name" || return 1
	done
}

# Honest domains, all of them, whatever befell their connections.
disbelieved() { dmesg | grep -v "domain $mallory claims" | grep -c 'claims a balance'; }

ALL=$(awk '!/^#/ && NF && $1 != "mallory" { printf "%s ", $1 }' domains)
plan 12
note "seed $SEED, $ROUNDS rounds"
check "six domains are there" all_there
all_memory=$(total)
# shellcheck disable=SC2046
books_before=$(books $(ids))
check "a seventh comes, to hurt" mallory_comes
for name in $ALL; do
	start_mover "$name"
done
round=0
rounds
check "round $round of $ROUNDS: mended, and the books balance" test $round -eq "$ROUNDS"
check "who came to hurt is destroyed" destroyed mallory
check "all come to rest, connected" come_to_rest
failed=
for name in $ALL; do
	stop_mover "$name" >/dev/null || failed="$failed $name"
done
check "every request is answered" equals '' echo "$failed"
check "many transfers: $moved, and $refused refused" test "$moved" -gt $((ROUNDS * 100))
check "every domain's claims are believed" equals 0 disbelieved
check "each domain and Dom0 agree on its balance" eventually 10 all_agree
# shellcheck disable=SC2046
check "sizes, caps and books are as before" eventually 20 books_are "$books_before" $(ids)
# shellcheck disable=SC2046
check "the caps are right" caps_right $(ids)
check "no page is lost" within "$(total)" "$all_memory" 1024
[ "$KTAP_FAILED" -eq 0 ] || balloons
finish
