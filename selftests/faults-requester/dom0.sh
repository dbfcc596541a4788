#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# As faults-donor, for what happens to the requester, to Dom0, and to Xen's memory.

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/ledger.sh
. ../lib/faults.sh
. ../lib/steps.sh

# Her image could not be restored while she uses what she borrowed: she is not suspended at all, and
# goes on with what she had. Once she does not, she is, and gives it back first.
saved_in_use() {
	# shellcheck disable=SC2016 # for the DomU's shell
	guest -t 60 "$1" '
		mount -o remount,size=95% /tmp
		available=$(awk "/^MemAvailable/ { print int(\$2 / 1024) }" /proc/meminfo)
		dd if=/dev/zero of=/tmp/full bs=1M count=$((available - 8))' || return 1
	had=$(front "$1" borrowed_kb)
	fails_with 'guest did not suspend' xl save "$1" /tmp/saved || return 1
	rm -f /tmp/saved
	equals "$had" front "$1" borrowed_kb && nonzero echo "$had" && guest -t 60 "$1" rm /tmp/full && saved "$1"
}

# There is no back-end to give anything back to: she gives it to Xen. The next one finds out that nobody
# will come for it but its lender.
saved_alone() {
	rmmod xen_cmmback && saved "$1"
	status=$?
	insmod /modules/xen-cmmback.ko
	[ "$status" -eq 0 ] && eventually 20 equals 0 ledger "$bob" balance
}

# Xen's memory is somebody else's by the time she comes for it: she takes what there is, and says so.
lost() { domain_built && run alice && eventually 20 equals lost front alice last_reason; }

plan 35
keep_image alice >/dev/null && mend alice
remember
check "the caps are right" caps_right "$alice" "$bob"
at asked resized alice
at asked unloaded alice
at asked corrupted alice
at asked saved alice
at asked destroyed alice
at working unloaded alice
at working destroyed alice
at granted resized alice
at granted late alice
at granted unloaded alice
at granted corrupted alice
at granted saved alice
at granted destroyed alice
at borrowed resized alice
at borrowed corrupted alice
at borrowed detached alice
at borrowed saved alice
at borrowed saved_in_use alice
at borrowed saved_alone alice
at asked back_end_reloaded
at working back_end_reloaded
at granted back_end_reloaded
at borrowed back_end_reloaded
at returning back_end_reloaded
at stocked back_end_reloaded
at stocked unloaded alice
at stocked saved alice
at stocked saved bob
at stocked destroyed alice
at asked domain_built
at working domain_built
at granted lost
at borrowed domain_built
check "a transfer works in the end" works
finish
