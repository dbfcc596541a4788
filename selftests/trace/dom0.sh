#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Trace events, of a transfer, of what is refused and of what goes back: in both halves, with the sizes,
# peers and reasons that the knobs know. /out/formats has their formats, /out/*.trace what was seen.

# Commands in single quotes are for a DomU's shell.
# shellcheck disable=SC2016

. ../lib/ktap.sh
. ../lib/cmm.sh

TRACING=/sys/kernel/tracing
EVENTS=$TRACING/events/xen_cmm
AMOUNT=16384
PAGES=$((AMOUNT / 4))
A=$(xl domid alice) B=$(xl domid bob)

FRONT='answer auto demand gave release request rescue settle'
BACK='answer ask cap drew grant release request shut_out took'

# there HALF EVENT...: what its directory has.
there() {
	half=$1
	shift
	printf '%s\n' enable filter && printf "cmm_${half}_%s\n" "$@"
}
# shellcheck disable=SC2086 # words
has_events() {
	there front $FRONT | sort | tr '\n' ' ' >/tmp/front
	there back $BACK | sort | tr '\n' ' ' >/tmp/back
	# Sorted alike, whatever ls does.
	for name in alice bob; do
		equals "$(cat /tmp/front)" guest -t 60 "$name" "ls $EVENTS | sort | tr '\n' ' '" || return 1
	done
	equals "$(cat /tmp/back)" sh -c "ls $EVENTS | sort | tr '\n' ' '"
}

# record_formats: both halves' formats, for who checks scripts against them.
record_formats() {
	mkdir -p /out/formats/xen_cmm
	for event in "$EVENTS"/cmm_*; do
		mkdir "/out/formats/xen_cmm/${event##*/}" && cat "$event/format" >"/out/formats/xen_cmm/${event##*/}/format"
	done
	for event in $FRONT; do
		mkdir "/out/formats/xen_cmm/cmm_front_$event" &&
			guest -t 60 alice "cat $EVENTS/cmm_front_$event/format" \
				>"/out/formats/xen_cmm/cmm_front_$event/format"
	done
}
# Each says its name and its number, has fields of its own behind the four that all have, without a
# gap or an overlap that would be read as another, and says how it is printed.
is_format() {
	awk -v name="$2" '
		$1 == "name:" { named = $2 == name }
		$1 == "ID:" { numbered = $2 > 0 }
		/^\tfield:/ {
			gsub(/[:;]/, " ")
			for (i = 1; i < NF; i++) { if ($i == "offset") offset = $(i + 1); if ($i == "size") size = $(i + 1) }
			if (offset < end) overlaps++
			if (offset % size) crooked++
			end = offset + size
			fields++
		}
		/^print fmt: "/ { printed++ }
		END { exit !(named && numbered && fields > 5 && !overlaps && !crooked && printed == 1) }' "$1" ||
		{ cat "$1"; return 1; }
}
are_formats() {
	seen=0
	for event in /out/formats/xen_cmm/*; do
		is_format "$event/format" "${event##*/}" || return 1
		seen=$((seen + 1))
	done
	equals 17 echo "$seen"
}

# listen 1|0: everywhere, with nothing seen so far.
listen() {
	for name in alice bob; do
		guest -t 60 $name "echo $1 >$EVENTS/enable && echo >$TRACING/trace" || return 1
	done
	echo "$1" >$EVENTS/enable && echo >$TRACING/trace
}
# look WHAT: what was seen is in /tmp/NAME, and kept.
look() {
	# What is said last is said after the knob has returned.
	sleep 0.5
	cat $TRACING/trace >/tmp/dom0
	for name in alice bob; do
		guest -t 60 $name "cat $TRACING/trace" >/tmp/$name
	done
	for name in dom0 alice bob; do
		{ echo "# $1" && grep -v '^#' /tmp/$name; } >>/out/$name.trace
	done
}
# lines WHO EVENT: what it showed of that.
lines() { sed -n "s/.*: cmm_$2: //p" "/tmp/$1"; }
# shows WHO EVENT REGEX: once.
shows() {
	[ "$(lines "$1" "$2" | grep -cE "^$3\$")" -eq 1 ] && return
	echo "want one '$2' of $1 like '$3':"
	lines "$1" "$2"
	return 1
}
shows_none() { equals "" lines "$1" "$2"; }
# value KEY: of the first line.
value() { sed -n "s/.*\<$1=\([^ ]*\).*/\1/p" | head -n 1; }
# total_of KEY: of all lines.
total_of() { awk -v key="$1" '{ for (i = 1; i <= NF; i++) if (split($i, word, "=") == 2 && word[1] == key) sum += word[2] } END { print sum + 0 }'; }

# The same request in both domains, and its donor's questions.
id() { lines alice front_answer | value id; }
is_one_request() {
	shows dom0 back_request "dom=$A id=$(id) pages=$PAGES deadline_us=0 asker=manual" &&
		shows dom0 back_grant "dom=$A id=$(id) pages=$PAGES reason=granted" &&
		shows dom0 back_took "dom=$A id=$(id) pages=$PAGES"
}
is_answered() {
	shows alice front_request "pages=$PAGES deadline_us=0 asker=manual" &&
		shows alice front_answer "id=[1-9][0-9]* way=dom0 pages=$PAGES got=$PAGES reason=granted ns=[1-9][0-9]*"
}
# It took as long as the knob says, to what it costs to look at the clock.
takes() {
	knob=$(front alice last_latency_ns)
	ns=$(lines alice front_answer | value ns)
	within "$knob" "$ns" 200000 || { echo "$ns ns, and $knob"; return 1; }
}
# donor_is: what Dom0 asked of bob, bob heard, gave, and Dom0 had from it for alice.
donor_is() {
	equals "$PAGES" echo "$(lines dom0 back_ask | grep "^dom=$B .*kind=reclaim" | total_of pages)" &&
		equals "$PAGES" echo "$(lines bob front_demand | grep kind=reclaim | total_of pages)" &&
		equals "$PAGES" echo "$(lines bob front_gave | grep kind=reclaim | total_of moved)" &&
		equals "$PAGES" echo "$(lines dom0 back_answer | grep "^dom=$B .*whom=$A" | total_of moved)" || return 1
	equals "$(lines dom0 back_ask | value id)" echo "$(lines bob front_demand | value id)"
}
# caps_move: down by what bob gave, up by what alice was granted.
moved_by() { lines dom0 back_cap | awk -v dom="dom=$1" '$1 == dom { sub("from=", "", $2); sub("to=", "", $3); sum += $3 - $2 } END { print sum + 0 }'; }
caps_move() { equals "$1 $2" echo "$(moved_by "$A") $(moved_by "$B")"; }
caps_are_xens() {
	cap=$(lines dom0 back_cap | grep "^dom=$A " | tail -n 1 | value to)
	equals $((cap * 4)) awk -v dom="$A" '$1 == dom { print $3 }' /sys/kernel/debug/xen-cmm/ledger
}

goes_back() {
	shows alice front_release "pages=$PAGES given=$PAGES" &&
		shows dom0 back_release "dom=$A id=[1-9][0-9]* pages=$PAGES" || return 1
	equals "$PAGES" echo "$(lines dom0 back_ask | grep "^dom=$B .*kind=give" | total_of pages)" &&
		equals "$PAGES" echo "$(lines bob front_gave | grep kind=give | total_of moved)" &&
		equals "$PAGES" echo "$(lines dom0 back_answer | grep "^dom=$B .*whom=$B" | total_of moved)"
}

refused() {
	shows alice front_answer "id=[1-9][0-9]* way=dom0 pages=$PAGES got=0 reason=$1 ns=[1-9][0-9]*" &&
		shows dom0 back_grant "dom=$A id=$(id) pages=0 reason=$1" && shows_none dom0 back_ask
}
not_asked() {
	shows alice front_answer "id=0 way=nothing pages=$1 got=0 reason=EDQUOT ns=[1-9][0-9]*" && shows_none dom0 back_request
}

asked_by_itself() {
	lines alice front_auto | grep -qE '^step=ask pages=[1-9][0-9]* free=[1-9][0-9]* available=[1-9][0-9]* wanted=[1-9][0-9]* rate=[0-9]+$' &&
		lines dom0 back_request | grep -q "^dom=$A .*asker=automatic" && return
	lines alice front_auto
	lines dom0 back_request
	return 1
}
gave_by_itself() {
	listened=$(guest -t 60 alice "sed -n 's/.*: cmm_front_auto: step=give-back //p' $TRACING/trace")
	[ -n "$listened" ]
}
# Nobody can give: the kernel kills the program.
is_killed() { ! guest -t 300 alice '/scenario/eater 320 0 -20'; }
was_not_rescued() {
	shows alice front_rescue "got=0 reason=no-donor ns=[1-9][0-9]*" &&
		lines dom0 back_request | grep -q "^dom=$A .*asker=emergency"
}

settles() {
	cmm-attach --detach alice && eventually 10 settled
}
settled() {
	guest -t 60 alice "sed -n 's/.*: cmm_front_settle: //p' $TRACING/trace" >/tmp/settled
	equals "before=$PAGES left=0" cat /tmp/settled
}

# Whoever listens or has listened does not keep a module, and its events go with it.
unloads() {
	rmmod xen_cmmback && [ ! -e "$EVENTS" ] || return 1
	guest -t 60 alice "rmmod xen_cmmfront && [ ! -e $EVENTS ]"
}
loads() {
	insmod /modules/xen-cmmback.ko && guest -t 60 alice 'insmod /modules/xen-cmmfront.ko auto=0' &&
		cmm-attach alice && cmm-attach bob && connected alice 20 && connected bob 20
}

plan 24
driver donor_timeout_ms 20000
check "each half has its own events" has_events
check "their formats are recorded" record_formats
check "... and can be read" are_formats

eventually 15 has_spare bob $AMOUNT >/dev/null
back alice floor_kb "$(size_of alice)"
listen 1
check "a request" front alice request_kb $AMOUNT
look transfer
check "who asks sees what it asked for, and got" is_answered
check "... in the time that the knob says" takes
check "Dom0 sees the same request, and its end" is_one_request
check "each sees who gives, how much, and to whom" donor_is
check "caps move by as much" caps_move $PAGES -$PAGES
check "... to what Xen has" caps_are_xens

listen 1
check "what was asked for is given back" front alice release_kb $AMOUNT
look give-back
check "each sees that, and who gets it" goes_back
check "caps move back" caps_move -$PAGES $PAGES

back bob floor_kb "$(size_of bob)"
listen 1
front alice request_kb $AMOUNT 2>/dev/null
look refusal
check "nobody can give: each sees why" refused no-donor
listen 1
front alice request_kb 4194304 2>/dev/null
look ceiling
check "more than the ceiling: Dom0 is not even asked" not_asked 1048576

front alice auto 1
listen 1
check "a program is killed when nobody can give" is_killed
look rescue
check "that somebody was to be rescued is seen" was_not_rescued
back bob floor_kb 131072
# After a failure it waits for a while.
sleep 3
listen 1
check "a program needs more than its domain has" guest -t 300 alice '/scenario/eater 160 100'
look auto
check "that the domain asks by itself is seen, and why" asked_by_itself
check "... and that it gives back" eventually 60 gave_by_itself
eventually 60 equals 0 front alice borrowed_kb >/dev/null
front alice auto 0

front alice request_kb $AMOUNT
listen 1
check "it settles when its device goes, which is seen" settles
listen 0
check "modules that were listened to are unloaded" unloads
check "... and loaded again" loads
listen 1
front alice request_kb $AMOUNT && front alice release_kb $AMOUNT
check "they are unloaded while somebody listens" unloads
finish
