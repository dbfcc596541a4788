#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Mallory's front-end does what it can to hurt. Alice and bob go on moving memory
# beside it, and Dom0 sends it away when it breaks the protocol, and says so.

. ../lib/ktap.sh
. ../lib/cmm.sh
. ../lib/ledger.sh
. ../lib/crimes.sh

AMOUNT=2048
# What bob has for two who want all of it.
SHARED=16384
# What is had in one turn while others wait.
TURN=4096

alice=$(xl domid alice)
bob=$(xl domid bob)
# told CRIME TEXT: has Dom0's kernel said that of mallory since the mark?
told() {
	dmesg | sed "1,/lab-mark-$1\$/d" | grep "domain $mallory is disconnected: it .*$2" || {
		dmesg | tail -n 5
		return 1
	}
}

# latency [COUNT]: prints what alice's requests take, in microseconds: the median, the 95th and the 99th
# percentile, and the longest.
latency() { guest -t 300 alice /scenario/mover time "${1:-12}" $AMOUNT; }

# unharmed CRIME: alice and bob go on, at the median not much slower than beside a
# neighbour who does no harm, idle or busy.
unharmed() {
	found=$(latency)
	median=${found%% *}
	check "$1: others do not notice" test "$median" -le $((harmless * 3 / 2))
	note "$1: $found us"
}

# sent_away_for CRIME TEXT [TAKE_KB]
sent_away_for() {
	check "$1: connects" begin "$1"
	[ -z "$3" ] || check "$1: Dom0 asks" back mallory take_kb "$3"
	check "$1: sent away" eventually 10 sent_away
	check "$1: told" eventually 5 told "$1" "$2"
	unharmed "$1"
}

# suffered CRIME: whether it is sent away is its own affair.
suffered() {
	check "$1: connects" begin "$1"
	unharmed "$1"
}

# spent NAME SECONDS: what CPU time a domain takes in so many seconds from now, in milliseconds. xl tells
# tenths of a second, of which one is more than what is looked for; xentop's share tells thousandths. A domain
# that it does not tell of counts as having had all.
spent() {
	xentop -b -i 2 -d "$2" |
		awk -v name="$1" -v seconds="$2" '
			$1 == name { looks++; share = $4 }
			END { print int((looks == 2 ? share : 100) * seconds * 10) }'
}

# works_for_her PERCENT: bob, of whom she has what she gives back at once, works for that no more than so
# much of a CPU, once she has used up what she had saved.
works_for_her() {
	sleep 8
	taken=$(spent bob 5)
	echo "bob worked for $taken ms of 5 s" | tee /tmp/worked
	[ "$taken" -gt 0 ] && [ "$taken" -le $(($1 * 50 * SLACK)) ]
}

# For how many seconds it is watched what Dom0 spends.
WATCHED=3

# A kernel that checks itself takes several times as long for what is not counted, such as interrupts.
SLACK=1
[ "${PATIENCE:-1}" -eq 1 ] || SLACK=3

# affordable CRIME PERCENT: Dom0 spends no more of a CPU on it than that.
affordable() {
	check "$1: connects" begin "$1"
	sleep 1
	taken=$(($(spent Domain-0 $WATCHED) - idle_time))
	check "$1: costs Dom0 at most $2 % of a CPU" test $taken -le $(($2 * WATCHED * 10 * SLACK))
	note "$1: $taken ms of $WATCHED s"
	unharmed "$1"
	spread=$(latency 200)
	p99=$(echo "$spread" | cut -d ' ' -f 3)
	check "$1: of 200 requests of others' 198 take twice what they usually do, at most" test "$p99" -le $((usual * 2))
	note "$1: $spread us"
}

# refused CRIME TEXT: is not even connected, and Dom0's kernel says why.
refused() {
	begin "$1" >/dev/null
	check "$1: refused" eventually 5 sent_away
	check "$1: told" eventually 5 told_refusal "$1" "$2"
	unharmed "$1"
}
told_refusal() { dmesg | sed "1,/lab-mark-$1\$/d" | grep "domain $mallory: $2"; }

# claims_loan: to be given what it never lent; and again, to fill Dom0's log.
claims_loan() {
	begin claims-loan && begin claims-loan && equals 2 ledger "$mallory" disbelieved
}

# fair_to_alice: with what there was in the pool besides, who comes first may be a turn ahead.
fair_to_alice() {
	got=$(front alice last_granted_kb)
	has=$(ledger "$mallory" balance)
	echo "mallory has $has KiB, alice got $got"
	[ "$has" -gt 0 ] && [ "$has" -le $((got + TURN)) ]
}

# shares_with_greedy: mallory wants all that bob has, and calls that an emergency, though
# it is more than emergencies may be for; alice comes after her, while bob is paused. When
# he goes on, alice gets her part.
shares_with_greedy() {
	xl pause bob && begin greedy &&
		eventually 5 equals "$SHARED" ledger "$bob" asked &&
		{ front alice request_kb "$SHARED" & } && sleep 2 && xl unpause bob
	wait
	got=$(front alice last_granted_kb)
	front alice release_kb "$(front alice borrowed_kb)"
	[ "$got" -ge $((SHARED / 2)) ] || { echo "got $got KiB of $SHARED that two want"; return 1; }
}

told_of_claims() { dmesg | grep -c "domain $mallory claims"; }

plan $((21 * 4 + 5 + 3 * 2 + 5 * 4 + 3 * 3 + 4 + 6 + 6 + 4 + 5 + 5))
for name in alice bob; do
	front $name deadline_us 30000000
done
# Or she is mallory's donor, and gives of what she has just got.
back alice floor_kb "$(back alice ceiling_kb)"
check "bob can spare what alice asks for" eventually 15 has_spare bob $((AMOUNT * 2))
books_before=$(books "$alice" "$bob")
meet_mallory
# She is nobody's donor now, and bob is alice's only one.
found=$(latency)
note "beside an idle neighbour: $found us"
idle=${found%% *}
check "before: alice and bob work" test "$idle" -gt 0
check "mallory keeps a CPU busy" begin busy
found=$(latency 200)
note "beside a busy neighbour: $found us"
busy=${found%% *}
usual=$(echo "$found" | cut -d ' ' -f 3)
check "alice and bob work beside that" test "$busy" -gt 0
idle_time=$(spent Domain-0 $WATCHED)
check "Dom0 takes less than 2 % of a CPU by itself, but something" within "$idle_time" $((31 * SLACK)) $((30 * SLACK))
note "Dom0 takes $idle_time ms of $WATCHED s"

# These leave the CPU alone, at least once they are sent away.
harmless=$idle

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
refused grant-read-only 'cannot map its ring-ref'
refused grant-to-another 'cannot map its ring-ref'
refused channel-of-xenstore 'cannot bind to its event-channel'
check "claims-loan: connects, and is not believed" claims_loan
check "claims-loan: is given nothing" equals 0 ledger "$mallory" in-flight
check "claims-loan: told once" equals 1 told_of_claims
unharmed claims-loan
check "never-takes: connects" begin never-takes
check "never-takes: is granted bob's memory" eventually 2 equals 8192 ledger "$mallory" in-flight
check "never-takes: has it no more when its time is over" eventually 4 equals 0 ledger "$mallory" in-flight
check "never-takes: bob has his memory back" eventually 2 equals 0 ledger "$bob" balance
check "never-takes: cannot take it any more" equals 0 ledger "$mallory" max
unharmed never-takes
bob_floor=$(back bob floor_kb)
patience=$(driver donor_timeout_ms)
driver donor_timeout_ms 20000
driver ask_ready 0
back bob floor_kb $(($(ledger "$bob" size) - SHARED))
check "greedy: alice gets her share of what bob has" shares_with_greedy
check "greedy: mallory has no more than that and one turn" fair_to_alice
check "greedy: bob has it all back" eventually 20 equals 0 ledger "$bob" balance
back bob floor_kb "$bob_floor"
driver ask_ready 1
driver donor_timeout_ms "$patience"
unharmed greedy
# These keep a CPU busy, and that is all. Chance has it what the first two do wrong first.
harmless=$busy
sent_away_for scribble ''
sent_away_for change-messages ''
for crime in flood-stats flood-events flood-both flood-singles; do
	affordable $crime 5
done
affordable flood-requests 20
affordable turns-over 20
check "turns-over: it costs its donor at most 20 % of a CPU" works_for_her 20
note "turns-over: $(cat /tmp/worked)"
# She is shut out before long; what she has had until then is hers once.
check "connects-anew: connects, over and over" begin connects-anew
check "connects-anew: shut out" eventually 30 sent_away
check "connects-anew: told" eventually 5 told_refusal connects-anew 'its front-end comes and goes too often'
taken=$(($(spent Domain-0 $WATCHED) - idle_time))
check "connects-anew: costs Dom0 nothing then" test $taken -le 50
note "connects-anew: $taken ms of $WATCHED s"
unharmed connects-anew
for crime in flood-xenstore grant-anew; do
	suffered $crime
done
# She does not survive this one.
suffered grant-of-xenstore
check "mallory is destroyed" xl destroy mallory
check "what alice and bob have is as before" eventually 20 books_are "$books_before" "$alice" "$bob"
note "$(cat $LEDGER)"
finish
