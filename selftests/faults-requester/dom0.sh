#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# As faults-donor, for what happens to the requester, to Dom0, and to Xen's memory.

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/ledger.sh
. ../lib/faults.sh
. ../lib/steps.sh

plan 32
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
at asked back_end_reloaded
at working back_end_reloaded
at granted back_end_reloaded
at borrowed back_end_reloaded
at returning back_end_reloaded
at stocked back_end_reloaded
at stocked unloaded alice
at stocked saved alice
at stocked destroyed alice
at asked domain_built
at working domain_built
at granted domain_built
at borrowed domain_built
check "a transfer works in the end" works
finish
