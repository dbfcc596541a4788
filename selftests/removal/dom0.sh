#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Lists and extents of frames, by Xen's own numbers: how many it took, and how long for each page.
# With MOST set, to TYPE:ORDER:NS..., no page of these may take more.

. ../lib/ktap.sh

# Each stop of cmm-removal.c twice, but for the first, and each order.
EACH=$((17 + 3))
MOST=${MOST:-}

try() {
	check "$1: cmm-removal.ko" guest -t 120 "$1" 'insmod /modules/cmm-removal.ko'
	guest -t 60 "$1" dmesg | sed -n 's/^.*cmm-removal: //p' >/tmp/results
	grep -E '^(ok|bad) ' /tmp/results >/tmp/verdicts
	while read -r word what; do
		case $word in
		ok) ok "$1: $what" ;;
		*) not_ok "$1: $what" ;;
		esac
	done </tmp/verdicts
	sed -n "s/^order /# $1: ns a page, order /p" /tmp/results
	sed -n "s/^order /$1 /p" /tmp/results >>/out/ns
}

# within TYPE ORDER NS
within() { awk -v type="$1" -v order="$2" -v most="$3" '$1 == type && $2 == order { found = $3 <= most }
	END { exit !found }' /out/ns; }

bars=$(echo "$MOST" | wc -w)
plan $((2 * (EACH + 1) + bars))
try pv
try pvh
for bar in $MOST; do
	# shellcheck disable=SC2046
	check "ns a page, ${bar##*:} at most: ${bar%:*}" within $(echo "$bar" | tr : ' ')
done
finish
