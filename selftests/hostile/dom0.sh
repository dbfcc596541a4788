#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Mallory's front-end does what it can to hurt. Alice and bob go on moving memory
# beside it, and Dom0 sends it away when it breaks the protocol, and says so.

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/ledger.sh

AMOUNT=8192

alice=$(xl domid alice)
bob=$(xl domid bob)
mallory=$(xl domid mallory)
back_dir=/local/domain/0/backend/cmm/$mallory/0

back_state() { xenstore-read "$back_dir/state"; }
sent_away() { case $(back_state) in 5 | 6) ;; *) back_state; return 1 ;; esac }
connects() { case $(back_state) in 4 | 5 | 6) ;; *) back_state; return 1 ;; esac }

# told CRIME TEXT: has Dom0's kernel said that of mallory since the mark?
told() {
	dmesg | sed "1,/lab-mark-$1\$/d" | grep "domain $mallory is disconnected: it .*$2" || {
		dmesg | tail -n 5
		return 1
	}
}

# others_work: does the rest notice nothing?
others_work() {
	guest -t 60 alice 'cd /sys/bus/xen/devices/cmm-0
		echo '"$AMOUNT"' >request_kb && echo '"$AMOUNT"' >release_kb'
}

# begin CRIME: on a fresh device.
begin() {
	echo "lab-mark-$1" >/dev/kmsg
	cmm-attach --detach mallory >/dev/null 2>&1
	guest -t 60 mallory "echo $1 >/sys/module/cmm_hostile/parameters/crime
		while [ -e /sys/bus/xen/devices/cmm-0 ]; do sleep 0.1; done" &&
		cmm-attach mallory >/dev/null && eventually 10 connects
}

# sent_away_for CRIME TEXT [TAKE_KB]
sent_away_for() {
	check "$1: connects" begin "$1"
	[ -z "$3" ] || check "$1: Dom0 asks" back mallory take_kb "$3"
	check "$1: sent away" eventually 10 sent_away
	check "$1: told" eventually 5 told "$1" "$2"
	check "$1: others do not notice" others_work
}

# suffered CRIME: whether it is sent away is its own affair.
suffered() {
	check "$1: connects" begin "$1"
	check "$1: others do not notice" others_work
	check "$1: nor the second time" others_work
}

# refused CRIME: is not even connected.
refused() {
	begin "$1" >/dev/null
	check "$1: refused" eventually 5 sent_away
	check "$1: others do not notice" others_work
}

plan $((21 * 4 + 4 + 6 * 3 + 3 * 2 + 3))
driver donor_timeout_ms 5000
for name in alice bob; do
	front $name deadline_us 30000000
done
eventually 15 test "$(back bob available_kb)" -gt $((AMOUNT * 2)) >/dev/null
check "before: alice and bob work" others_work
books_before=$(books "$alice" "$bob")
guest -t 60 mallory 'rmmod xen_cmmfront; insmod /modules/cmm-hostile.ko'

INDEX='wrote ring index'
UNASKED='which is not open'
EXCESS='at most were possible'
sent_away_for index-jumps "$INDEX"
sent_away_for index-returns "$INDEX"
sent_away_for consumer-returns "$INDEX"
sent_away_for consumer-runs "$INDEX"
sent_away_for same-id-twice 'which is in use'
sent_away_for nine-requests 'more requests open than allowed'
sent_away_for reason-unknown 'unknown reason'
sent_away_for stats-with-id 'forbidden id'
sent_away_for stats-absurd 'names .* pages'
sent_away_for drew-uncredited "$EXCESS"
sent_away_for release-all 'went back to Xen'
sent_away_for took-excess "$EXCESS"
sent_away_for took-twice "$UNASKED"
sent_away_for offered-for-grant 'forbidden id'
sent_away_for offered-excess "$EXCESS" 4096
sent_away_for offered-unfreed 'went back to Xen' 4096
sent_away_for offered-twice "$UNASKED" 4096
sent_away_for took-for-reclaim "$UNASKED" 4096
sent_away_for never-reads 'reads no more'
# Chance has it what these do first.
sent_away_for scribble ''
sent_away_for change-messages ''
for crime in flood-requests flood-stats flood-events flood-xenstore grant-anew; do
	suffered $crime
done
for crime in grant-read-only grant-to-another channel-of-xenstore; do
	refused $crime
done
# She does not survive this one.
suffered grant-of-xenstore
check "mallory is destroyed" xl destroy mallory
check "what alice and bob have is as before" eventually 20 books_are "$books_before" "$alice" "$bob"
note "$(cat $LEDGER)"
finish
