# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What scenarios that measure transfers share: the ways memory comes to a requester.
# Needs cmm.sh; results go to /out/results.json.
#
# While a series runs nothing else does: each is one `guest` command, with the
# pauses in the DomU.

# The requester, whoever may be its donor, what type it is, what to measure and how
# often (lists with commas), and whether to say where the time goes, too.
requester='' donor='' type='' sizes='' runs='' parts=no
row_sizes=4,64 row_runs=5

PAUSE=300
TRANSFER=/sys/kernel/debug/xen-cmm/transfer
results=/out/results.json
failed=0

# keep COMMAND...: its output to the results, or a complaint.
keep() {
	if "$@" >/tmp/series; then
		grep '^{' /tmp/series >>$results
		sed 's/^/# /' /tmp/series
	else
		sed 's/^/# /' /tmp/series
		echo "# FAILED: $*"
		failed=$((failed + 1))
	fi
}

# Of all domains at once: a process started in Dom0 is slow here.
at_rest() {
	! cat /sys/bus/xen-backend/devices/cmm-*-0/borrowed_kb \
		/sys/bus/xen-backend/devices/cmm-*-0/lent_kb | grep -qvx 0
}

# rest PATH: waits until nobody owes anything; says who does if that does not come.
rest() {
	eventually 10 at_rest >/dev/null && return
	for name in $requester $donor; do
		echo "# after $1: $name has borrowed $(back "$name" borrowed_kb) and lent $(back "$name" lent_kb) KiB"
	done
}

# keeps_all NAME...: these are nobody's donors, not for the reserve either, and not with what they
# borrowed, which to Dom0 is there to spare as long as nobody uses it.
keeps_all() {
	for name in "$@"; do
		back "$name" floor_kb "$(back "$name" ceiling_kb)"
	done
}

# prepare_measuring KB: the donor has so much to spare, and everybody patience. Dom0's
# part of a transfer can be laid beside the others' only on Xen's clock.
prepare_measuring() {
	echo xen >/sys/devices/system/clocksource/clocksource0/current_clocksource
	driver donor_timeout_ms 20000
	eventually 30 has_spare "$donor" "$1"
}

# transfers PATH [OPTION]...
transfers() {
	path=$1
	shift
	keep guest "$requester" "/scenario/cmm-latency transfer --guest $type --settle $PAUSE \
		--path $path --sizes $sizes --runs $runs $*"
	[ "$parts" = no ] || phases "$path" "$@"
}

# phases PATH [--sizes KB,...]: where the time of one transfer of each size goes, by
# what requester, Dom0 and donor say.
phases() {
	path=$1
	wanted=$sizes
	[ "$2" != --sizes ] || wanted=$3
	for size in $(echo "$wanted" | tr , ' '); do
		guest "$requester" "/scenario/cmm-latency transfer --settle $PAUSE --path $path \
			--sizes $size --runs 2 --malloc /dev/null --parts" | grep -v '^{' >/tmp/parts
		grep "^dom0-for-$(xl domid "$requester") " $TRANSFER >>/tmp/parts
		guest "$donor" "grep '^donor ' $TRANSFER" >>/tmp/parts
		keep ./cmm-latency phases --guest "$type" --path "$path" --sizes "$size" \
			--malloc $results </tmp/parts
	done
}

# rows PATH: small requests one after the other, as a program makes them that needs
# memory bit by bit.
rows() {
	keep guest "$requester" "/scenario/cmm-latency transfer --row --guest $type \
		--settle $PAUSE --path $1-row --sizes $row_sizes --runs $row_runs"
}

# A donor is asked.
cold() {
	transfers cold
	rest cold
	rows cold
	rest cold
}

from_reserve() {
	transfers reserve
	rows reserve
}

# The pool is filled up again only below three quarters.
pool_is_full() { [ "$(driver pool_kb)" -ge $((reserved * 3 / 4)) ]; }
pool_is_empty() { [ "$(driver pool_kb)" -eq 0 ]; }

# with_reserve KB COMMAND...: runs it with a reserve.
with_reserve() {
	reserved=$1
	shift
	driver reserve_kb "$reserved"
	if eventually 20 pool_is_full >/dev/null; then
		"$@"
	else
		echo "# FAILED: the pool has $(driver pool_kb) KiB of $reserved"
		failed=$((failed + 1))
	fi
	driver reserve_kb 0
	eventually 10 pool_is_empty >/dev/null
	rest reserve
}

# How much a domain may take on its own.
CREDIT=4096

# on_credit [OPTION]...
on_credit() {
	driver credit_kb $CREDIT
	sleep 2
	transfers credit "$@"
	driver credit_kb 0
}
