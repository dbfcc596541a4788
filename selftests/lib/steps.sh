# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Alice asks bob for memory, and something happens half-way. Needs faults.sh. A transfer
# is held at a step by pausing whoever has to go on:
#
#   asked      bob has been asked, and has not begun
#   working    bob is giving
#   granted    bob has given; alice has been told, and has not begun to take
#   borrowed   alice has it
#   returning  alice has given it back; bob has been told, and has not begun to take
#   stocked    both have credit, alice has used some, and there is a reserve

# One portion, which bob gives as a whole: he has given nothing before he has answered.
AMOUNT=16384

nonzero() { [ "$("$@")" -gt 0 ] || { echo "$*: 0"; return 1; }; }

# know: their ids change with each life.
know() {
	alice=$(xl domid alice)
	bob=$(xl domid bob)
}

# ask: alice asks, in the background. /run/answer gets the request's status, /run/said what went wrong.
ask() {
	# shellcheck disable=SC2016 # for the DomU's shell
	guest -t 60 alice ': >/run/asked
		cd /sys/bus/xen/devices/cmm-0
		echo 60000000 >deadline_us
		(echo '$AMOUNT' >request_kb 2>/run/said; echo $? >/run/answer) &'
}

# By Xen's word: Dom0's books do not know yet.
bob_is_giving() { [ "$(size_of bob)" -lt "$bob_size" ]; }
bob_is_ready() { [ "$(ledger "$bob" available)" -gt $((AMOUNT + 8192)) ]; }

# catch_bob: while he gives. With a hundredth of a CPU, used up already, he takes long
# enough for that, most often. What uses it up ends by itself once he has all of a CPU again.
catch_bob() {
	# shellcheck disable=SC2016 # for the DomU's shell
	guest -t 60 bob '(i=0; while [ $((i += 1)) -lt 400000 ]; do :; done) & echo $! >/run/busy'
	xl sched-credit -d bob -c 1
	sleep 0.3
	ask && eventually 20 bob_is_giving
	xl pause bob
	xl sched-credit -d bob -c 0
	nonzero ledger "$bob" asked
}

# reach STEP
reach() {
	driver donor_timeout_ms 20000
	# Bob is to be asked, paused or not, and to be no quicker than he is made.
	driver ask_ready 0
	driver boost 0
	eventually 20 bob_is_ready || return 1
	case $1 in
	asked)
		xl pause bob
		ask && eventually 20 nonzero ledger "$bob" asked
		;;
	working)
		tries=40
		until catch_bob; do
			tries=$((tries - 1))
			[ $tries -gt 0 ] && run bob && settle alice && settle bob &&
				eventually 20 bob_is_ready || return 1
		done
		;;
	granted)
		reach asked || return 1
		xl pause alice
		xl unpause bob
		eventually 20 nonzero ledger "$alice" in-flight
		;;
	borrowed)
		ask && eventually 20 equals $AMOUNT ledger "$alice" balance
		;;
	returning)
		reach borrowed || return 1
		xl pause bob
		guest -t 60 alice "echo $AMOUNT >/sys/bus/xen/devices/cmm-0/release_kb" &&
			eventually 20 nonzero ledger "$bob" in-flight
		;;
	stocked)
		driver reserve_kb 8192
		driver credit_kb 1024
		eventually 20 stocked &&
			guest -t 60 alice 'echo 64 >/sys/bus/xen/devices/cmm-0/request_kb'
		;;
	esac
}
stocked() {
	equals 1024 ledger "$alice" credit && equals 1024 ledger "$bob" credit &&
		[ "$(driver pool_kb)" -ge 6144 ]
}

conserved() { within "$(total)" "$all_memory" 1024 || equals "$all_memory" total; }

# heal: both are as before, by their own books, Dom0's and Xen's.
heal() {
	! exists newcomer || xl destroy newcomer
	driver reserve_kb 0
	driver credit_kb 0
	mend alice && mend bob && know && settle alice && settle bob || return 1
	eventually 10 books_are "$books_before" "$alice" "$bob" && conserved
}

hit() {
	know
	reach "$1" && "$2" "$3" && heal
}

# at STEP FAULT [NAME]: one failure is one failure.
at() {
	failed=$KTAP_FAILED
	began=$(cut -d. -f1 /proc/uptime)
	check "$1: ${3:+$3 }$2" hit "$1" "$2" "$3"
	note "$(($(cut -d. -f1 /proc/uptime) - began)) s"
	[ "$KTAP_FAILED" -eq "$failed" ] || afresh
}

afresh() {
	note "$(cat "$LEDGER")"
	for name in alice bob; do
		! exists $name || xl destroy $name
	done
	heal >/dev/null || note "the domains cannot be mended"
}

# remember: how things are when all is well.
remember() {
	know
	eventually 15 bob_is_ready
	bob_size=$(ledger "$bob" size)
	all_memory=$(total)
	books_before=$(books "$alice" "$bob")
}

# works: does a transfer work, to the end?
works() {
	know
	reach borrowed && heal
}
