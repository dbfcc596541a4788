#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A mistake of each kind, in Dom0 and in a domain of each type, under the debug kernel. Each fails to
# load, and is said in the log; selftests/planted/find looks for that.

# Two of them turn lockdep off.
for mistake in objects list ubsan irqflags lockdep atomic memory; do
	for name in alice bob; do
		guest -t 60 $name insmod /modules/cmm-planted.ko mistake=$mistake
	done
	insmod /modules/cmm-planted.ko mistake=$mistake
done
sleep 1
exit 0
