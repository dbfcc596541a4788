#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A program needs more memory than its domain has, at 100 MiB/s: once in a domain that asks by itself, and
# once in one that somebody watches, who looks once a second and moves memory by xl mem-set. What each had
# and used when is written to /out, for a picture.

. ../lib/cmm.sh

# What the program needs, and how fast, in MiB and seconds; and for how long both are watched.
NEED=320
RATE=100
SECONDS_WATCHED=12
# What both domains have together, what each must have, and what the first may have at most, in MiB.
ALL=704
LEAST=192
MOST=512

# balance: as a balancer does that looks once a second at what the domain's agent says that it uses. It is
# to have a third more than that; the other gives it first.
balance() {
	until [ -e /tmp/enough ]; do
		sleep 1
		used=$(xenstore-read "/local/domain/$(xl domid guest)/data/used") || continue
		want=$((used * 4 / 3 + 32))
		[ $want -ge $LEAST ] || want=$LEAST
		[ $want -le $MOST ] || want=$MOST
		[ $want -le $((ALL - LEAST)) ] || want=$((ALL - LEAST))
		xl mem-set giver $((ALL - want))
		xl mem-set guest $want
	done
}

# burst NAME: the burst, watched.
burst() {
	rm -f /tmp/enough
	guest -t 120 guest "
		/scenario/watcher $SECONDS_WATCHED >/run/$1 &
		sleep 1
		if /scenario/eater $NEED $RATE >/run/eaten; then cat /run/eaten >/run/$1.said; else echo killed >/run/$1.said; fi &
		wait" &
	if [ "$1" = polled ]; then
		balance &
	fi
	sleep $((SECONDS_WATCHED + 1))
	: >/tmp/enough
	wait
	guest -t 60 guest "cat /run/$1" >"/out/$1.tsv"
	guest -t 60 guest "cat /run/$1.said" >"/out/$1.said"
	echo "$1: $(cat "/out/$1.said")"
}

eventually 20 has_spare giver 262144 || exit
burst cmm
guest -t 60 guest 'echo 0 >/sys/bus/xen/devices/cmm-0/auto'
eventually 60 equals 0 front guest borrowed_kb || exit
burst polled
[ -s /out/cmm.tsv ] && [ -s /out/polled.tsv ]
