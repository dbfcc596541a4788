#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# worker.sh SEED: in a DomU, asks for memory and gives it back at random until
# /run/stop exists, gives back all, and then writes to /run/done how many
# transfers there were, and how many requests were refused.

cd /sys/bus/xen/devices || exit 1
seed=$1 moved=0 refused=0 borrowed=0

# random N: sets value to 0 ... N - 1.
random() {
	seed=$(((seed * 1103515245 + 12345) & 0x7fffffff))
	value=$(((seed >> 8) % $1))
}

borrows() {
	read -r borrowed <cmm-0/borrowed_kb || borrowed=0
	[ "$borrowed" -gt 0 ]
} 2>/dev/null

# put KNOB KIB
put() {
	echo "$2" >cmm-0/"$1"
} 2>/dev/null

one() {
	random 3
	if [ $value -gt 0 ]; then
		random 12
		if put request_kb $((4 << value)); then
			moved=$((moved + 1))
		else
			refused=$((refused + 1))
		fi
	elif borrows; then
		random $((borrowed / 4))
		! put release_kb $(((value + 1) * 4)) || moved=$((moved + 1))
	fi
}

while [ ! -e /run/stop ]; do
	[ ! -e cmm-0/deadline_us ] || one
	# Others want to run, too: six busy domains starve one that boots.
	sleep 0.1
done
tries=100
while borrows && [ $tries -gt 0 ]; do
	put release_kb "$borrowed" || sleep 0.1
	tries=$((tries - 1))
done
echo "$moved $refused" >/run/done
