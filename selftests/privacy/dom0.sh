#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# No domain reads what another wrote. Whoever gives memory has filled all it can
# with a mark before; whoever gets it looks at each of its pages. The kernels
# clear nothing by themselves (see options), so what is not found was cleared by
# the driver. That the mark had been in the pages is seen too: it is found in
# the giver before, and in fewer pages after.

# Commands in single quotes are for a DomU's shell.
# shellcheck disable=SC2016

. ../lib/ktap.sh
. ../lib/cmm.sh

AMOUNT=24576

# fill NAME LETTER: then frees it again. The mark is put together in the domain,
# so that no copy of this script contains it.
fill() {
	guest -t 120 "$1" 'mount -t tmpfs -o size=100% fill /tmp
		kib=$(awk "/^MemAvailable:/ { print \$2 - 12288 }" /proc/meminfo)
		yes "cmm-pa$(echo '"$2"')" |
			dd of=/tmp/fill bs=64k count=$((kib / 64)) iflag=fullblock 2>/dev/null
		rm /tmp/fill; umount /tmp'
}

# peek NAME LETTER: prints how many KiB it looked at, and how many had the mark.
peek() {
	guest -t 120 "$1" 'cd /sys/module && insmod /modules/cmm-peek.ko letter='"$2"' &&
		echo $(($(cat cmm_peek/parameters/looked) * 4)) $(($(cat cmm_peek/parameters/found) * 4)) &&
		rmmod cmm_peek'
}

seen_all() { [ "$1" -ge "$2" ] || { echo "looked at $1 KiB of $2"; false; }; }
at_least() { [ "$1" -ge "$2" ] || { echo "$1, want at least $2"; false; }; }

# leaves GIVER TAKER LETTER WHAT COMMAND...: COMMAND moves AMOUNT.
leaves() {
	giver=$1 taker=$2 letter=$3 what=$4
	shift 4
	fill "$giver" "$letter"
	# shellcheck disable=SC2046
	set -- $(peek "$giver" "$letter") "$@"
	before=$2
	shift 2
	eventually 15 has_spare "$giver" "$AMOUNT" || return 1
	was=$(size_of "$taker")
	check "$what: it moves" "$@"
	check "$what: it has arrived" eventually 20 equals $((was + AMOUNT)) size_of "$taker"
	# shellcheck disable=SC2046
	set -- $(peek "$giver" "$letter")
	check "$what: the mark was in it" at_least $((before - $2)) $((AMOUNT / 2))
	# shellcheck disable=SC2046
	set -- $(peek "$taker" "$letter")
	check "$what: all pages are seen" seen_all "$1" "$(mem "$taker" MemTotal)"
	check "$what: nothing is read" equals 0 echo "$2"
	note "$giver had the mark in $before KiB; $taker was searched: $1 KiB"
}

plan 20
driver donor_timeout_ms 20000
for name in alice bob; do
	front $name deadline_us 60000000
done
leaves bob alice B "PV borrows from PVH" front alice request_kb $AMOUNT
leaves alice bob A "PV gives back" front alice release_kb $AMOUNT
leaves alice bob C "PVH borrows from PV" front bob request_kb $AMOUNT
leaves bob alice D "PVH gives back, unloading" guest -t 60 bob rmmod xen_cmmfront
finish
