#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The pool in Xen: who may give and take, what comes of it by Xen's own numbers, what is
# refused, and how long it takes. See cmm-broker.c and control.c.

. ../lib/ktap.sh
. ../lib/cmm.sh

ALL='pv1 pv2 pvh1 pvh2'
EPERM=-1 E2BIG=-7 ENOMEM=-12 EAGAIN=-11 EINVAL=-22
TIMES=6

./control pool >/dev/null 2>/tmp/said
[ $? -ne 38 ] || skip_all "this Xen is no broker: make xen, and LAB_XEN=patched"

# act NAME WHAT...: what comes of it.
act() {
	name=$1
	shift
	guest -t 120 "$name" "cd /sys/module/cmm_broker/parameters && echo '$*' >act && cat result"
}

# does WANT NAME WHAT...: is that what comes of it?
does() {
	want=$1
	shift
	equals "$want" act "$@"
}

# field NAME N, pool N: a number of control's.
field() { ./control query "$(xl domid "$1")" | cut -d ' ' -f "$2"; }
has() { field "$1" 3; }
maximum() { field "$1" 4; }
balance() { field "$1" 5; }
pool() { ./control pool | cut -d ' ' -f "$1"; }
limits() { ./control limits "$(xl domid "$1")" "$2" "$3"; }

# What all domains and the pool have, in pages: nothing else moves in this test.
all_pages() {
	total=$(pool 1)
	for name in $ALL; do
		total=$((total + $(has "$name")))
	done
	echo "$total"
}

# What the domains have more than their own, and what is in the pool, come to what was drained.
balanced() {
	total=$(($(pool 1) + $(pool 5)))
	for name in $ALL; do
		total=$((total + $(balance "$name")))
	done
	[ "$total" -eq 0 ] && [ "$(($(pool 3) - $(pool 4) - $(pool 5)))" -eq "$(pool 1)" ]
}

# refuses ERRNO CONTROL...: the control domain gets this error.
refuses() {
	errno=$1
	shift
	./control "$@"
	[ $? -eq "$errno" ]
}

free_limits() {
	for name in $ALL; do
		limits "$name" 4096 1000000
	done
}

# GIVER TAKER: 4 MiB go as extents of 2 MiB, arrive as such of 64 KiB, go back page by page, and
# are extents of 2 MiB again.
moves() {
	before=$(all_pages) had=$(has "$1") most=$(maximum "$1") taker_most=$(maximum "$2")
	act "$1" mark "$3" 1024 >/dev/null
	act "$2" hole 2 >/dev/null
	check "$1 gives two extents" does 2 "$1" give 9 2
	check "Xen has them" equals 1024 pool 1
	check "$1 has less, and may have no more" \
		sh -c "[ $(has "$1") -eq $((had - 1024)) ] && [ $(maximum "$1") -eq $((most - 1024)) ]"
	check "$2 takes them in pieces" does 64 "$2" take 4 64
	check "$2 has what $1 wrote" does 1024 "$2" count "$3" 1024
	check "$2 may have more" equals $((taker_most + 1024)) maximum "$2"
	check "$2 gives each page" does 1024 "$2" give 0 1024
	check "$1 takes extents again" does 2 "$1" take 9 2
	check "$1 has what it wrote" does 1024 "$1" count "$3" 1024
	act "$2" fill 2 >/dev/null
	check "no page is lost from $1 to $2" equals "$before" all_pages
	check "and the balances are even" balanced
}
MOVES=11

# What somebody else has a reference to stays, as if nothing had been asked.
mapped() { # mapped NAME HOW
	had=$(has "$1")
	rm -f /tmp/ready /tmp/stop
	ref=$(act "$1" share 700)
	frame=$(guest "$1" 'cat /sys/module/cmm_broker/parameters/frame')
	if [ "$2" = grant ]; then
		./holder "$(xl domid "$1")" /tmp/ready /tmp/stop "$ref" >/tmp/holder 2>&1 &
	else
		./control map "$(xl domid "$1")" "$frame" /tmp/ready /tmp/stop >/tmp/holder 2>&1 &
	fi
	holder=$!
	check "$1: Dom0 maps a page by its $2" eventually 10 test -e /tmp/ready
	check "$1: the first extent goes, the one with the page stays" does 1 "$1" give 9 2
	check "$1: which is the one it has still" equals $((had - 512)) has "$1"
	check "$1: and so does the first again" does 1 "$1" take 9 1
	: >/tmp/stop
	wait $holder
	check "$1: the grant ends" does 0 "$1" unshare
	check "$1: nobody maps the page, and both go" does 2 "$1" give 9 2
	check "$1: and come" does 2 "$1" take 9 2
}
MAPPED=7

entitled() {
	check "pv1 is not let in: it takes nothing" does $EPERM pv1 take 0 1
	check "and gives nothing" does $EPERM pv1 give 0 1
	check "a domain sets no limits" does $EPERM pvh1 limits
	check "it drains nothing" does $EPERM pvh1 drain
	check "it does not see the pool" does $EPERM pvh1 pool
	check "and no other domain" does $EPERM pvh1 other
	check "Dom0 is no member" refuses 22 limits 0 0 1000000
	check "a ceiling is not below the floor" refuses 22 limits "$(xl domid pv1)" 2 1
	free_limits
	check "an extent is of 2 MiB at most" does $EINVAL pv1 take 10 1
}
ENTITLED=9

limited() { # limited NAME
	had=$(has "$1") most=$(maximum "$1")
	limits "$1" $((had - 512)) 1000000
	check "$1 gives what is above its floor, and no more" does 1 "$1" give 9 2
	check "it is at its floor" equals $((had - 512)) has "$1"
	check "and gives no page" does $E2BIG "$1" give 0 1 512
	limits "$1" 0 $((most - 1))
	check "$1 takes nothing that its ceiling has no room for" does $E2BIG "$1" take 9 1
	check "but what it has room for" does 511 "$1" take 0 511
	check "it is at its ceiling" equals $((most - 1)) maximum "$1"
	check "and takes no page" does $E2BIG "$1" take 0 1 511
	limits "$1" 4096 1000000
	check "$1: with room, it takes the last" does 1 "$1" take 0 1 511
	check "$1: the balances are even" balanced
}
LIMITED=9

# What the toolstack sets is what it is without what was given.
set_by_toolstack() { # set_by_toolstack NAME
	most=$(maximum "$1")
	act "$1" give 9 1 >/dev/null
	xl mem-max "$1" 136
	check "$1 lends, and has its new maximum less that" equals $((most + 2048 - 512)) maximum "$1"
	check "$1: xl mem-set is heeded" xl mem-set "$1" 128
	act "$1" take 9 1 >/dev/null
	xl mem-max "$1" 128
	check "$1 has all again, and its maximum" equals "$most" maximum "$1"
}
SET=3

# Nobody has anything to give but who is named.
only_donor() {
	for name in $ALL; do
		limits "$name" 1000000 1000000
	done
	limits "$1" 4096 1000000
}

asked() {
	only_donor pv1
	check "pv2 has room" does 0 pv2 hole 1
	check "pv2 asks, and is to wait" does $EAGAIN pv2 ask 0 1
	check "pv1 knows" equals 1 field pv1 6
	check "pv2 is in line" equals 1 field pv2 7
	sleep 0.3
	check "pv1 has not given: nobody is asked" does $ENOMEM pv2 ask 0 1
	check "nothing is wanted of pv1 any more" equals 0 field pv1 6
	sleep 1.2
	check "later it is asked again" does $EAGAIN pv2 ask 0 1
	check "pv1 gives" does 1 pv1 give 0 1
	check "that is pv2's" equals 1 field pv2 8
	check "pvh1 does not get it" does $ENOMEM pvh1 take 0 1
	check "pv2 does" does 1 pv2 take 0 1
	check "pv1 could take it, and it is gone" does $ENOMEM pv1 take 0 1
	limits pv2 4096 1000000
	check "pv2 gives it, nobody waits" does 1 pv2 give 0 1
	check "and pv1 has it" does 1 pv1 take 0 1
	act pv2 fill 1 >/dev/null
	only_donor pvh2
	limits pvh2 1000000 1000000
	check "nobody has anything to give" does $ENOMEM pv2 ask 0 1 512
	busy=$(act pv2 flood 1000)
	check "who asks a thousand times in a row is told to wait" [ "$busy" -gt 500 ]
	free_limits
}
ASKED=16

# figure WHAT ORDER NS...: the least, the median, and the most, us.
figure() {
	what="$1" order=$2
	shift 2
	printf '%s\n' "$@" | sort -n | awk -v what="$what" -v order="$order" '{ ns[NR] = $1 / 1000 }
		END { printf "# %s, order %d: %.1f us, least %.1f, most %.1f, n = %d\n", what, order,
			NR % 2 ? ns[(NR + 1) / 2] : (ns[NR / 2] + ns[NR / 2 + 1]) / 2, ns[1], ns[NR], NR }' |
		tee -a /out/figures
}

# measure WHAT NAME HOW ORDER
measure() {
	all=''
	for _ in $(seq $TIMES); do
		[ "$(act "$2" "$3" "$4")" = 1 ] || return 1
		all="$all $(guest "$2" 'cat /sys/module/cmm_broker/parameters/ns')"
	done
	# shellcheck disable=SC2086
	figure "$1" "$4" $all
}

# What the measured took, in pages, and what holds it.
TOOK=$((TIMES * (512 + 16 + 1))) HELD=$((TIMES + 1))

# Three sizes, largest first, so that each is behind what was taken before.
series() { # series REQUESTER HOW WHAT DONOR
	check "$1 makes room" does 0 "$1" hole $HELD
	for order in 9 4 0; do
		[ "$2" != cold ] || act "$4" serve $order >/dev/null
		measure "$1, $3" "$1" "$2" $order >/tmp/figure
		result $? "$1 has $TIMES extents of order $order $3" /tmp/figure
		cat /tmp/figure
	done
}

figures() { # figures DONOR REQUESTER
	series "$2" heap "of Xen's heap"
	act "$2" fill $HELD >/dev/null

	check "$1 gives what $2 will take" does $HELD "$1" give 9 $HELD
	series "$2" next 'of the pool'
	check "$2 gives it back" does $TOOK "$2" give 0 $TOOK
	check "$1 has it again" does $HELD "$1" take 9 $HELD
	act "$2" fill $HELD >/dev/null

	only_donor "$1"
	limits "$2" 1000000 1000000
	act "$1" prepare $HELD >/dev/null
	series "$2" cold "of $1, whom Xen asks" "$1"
	act "$1" idle >/dev/null
	free_limits
	check "$2 gives it back" does $TOOK "$2" give 0 $TOOK
	check "$1 has it again" does $TOOK "$1" take 0 $TOOK
	check "the balances are even" balanced
	act "$2" fill $HELD >/dev/null
	act "$1" prepare $HELD >/dev/null
}
FIGURES=$((3 * 4 + 6))

free_kib() { sizes | awk '$1 == "(free)" { print $2 }'; }

drained() {
	had=$(free_kib)
	check "pv1 gives" does 2 pv1 give 9 2
	check "Dom0 drains some of it" equals 300 ./control drain 300
	check "the rest is there" equals 724 pool 1
	check "Dom0 drains all" equals 724 ./control drain 100000
	check "Xen has it" within "$(free_kib)" $((had + 4096)) 1024
	check "and the books say so" balanced
	check "pv1 lends it still" equals -1024 balance pv1
	check "the pool has nothing" does $ENOMEM pv1 take 0 1
}
DRAINED=8

# Who gives, and dies, has given; who took, and dies, leaves it to Xen.
died() {
	check "pvh2 gives" does 2 pvh2 give 9 2
	xl destroy pvh2
	check "pvh2 is no more" eventually 10 sh -c '! xl domid pvh2'
	check "the pool has what it gave" equals 1024 pool 1
	check "pv1 takes it" does 2 pv1 take 9 2
	check "pv2 takes nothing" does $ENOMEM pv2 take 0 1
	check "who asks for it does not find it" refuses 3 query "$1"
}
DIED=6

plan $((4 + ENTITLED + 4 * MOVES + 2 * LIMITED + 4 * MAPPED + 2 * SET + ASKED + 2 * FIGURES + DRAINED + DIED))
for name in $ALL; do
	guest "$name" 'insmod /modules/cmm-broker.ko'
	check "$name has blocks" does 0 "$name" prepare 8
done
entitled
moves pv1 pv2 0x1111
moves pvh1 pvh2 0x2222
moves pv1 pvh1 0x3333
moves pvh2 pv2 0x4444
limited pv1
limited pvh1
mapped pv1 grant
mapped pvh1 grant
mapped pv1 frame
mapped pvh1 frame
set_by_toolstack pv1
set_by_toolstack pvh1
asked
figures pv1 pv2
figures pvh1 pvh2
drained
died "$(xl domid pvh2)"
finish
