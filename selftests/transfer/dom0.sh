#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Memory moves: each type of domain to each other, to the page, and nothing is
# lost; `xl mem-set` goes on meaning what it says.

# Commands in single quotes are for a DomU's shell.
# shellcheck disable=SC2016

. ../lib/ktap.sh
. ../lib/cmm.sh

ALL='pva pvb pvha pvhb'
AMOUNT=32768

# only_donor NAME: the others may not shrink.
only_donor() {
	for name in $ALL; do
		if [ "$name" = "$1" ]; then
			back "$name" floor_kb 0
		else
			back "$name" floor_kb "$(size_of "$name")"
		fi
	done
}

size_is() { equals "$2" size_of "$1"; }
memory_is() { within "$(mem "$1" MemTotal)" "$2" 64 || { echo "MemTotal $(mem "$1" MemTotal), want $2"; false; }; }
balance_is() { equals "$2 $3" echo "$(front "$1" borrowed_kb) $(front "$1" lent_kb)"; }
ledger_was() { grep -q '^ledger_was$' /tmp/ledger || { cat /tmp/ledger; false; }; }
ledger_is() { equals "$2 $3" echo "$(back "$1" borrowed_kb) $(back "$1" lent_kb)"; }
conserved() { within "$(total)" "$all_memory" 1024 || { echo "total $(total), was $all_memory"; false; }; }

# pairing REQUESTER DONOR
pairing() {
	pair="$1 from $2"
	eventually 15 has_spare "$2" $((AMOUNT * 2)) >/dev/null
	only_donor "$2"
	asker=$(size_of "$1") giver=$(size_of "$2")
	asker_own=$(mem "$1" MemTotal) giver_own=$(mem "$2" MemTotal)
	check "$pair: the request is granted" front "$1" request_kb $AMOUNT
	check "$pair: the requester's size" size_is "$1" $((asker + AMOUNT))
	check "$pair: the donor's size" size_is "$2" $((giver - AMOUNT))
	check "$pair: the requester's own memory" memory_is "$1" $((asker_own + AMOUNT))
	check "$pair: the donor's own memory" memory_is "$2" $((giver_own - AMOUNT))
	check "$pair: borrowed, says the requester" balance_is "$1" $AMOUNT 0
	check "$pair: lent, says the donor" balance_is "$2" 0 $AMOUNT
	check "$pair: Dom0's books, requester" ledger_is "$1" $AMOUNT 0
	check "$pair: Dom0's books, donor" ledger_is "$2" 0 $AMOUNT
	check "$pair: the reason" equals granted front "$1" last_reason
	check "$pair: no page is lost" conserved
	check "$pair: the release is taken" front "$1" release_kb $AMOUNT
	check "$pair: the requester's size after it" eventually 10 size_is "$1" "$asker"
	check "$pair: the donor's size after it" eventually 10 size_is "$2" "$giver"
	check "$pair: the requester's own memory after it" memory_is "$1" "$asker_own"
	check "$pair: the donor's own memory after it" memory_is "$2" "$giver_own"
	check "$pair: nothing is owed" eventually 5 balance_is "$2" 0 0
	check "$pair: no page is lost after it" conserved
}

# mem_set NAME DONOR: the baseline moves, before, during and after borrowing.
mem_set() {
	base=$(size_of "$1")
	less=$((base - 16384))
	only_donor "$2"
	back "$1" floor_kb 0
	xl mem-set "$1" $((less / 1024))
	check "$1: mem-set before" eventually 20 size_is "$1" "$less"
	back "$1" floor_kb "$less"
	check "$1: borrows at its new size" front "$1" request_kb $AMOUNT
	check "$1: has both" size_is "$1" $((less + AMOUNT))
	xl mem-set "$1" $((base / 1024))
	check "$1: mem-set during moves the baseline only" eventually 20 size_is "$1" $((base + AMOUNT))
	check "$1: still owes the same" balance_is "$1" $AMOUNT 0
	check "$1: gives back" front "$1" release_kb $AMOUNT
	check "$1: has its baseline" eventually 10 size_is "$1" "$base"
	back "$1" floor_kb 0
	xl mem-set "$1" $((less / 1024))
	check "$1: mem-set after" eventually 20 size_is "$1" "$less"
	xl mem-set "$1" $((base / 1024))
	check "$1: and back" eventually 20 size_is "$1" "$base"
	check "$1: no page is lost" conserved
}

# paused REQUESTER DONOR: the only donor there is cannot answer.
paused() {
	only_donor "$2"
	xl pause "$2"
	check "$2 is paused: nobody waits for it" fails_with 'temporarily unavailable' front "$1" request_kb $AMOUNT
	check "$2 is paused: the reason" equals no-donor front "$1" last_reason
	xl unpause "$2"
	# It is left alone for 100 ms after it was found so.
	sleep 0.2
	check "$2 is asked again" front "$1" request_kb $AMOUNT
	check "$2 gave, and gets it back" front "$1" release_kb $AMOUNT
}

# in_a_row REQUESTER DONOR: small requests fetch ahead. Of the four, the second asks
# Dom0 for four times what it wants, and the others ask nobody.
in_a_row() {
	only_donor "$2"
	own=$(mem "$1" MemTotal)
	# What is fetched ahead is kept for a second only: Dom0 looks meanwhile.
	(eventually 60 ledger_is "$1" 320 0 && echo ledger_was) >/tmp/ledger 2>&1 &
	check "$1: small requests in a row" guest -t 60 "$1" '
		cd /sys/bus/xen/devices/cmm-0
		for i in 1 2 3 4; do echo 64 >request_kb || exit; done
		cat ahead_kb borrowed_kb >/run/row'
	check "$1: some is fetched ahead, and counts as borrowed" equals '64 320' guest -t 60 "$1" 'echo $(cat /run/row)'
	check "$1: Dom0 counts it, too" eventually 60 ledger_was
	check "$1: the kernel has what was asked for" memory_is "$1" $((own + 256))
	check "$1: what nobody asks for goes back" eventually 5 balance_is "$1" 256 0
	check "$1: nothing of it is kept" equals 0 front "$1" ahead_kb
	check "$1: gives back the rest" front "$1" release_kb 256
	check "$1: nothing is fetched ahead if nobody wants that" guest -t 60 "$1" '
		cd /sys/bus/xen/devices/cmm-0
		echo 0 >fetch_ahead_kb
		for i in 1 2 3; do echo 64 >request_kb || exit; done
		[ "$(cat ahead_kb borrowed_kb | tr "\n" " ")" = "0 192 " ] && echo 192 >release_kb'
	check "$1: no page is lost" conserved
}

# beside REQUESTER DONOR: small requests go on beside a large one of the same domain.
beside() {
	only_donor "$2"
	check "$1: small requests beside a large one" guest -t 120 "$1" '
		cd /sys/bus/xen/devices/cmm-0
		rm -f /run/large
		echo 0 >fetch_ahead_kb
		(echo 49152 >request_kb && : >/run/large) &
		large=$!
		small=0
		while [ ! -e /run/large ] && [ $small -lt 2000 ]; do
			echo 4 >request_kb || exit
			small=$((small + 1))
		done
		wait $large && echo $small >/run/small'
	check "$1: they need not wait until it is served" served "$1"
	check "$1: all is borrowed" eventually 10 balance_is "$1" $((49152 + 4 * $(small "$1"))) 0
	check "$1: gives all back" front "$1" release_kb $((49152 + 4 * $(small "$1")))
}
small() { guest "$1" 'cat /run/small'; }
# The large one is given in three portions, and taken in six.
served() { [ "$(small "$1")" -ge 4 ] || { echo "$(small "$1") served"; return 1; }; }

plan 122
all_memory=$(total)
# Emulated domains are slow, and the machine may be busy.
driver donor_timeout_ms 20000
for name in $ALL; do
	front "$name" deadline_us 60000000
done
pairing pva pvb
pairing pva pvha
pairing pvha pva
pairing pvha pvhb
mem_set pvb pva
mem_set pvhb pvha
in_a_row pva pvb
in_a_row pvha pvb
beside pva pvb
beside pvha pvb
paused pva pvb
finish
