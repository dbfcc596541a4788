#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Nonsense from every side: knobs, cmm-attach, xenstore, the ring. Each gets a
# clear answer, and nobody else notices.

. ../lib/ktap.sh
. ../lib/cmm.sh

id=$(xl domid mallory)
front_dir=/local/domain/$id/device/cmm/0
back_dir=/local/domain/0/backend/cmm/$id/0

back_state() { xenstore-read "$back_dir/state"; }

# others_work: does the rest notice nothing?
others_work() {
	front alice request_kb 4096 && front alice release_kb 4096
}

# fresh_device: a device of mallory's nobody has taken up.
fresh_device() {
	guest mallory 'killall badfront; rm -f /run/go' >/dev/null 2>&1
	xenstore-write "$front_dir/state" 6
	cmm-attach --detach mallory >/dev/null
	cmm-attach mallory >/dev/null
	eventually 10 equals 2 back_state
}

# publish NODE VALUE...: the front-end's nodes; a value "-" leaves the node out.
publish() {
	while [ $# -gt 0 ]; do
		[ "$2" = - ] || xenstore-write -- "$front_dir/$1" "$2"
		shift 2
	done
	xenstore-write "$front_dir/state" 3
}

# said TEXT: has Dom0's kernel said that of mallory since the mark?
said() {
	dmesg | sed '1,/lab-mark-'"$mark"'$/d' | grep -F "domain $id" | grep -qF "$1" || {
		dmesg | sed '1,/lab-mark-'"$mark"'$/d'
		return 1
	}
}

mark=0
new_mark() {
	mark=$((mark + 1))
	echo "lab-mark-$mark" >/dev/kmsg
}

sent_away() { case $(back_state) in 5 | 6) ;; *) return 1 ;; esac }

# bad_nodes WHAT RING-REF EVENT-CHANNEL VERSIONS TEXT [NODE VALUE]
bad_nodes() {
	new_mark
	fresh_device
	publish ring-ref "$2" event-channel "$3" versions "$4" "${6:-balance}" "${7:--}"
	check "xenstore: $1: refused" eventually 5 sent_away
	check "xenstore: $1: told" eventually 2 said "$5"
}

# crime NAME
crime() {
	new_mark
	fresh_device
	guest mallory "/scenario/badfront $1 >/run/badfront 2>&1 &"
	eventually 5 guest mallory 'test -s /run/badfront' >/dev/null
	# shellcheck disable=SC2046
	set -- "$1" $(guest mallory 'cat /run/badfront')
	publish ring-ref "$2" event-channel "$3" versions 1
	check "ring: $1: connects first" eventually 5 equals 4 back_state
	guest mallory 'touch /run/go'
	check "ring: $1: sent away" eventually 5 sent_away
	check "ring: $1: told, with its name" eventually 2 said "disconnected"
	check "ring: $1: others do not notice" others_work
}

plan 159
check "bob can spare what is asked for" eventually 15 has_spare bob 32768
all_memory=$(total)

INVALID='Invalid argument'
for knob in request_kb release_kb; do
	for value in '' text -1 0 1.5 '1 2' 9223372036854775808 18446744073709551615 99999999999999999999; do
		check "$knob: '$value'" fails_with "$INVALID" front alice $knob "$value"
	done
done
for value in '' text -1 1.5 99999999999; do
	check "deadline_us: '$value'" fails_with "$INVALID" front alice deadline_us "$value"
done
for value in '' text -1 65537 18446744073709551616; do
	check "fetch_ahead_kb: '$value'" fails_with "$INVALID" front alice fetch_ahead_kb "$value"
done
check "more than the ceiling" fails_with 'quota exceeded' front alice request_kb 1048576
check "more than exists" fails_with 'quota exceeded' front alice request_kb 68719476
check "release what was never borrowed" fails_with "$INVALID" front mallory release_kb 1048576
for knob in floor_kb ceiling_kb weight give_kb take_kb; do
	for value in '' text -1 18446744073709551616; do
		check "Dom0's $knob: '$value'" fails_with "$INVALID" back alice $knob "$value"
	done
done
check "a floor above the ceiling" fails_with "$INVALID" back alice floor_kb 10485760
for knob in reserve_kb donor_timeout_ms policy ask_ready boost; do
	check "the driver's $knob: nonsense" fails_with "$INVALID" driver $knob nonsense
done

two_writers() {
	front alice request_kb 8192 &
	first=$!
	front alice request_kb 4096 && wait "$first" && equals 12288 front alice borrowed_kb
}
check "two writers at once" two_writers
check "and back" front alice release_kb 12288

interrupted() {
	driver donor_timeout_ms 20000
	driver ask_ready 0
	front alice deadline_us 30000000
	xl pause bob
	back mallory floor_kb 131072
	guest -t 20 alice 'timeout -s TERM 1 sh -c "echo 8192 >/sys/bus/xen/devices/cmm-0/request_kb"'
	status=$?
	xl unpause bob
	# Its shell dies of it.
	equals $((128 + 15)) echo "$status" && eventually 10 equals 0 front alice borrowed_kb
}
# given_up: are all requests ended by signals, and is another refused for its deadline, and not for them?
given_up() {
	# shellcheck disable=SC2016 # for the DomU's shell
	guest -t 30 alice 'cd /sys/bus/xen/devices/cmm-0
		n=0
		while [ $n -lt 8 ]; do
			timeout -s TERM 1 sh -c "echo 1024 >request_kb" &
			n=$((n + 1))
		done
		wait
		echo 1000000 >deadline_us
		echo 1024 >request_kb'
}
check "a signal during a write" interrupted
xl pause bob
check "eight requests that nobody waits for any more are in nobody's way" fails_with 'timed out' given_up
xl unpause bob
check "nothing is lost by it" eventually 10 within "$(total)" "$all_memory" 1024

check "cmm-attach: no such domain" fails_with "no domain called 'nobody'" cmm-attach nobody
check "cmm-attach: no such id" fails_with 'no domain 4711' cmm-attach 4711
check "cmm-attach: twice" cmm-attach alice
check "cmm-attach: Dom0" fails_with 'Dom0' cmm-attach 0
check "cmm-attach: Dom0 by name" fails_with 'Dom0' cmm-attach Domain-0
# What a domain that is gone has left.
leftover() { xenstore-write /local/domain/0/backend/cmm/4711/0/state 6; }
no_leftover() { ! xenstore-exists /local/domain/0/backend/cmm/4711; }
check "cmm-attach: of a domain that is gone" leftover
check "cmm-attach: it is detached" cmm-attach --detach 4711
check "cmm-attach: nothing is left" no_leftover
leftover
check "cmm-attach: --all removes it, too" cmm-attach --all
check "cmm-attach: nothing is left of that" no_leftover
check "the front-end in Dom0" fails_with '' insmod /modules/xen-cmmfront.ko
check "it says why" sh -c 'dmesg | grep -q "cmmfront: not loaded: this is Dom0"'
check "the back-end in a DomU" fails_with '' guest mallory insmod /modules/xen-cmmback.ko
check "it says why" guest mallory 'dmesg | grep -q "cmmback: not loaded: this is a DomU"'

guest mallory 'rmmod xen_cmmfront; insmod /modules/xen-evtchn.ko; insmod /modules/xen-gntalloc.ko'
bad_nodes "no ring-ref" - 5 1 'ring-ref is missing'
bad_nodes "ring-ref is text" text 5 1 'ring-ref is nonsense'
bad_nodes "ring-ref is negative" -1 5 1 'ring-ref is nonsense'
bad_nodes "ring-ref of nothing" 4000000000 5 1 'cannot map'
bad_nodes "no event-channel" 8 - 1 'event-channel is missing'
bad_nodes "event-channel is text" 8 text 1 'event-channel is nonsense'
bad_nodes "no versions" 8 5 - 'versions is missing'
bad_nodes "versions is text" 8 5 'one two' 'versions is nonsense'
bad_nodes "a version from the future" 8 5 '2 3' 'does not speak version'
bad_nodes "balance is text" 8 5 1 'balance is nonsense' balance text
bad_nodes "feature-credit is text" 8 5 1 'feature-credit is nonsense' feature-credit text

# What Dom0 itself may write is said and ignored.
target=/local/domain/$id/memory/target
wanted=$(xenstore-read "$target")
new_mark
xenstore-write "$target" text
check "xenstore: memory/target is text: told" eventually 5 said 'its memory/target is nonsense, and ignored'
xenstore-write "$target" "$wanted"
new_mark
fresh_device
rmmod xen_cmmback
xenstore-write "$back_dir/record" '1 2 3'
insmod /modules/xen-cmmback.ko
check "xenstore: its record is nonsense: told" eventually 5 said 'its record is nonsense, and ignored'
check "xenstore: and it is served" eventually 5 equals 2 back_state
check "xenstore: others do not notice" eventually 10 others_work

for name in index-ahead index-behind consumer-ahead unknown-kind kind-zero padding no-pages \
	absurd-pages all-pages id-zero foreign-id offered-unasked took-unasked release-unfreed; do
	crime $name
done
finish
