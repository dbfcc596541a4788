#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What Xen takes of an extent, and what it refuses, by its own numbers: pages that Dom0
# maps, pages that are gone already, pages that it cannot take. See extents.c.

. ../lib/ktap.sh
. ../lib/cmm.sh

# As many as extents.c has; giving, and filling again, and three sums.
SCENARIOS=42
EACH=$((2 * SCENARIOS + 3))
STOPS=14

act() { guest -t 120 "$1" "echo $2 >/sys/module/cmm_extents/parameters/act"; }

# results NAME: each thing that its module has found since the last call.
results() {
	guest -t 60 "$1" 'dmesg -c' | sed -n 's/^.*cmm-extents: \(ok\|bad\) /\1 /p' >/tmp/results
	while read -r word what; do
		case $word in
		ok) ok "$1: $what" ;;
		*) not_ok "$1: $what" ;;
		esac
	done </tmp/results
}

# hold NAME: Dom0 maps what it has granted, until release.
hold() {
	rm -f /tmp/ready /tmp/stop
	# shellcheck disable=SC2046
	./holder "$(xl domid "$1")" /tmp/ready /tmp/stop \
		$(guest "$1" 'cat /sys/module/cmm_extents/parameters/refs') >/tmp/holder 2>&1 &
	holder=$!
	eventually 10 test -e /tmp/ready >/dev/null
	check "$1: Dom0 maps what it is to" sh -c 'cat /tmp/holder; test -e /tmp/ready'
}

let_go() {
	: >/tmp/stop
	wait "$holder"
}

# While Dom0 maps some pages the domain has more than when it does not.
less() { [ "$(size_of "$1")" -lt "$has" ]; }

try() {
	check "$1: the extents" act "$1" prepare
	hold "$1"
	has=$(size_of "$1")
	act "$1" give
	results "$1"
	check "$1: Xen tells Dom0 the same" less "$1"
	let_go
	act "$1" fill
	results "$1"
	check "$1: Dom0 sees it has its size again" equals "$has" size_of "$1"
}

# Only of a PVH domain does Xen keep page tables.
starve() {
	id=$(xl domid "$1")
	check "$1: a block" act "$1" block
	hold "$1"
	pool=$(./starver "$id" 0)
	act "$1" starve
	check "$1: Xen had nothing to spare for its page tables" ./starver "$id" "$pool"
	let_go
	act "$1" free
	results "$1"
}

load() { guest "$1" 'insmod /modules/cmm-extents.ko && dmesg -c >/dev/null'; }

plan $((2 * (EACH + 4) + 3 + STOPS + 1))
for name in alice bob; do
	load $name
done
starve bob
try alice
try bob
finish
