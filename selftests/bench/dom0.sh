#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Measures each way memory comes to a PV and a PVH domain, with a donor of the
# same type. Results go to /out/results.json; scripts/bench adds the table.
#
# While a series runs nothing else does: each is one `guest` command, with the
# pauses in the DomU.

. ../lib/cmm.sh

ALL='pv pvdonor pvh pvhdonor'
# For the largest request, and something left over for the watermarks.
RESERVE=$((96 * 1024))
PAUSE=1000
results=/out/results.json
failed=0

say() { echo "$(cut -d ' ' -f 1 /proc/uptime) $*"; }

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

at_rest() {
	for name in $ALL; do
		[ "$(back "$name" borrowed_kb):$(back "$name" lent_kb)" = 0:0 ] || return 1
	done
}

# keep COMMAND...: its output to the results, or a complaint.
keep() {
	if "$@" >/tmp/series; then
		grep '^{' /tmp/series | tee -a $results
		grep -v '^{' /tmp/series
	else
		cat /tmp/series
		echo "FAILED: $*"
		failed=1
	fi
}

# transfers GUEST PATH
transfers() {
	say "$1: $2"
	keep guest "$1" "/scenario/cmm-latency transfer --guest $1 --path $2 --settle $PAUSE"
}

cold() {
	eventually 60 at_rest
	transfers "$1" cold
	eventually 60 at_rest
}

pool_is_full() { [ "$(driver pool_kb)" -ge "$RESERVE" ]; }
pool_is_empty() { [ "$(driver pool_kb)" -eq 0 ]; }

reserve() {
	driver reserve_kb $RESERVE
	if eventually 60 pool_is_full; then
		transfers "$1" reserve
		say "$1: the pool has $(driver pool_kb) KiB afterwards"
	else
		echo "FAILED: the pool has $(driver pool_kb) KiB, and $RESERVE are wanted"
		failed=1
	fi
	driver reserve_kb 0
	eventually 60 pool_is_empty
	eventually 60 at_rest
}

# How much a domain may take on its own.
CREDIT=2048

credit() {
	knob=$(echo /sys/bus/xen-backend/drivers/*cmm*/credit_kb)
	[ -e "$knob" ] || {
		say "$1: credit: skipped, this back-end has no credit_kb"
		return
	}
	driver reserve_kb $RESERVE
	eventually 60 pool_is_full
	driver credit_kb $CREDIT
	sleep 2
	say "$1: credit"
	keep guest "$1" "/scenario/cmm-latency transfer --guest $1 --path credit --settle $PAUSE --sizes 4,64 --runs 40"
	driver credit_kb 0
	driver reserve_kb 0
	eventually 60 pool_is_empty
	eventually 60 at_rest
}

larger() { [ "$(size_of "$1")" -ge "$2" ]; }
smaller() { [ "$(size_of "$1")" -le "$2" ]; }
has_to_spare() { [ "$(back "$1" available_kb)" -gt 131072 ]; }

# The toolstack raises what the requester may have; then only targets move.
balloon() {
	mb=$(($(size_of "$1") / 1024))
	say "$1: balloon"
	xl mem-set "$1" $((mb + 66))
	eventually 60 larger "$1" $(((mb + 66) * 1024))
	xenstore-write "/local/domain/$(xl domid "$1")/memory/target" $((mb * 1024))
	eventually 60 smaller "$1" $((mb * 1024))
	sleep 2
	keep ./cmm-latency balloon --guest "$1" --malloc $results --settle $PAUSE --runs 10,10,5,3,2 \
		--requester "$(xl domid "$1")" --donor "$(xl domid "$2")"
	xl mem-set "$1" "$mb"
}

bare() {
	say "$1: bare loop"
	guest "$1" 'dmesg -C; insmod /scenario/cmm-bare.ko && rmmod cmm-bare; dmesg' >/tmp/bare
	grep -q cmm-bare: /tmp/bare || cat /tmp/bare
	keep ./cmm-latency bare --guest "$1" --malloc $results </tmp/bare
}

# wanted GUEST/PATH: by the file `only`, which has GUEST or GUEST/PATH a line; all
# if it is empty.
wanted() { ! grep -q . only || grep -qxF -e "$1" -e "${1%/*}" only; }
wanted_at_all() { ! grep -q . only || grep -q "^$1\\(/\\|$\\)" only; }

driver donor_timeout_ms 20000
for type in pv pvh; do
	wanted_at_all $type || continue
	eventually 30 has_to_spare ${type}donor
	only_donor ${type}donor
	for path in cold reserve credit bare balloon; do
		! wanted $type/$path || $path $type ${type}donor
	done
done
say "done"
[ $failed -eq 0 ]
