#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Whatever happens to the donor, at each step of a transfer, the books balance
# afterwards, sizes and caps are as before, and the next transfer works.

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/ledger.sh
. ../lib/faults.sh
. ../lib/steps.sh

# What the names of files take, Linux counts as available, even of those that are in memory only, so that
# they cannot be forgotten: bob is asked for more than his allocator can give him. He keeps free what a
# donor keeps.
falls_short() {
	know
	driver donor_timeout_ms 20000
	guest -t 120 bob '
		mkdir -p /run/names && mount -t ramfs none /run/names && cd /run/names &&
			seq 100000000 100030000 | xargs touch' || return 1
	eventually 20 bob_is_ready || return 1
	wanted=$(ledger "$bob" available)
	front alice deadline_us 10000000
	front alice request_kb "$wanted" || return 1
	got=$(front alice last_granted_kb)
	# shellcheck disable=SC2016 # for the DomU's shell
	free=$(guest bob 'awk "/^MemFree/ { print \$2 }" /proc/meminfo')
	guest -t 60 bob umount /run/names
	note "$got of $wanted KiB, and $free KiB free"
	nonzero echo "$got" && [ "$got" -lt "$wanted" ] && [ "$free" -ge 14336 ] &&
		equals no-donor front alice last_reason && equals "-$got" ledger "$bob" balance
}

# Bob's next driver finds that the balloon driver has filled him up again, and that he has used what that
# got: it cannot be given back, and he has not lent it any more.
squeezed() {
	corrupted "$1" && eventually 20 equals "$bob_size" size_of "$1" || return 1
	# shellcheck disable=SC2016 # for the DomU's shell
	guest -t 60 "$1" '
		mount -o remount,size=95% /tmp
		available=$(awk "/^MemAvailable/ { print int(\$2 / 1024) }" /proc/meminfo)
		dd if=/dev/zero of=/tmp/full bs=1M count=$((available - 8))' || return 1
	mend "$1" || return 1
	size=$(size_of "$1")
	guest -t 60 "$1" rm /tmp/full
	echo "has $size of $bob_size KiB"
	[ "$size" -eq $((bob_size - $(front "$1" lent_kb))) ] && [ "$size" -gt $((bob_size - AMOUNT)) ]
}

plan 30
keep_image bob >/dev/null && mend bob
remember
check "the caps are right" caps_right "$alice" "$bob"
at asked resized bob
at asked late bob
at asked unloaded bob
at asked corrupted bob
at asked saved bob
at asked destroyed bob
at working resized bob
at working late bob
at working unloaded bob
at working corrupted bob
at working squeezed bob
at working saved bob
at working destroyed bob
at granted resized bob
at granted unloaded bob
at granted saved bob
at borrowed resized bob
at borrowed unloaded bob
at borrowed corrupted bob
at borrowed detached bob
at borrowed destroyed bob
at returning resized bob
at returning late bob
at returning unloaded bob
at returning corrupted bob
at returning destroyed bob
check "allocation fails half-way: the donor keeps what it needs" falls_short
check "allocation fails half-way: all is as before" heal
check "a transfer works in the end" works
finish
