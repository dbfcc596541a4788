#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What an administrator, a toolstack and a guest's own root do in an ordinary day, while memory is
# borrowed and lent: nothing is wedged, nobody dies, and the toolstack's word holds.

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/ledger.sh

AMOUNT=32768

# borrows NAME KIB
borrows() {
	front "$1" deadline_us 60000000 && eventually 20 has_spare bob $(($2 + 8192)) &&
		front "$1" request_kb "$2" && equals "$2" front "$1" borrowed_kb
}
returns() { front "$1" release_kb "$(front "$1" borrowed_kb)" && equals 0 front "$1" borrowed_kb; }
free_again() { guest -t 60 "$1" rm /tmp/full; }
# fill NAME LEFT_MB: its memory, but for so much.
fill() {
	guest -t 60 "$1" "
		mount -o remount,size=95% /tmp
		available=\$(awk '/^MemAvailable/ { print int(\$2 / 1024) }' /proc/meminfo)
		dd if=/dev/zero of=/tmp/full bs=1M count=\$((available - $2)) 2>&1"
}
# size_near NAME KIB: to the megabyte.
size_near() {
	found=$(size_of "$1")
	within "$found" "$2" 1024 || { echo "$1 has $found KiB, want $2"; return 1; }
}

# A target that cannot be reached, until the balloon driver has given up on it. It leaves next to
# nothing: after that there must be enough to start a program again.
out_of_reach() {
	borrows alice "$AMOUNT" && guest -t 60 alice '
		dd if=/dev/zero of=/tmp/some bs=1M count=4 2>&1
		(sleep 66; : >/tmp/some) >/dev/null 2>&1 &' &&
		fill alice 12 && xl mem-set alice 100 && sleep 70
}
# It says why, and it can be mended from inside the domain.
denied_above_target() {
	fails_with 'temporarily unavailable' front alice request_kb 1024 &&
		equals above-target front alice last_reason && equals 0 front alice last_granted_kb
}

freezes() {
	# shellcheck disable=SC2016 # for the DomU's shell
	guest -t 60 "$1" "echo $2 >/sys/power/pm_test && echo freeze >/sys/power/state"
}
# All stays connected and borrowed, and memory moves.
sleeps() {
	had=$(front "$1" borrowed_kb)
	freezes "$1" "$2" && equals "$had" front "$1" borrowed_kb && connected "$1" &&
		front "$1" request_kb 1024 && equals $((had + 1024)) front "$1" borrowed_kb
}

# Three at once: a rule of udev's, a service, an administrator.
attached_thrice() {
	detach || return 1
	for _ in 1 2 3; do
		cmm-attach tiny &
		attachers="$attachers $!"
	done
	# shellcheck disable=SC2086 # a list
	for pid in $attachers; do wait $pid || return 1; done
	connected tiny
}
detach() { ! xenstore-exists "/local/domain/0/backend/cmm/$(xl domid tiny)" || cmm-attach --detach tiny; }
rounds() { for _ in 1 2 3 4; do attachers='' && attached_thrice || return 1; done; }
# The service looks when it starts, and whenever a domain comes or goes.
stays_detached() {
	cmm-attach --detach tiny && cmm-attach --all && timeout 5 cmm-attach --watch >/tmp/watch 2>&1
	! xenstore-exists "/local/domain/0/backend/cmm/$(xl domid tiny)"
}
a_number_for_a_name() {
	id=$(xl domid tiny)
	xl rename tiny 1 && cmm-attach 1 | grep -F "1 (id $id)" && cmm-attach --id 1 | grep -F "alice (id 1)"
	status=$?
	xl rename "$id" tiny && return "$status"
}

# A kernel that promises no more than it has, most of which is promised: 50 MiB could be, and four
# fifths of what it gives cannot be any more.
promises_most() {
	# shellcheck disable=SC2016 # for the DomU's shell
	guest -t 60 "$1" '
		echo 2 >/proc/sys/vm/overcommit_memory && echo 80 >/proc/sys/vm/overcommit_ratio
		left=$(awk "/^CommitLimit/ { limit = \$2 } /^Committed_AS/ { print int((limit - \$2) / 1024) }" /proc/meminfo)
		(sleep 100000 | dd bs=$((left - 50))M of=/dev/null) >/dev/null 2>&1 &'
}
promises_nothing() {
	guest -t 60 "$1" 'echo 0 >/proc/sys/vm/overcommit_memory; killall sleep'
}
# asks NAME KIB: for all there is; it gets some.
asks_for_all() {
	front "$1" deadline_us 30000000
	front "$1" request_kb "$2" || return 1
	note "$(front "$1" borrowed_kb) KiB of $2"
	[ "$(front "$1" borrowed_kb)" -lt "$2" ]
}
# It starts programs, and could promise 8 MiB more.
works_on() {
	# shellcheck disable=SC2016 # for the DomU's shell
	guest -t 60 "$1" 'grep Commit /proc/meminfo && for i in 1 2 3; do sh -c true || exit; done && dd if=/dev/zero of=/dev/null bs=8M count=1'
}
# Of what is free for movable pages only, nothing is to be had.
offers_what_it_has() {
	has=$(guest -t 60 "$1" "awk '/^MemAvailable/ { n += \$2 } /^CmaFree/ { n -= \$2; cma = \$2 }
		END { print n - 16384; exit cma < 16384 }' /proc/meminfo") || return 1
	within "$(back "$1" available_kb)" "$has" 2048 || { echo "$(back "$1" available_kb) of $has KiB"; return 1; }
}

# Its borrower has less than a donor keeps. Of that a lender has some of its own.
has_of_what_is_kept() {
	borrows alice 65536 && equals 65536 front bob lent_kb && fill alice 14 || return 1
	front bob request_kb 4096 && equals 61440 front bob lent_kb
}
# Its borrower has next to nothing to spare: it is not made smaller beneath what it lent, but for what the
# balloon driver takes before it hears of that.
made_smaller() {
	xl mem-set bob 216 && sleep 5 || return 1
	left=$(size_of bob)
	[ "$left" -gt $((196608 - 16384)) ] || { echo "bob has $left KiB"; return 1; }
	fails_with 'temporarily unavailable' front bob request_kb 1024 &&
		equals above-target front bob last_reason && [ "$(front bob lent_kb)" -gt 49152 ]
}
# All that it is owed then is what it has less than its toolstack wants.
recalled() {
	due=$(front alice borrowed_kb)
	equals "$due" front bob lent_kb && size_near bob $((216 * 1024 - due))
}

# Nobody knows who has written what the last driver left: it is checked.
begins_with() {
	guest -t 60 "$1" rmmod xen_cmmfront && xenstore-write -- "/local/domain/$(xl domid "$1")/data/cmm-balance" "$2" &&
		guest -t 60 "$1" "dmesg -c >/dev/null; insmod /modules/xen-cmmfront.ko $FRONT_PARAMS" && connected "$1"
}
ignores() {
	begins_with "$1" "$2" && guest -t 60 "$1" 'dmesg | grep "nonsense, and ignored"' &&
		equals 0 front "$1" lent_kb && equals 0 front "$1" borrowed_kb
}
ignores_nonsense() {
	for left in x 0x10 -99999999 9223372036854775807 -9223372036854775808 99999999999999999999; do
		ignores "$1" "$left" || return 1
	done
}
# All that it has. It has nothing to give, but for what it can spare.
lends_what_it_can_spare() {
	had=$(size_of "$1")
	begins_with "$1" -$((had / 4)) || return 1
	kept=$(mem "$1" MemAvailable)
	[ "$kept" -gt 12288 ] || { echo "$1 has $kept KiB available"; return 1; }
}

# at_most NAME MIB: what it has borrowed counts.
at_most() {
	found=$(size_of "$1")
	[ "$found" -le $((($2 + 1) * 1024)) ] || { echo "$1 has $found KiB, may have $2 MiB"; return 1; }
}
returns_all() { [ "$(front "$1" borrowed_kb)" = 0 ] || returns "$1"; }
# no_more_than NAME MIB: though it asks for more.
no_more_than() {
	front "$1" request_kb 16384
	found=$(size_of "$1")
	[ "$found" -le $(($2 * 1024)) ] || { echo "$1 has $found KiB, may have $2 MiB"; return 1; }
}
has_all() { size_near "$1" $(($2 * 1024)) && at_most "$1" "$2" && [ "$(front "$1" borrowed_kb)" -le 1024 ]; }

# A new domain takes nearly all of Xen's free memory, and does not run.
newcomer() {
	memory=$(($(xl info free_memory) - 8))
	sed -i "s/^memory.*/memory = $memory/; s/^maxmem.*/maxmem = $memory/" /etc/xen/newcomer.cfg
	xl create -q -p /etc/xen/newcomer.cfg
}
pool() { awk '$1 == "pool" { print $2 }' "$LEDGER"; }
pool_has() { [ "$(pool)" -ge "$1" ] || { echo "$(pool) KiB in the pool, want $1"; return 1; }; }
# When a domain has moved some memory.
found_out() { front alice request_kb 1024 && eventually 5 pool_is_free && returns_all alice; }
# What the books have in the pool, Xen has.
pool_is_free() {
	found=$(pool) free=$(($(xl info free_memory) * 1024))
	[ "$found" -le $((free + 1024)) ] || { echo "$found KiB in the pool, and $free free"; return 1; }
}

plan 52
driver donor_timeout_ms 20000
guest alice 'echo 0 >/sys/bus/xen/devices/cmm-0/fetch_ahead_kb'
guest tiny 'echo 0 >/sys/bus/xen/devices/cmm-0/fetch_ahead_kb'
tiny_size=$(size_of tiny)

check "a small domain borrows" borrows tiny 16384
check "and returns all of it" returns tiny
check "it has what it had" eventually 10 equals "$tiny_size" size_of tiny

check "a domain is to have less than it can" out_of_reach
check "it is told why it gets nothing" denied_above_target
free_again alice
check "once it has memory, it can return all" returns alice
check "it borrows again" borrows alice 16384
check "and has what the toolstack wants" eventually 10 size_near alice $((100 * 1024 + 16384))

fill alice 24
check "it puts itself to sleep with what it borrowed" sleeps alice freezer
check "and its devices, too" sleeps alice devices
free_again alice
check "the books balance" balanced

check "what only movable pages can have is not offered" eventually 10 offers_what_it_has bob
check "alice returns all" returns alice
promises_most bob
back tiny floor_kb 92160
check "who promises no more than it has is asked for all of it" asks_for_all alice 90112
check "it can do what it did" works_on bob
check "and has what it gave again" returns alice
promises_nothing bob
back tiny floor_kb 0

check "a lender has its own of what its borrower keeps" has_of_what_is_kept
check "a lender that is made smaller has what it had" made_smaller
free_again alice
check "once its borrower can give, that is the toolstack's" eventually 90 recalled
check "the rest is the lender's" returns alice
check "and it is as large as it is to be" eventually 10 size_near bob $((216 * 1024))
xl mem-set bob 256
check "and was" eventually 30 size_near bob $((256 * 1024))
check "the books balance" balanced

check "alice borrows" borrows alice 65536
check "its toolstack gives it all it may have" xl mem-set alice 256
check "it has that, and gives back what it borrowed" eventually 60 has_all alice 256
xl mem-set alice 160
check "it is what it was" eventually 30 size_near alice $((160 * 1024))
front alice auto 0
check "it returns all" returns_all alice
check "it borrows again" borrows alice 65536
check "it may have no more than it has, nearly" xl mem-max alice 225
check "it gets no more than that" no_more_than alice 226
check "it may have less" xl mem-max alice 200
check "it gets nothing" fails_with 'quota exceeded' front alice request_kb 2048
check "it may have what it might before" xl mem-max alice 256
check "it gets more" front alice request_kb 2048
check "and returns all" returns alice
front alice auto 1

check "nonsense that a driver seems to have left is ignored" ignores_nonsense tiny
check "a debt that seems to be left takes nobody's last memory" lends_what_it_can_spare tiny
check "which is had again" begins_with tiny 0
check "and is what it was" eventually 30 equals "$tiny_size" size_of tiny

driver reserve_kb 32768
check "there is a reserve" eventually 20 pool_has 24576
check "a new domain takes all that Xen has free" newcomer
check "it is not in the books any more" found_out
driver reserve_kb 0
check "it is destroyed" xl destroy newcomer
check "who has lent that has it again" eventually 20 size_near bob $((256 * 1024))
check "the books balance" balanced

check "a domain is attached by three at once" rounds
check "and once more" cmm-attach tiny
check "one that was detached stays detached" stays_detached
check "until somebody attaches it" cmm-attach tiny
check "a name is looked for before a number" a_number_for_a_name
check "cmm-attach has a version" cmm-attach --version
finish
