#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The scheduler's interference: transfers while other domains burn all the CPU they
# get, with the scheduler as it comes and set in other ways, and with what the
# drivers do about it switched on and off. Results go to /out/results.json.
#
# On a machine of one CPU everybody shares it. On one of four or more, Dom0, the
# requester and the donor have one each, and a hog shares it with one of them.

# shellcheck source=selftests/lib/ktap.sh
. ../lib/ktap.sh
# shellcheck source=selftests/lib/cmm.sh
. ../lib/cmm.sh

HOGS='hog1 hog2 hog3 hog4'
PAIR='Domain-0 pv donor'
RESERVE=16384
RUNS=200
# Not in step with the schedulers' ticks, of 10 and 30 ms.
PAUSES='--settle 60 --spread 31'
results=/out/results.json
sched=$(xl info | awk '/^xen_scheduler/ { print $3 }')
cpus=$(xl info | awk '/^nr_cpus/ { print $3 }')
running=0

make_hogs() {
	for name in $HOGS; do
		printf '%s\n' "name = '$name'" "type = 'pv'" "kernel = '/scenario/hog'" 'memory = 8' >/tmp/hog.cfg
		xl create -q -p /tmp/hog.cfg || return 1
	done
}

# hogs COUNT: lets so many run.
hogs() {
	n=0
	for name in $HOGS; do
		n=$((n + 1))
		if [ $n -gt "$running" ] && [ $n -le "$1" ]; then xl unpause "$name"; fi
		if [ $n -le "$running" ] && [ $n -gt "$1" ]; then xl pause "$name"; fi
	done
	running=$1
}

# transfers PATH SETTING SIZES
transfers() {
	guest pv "/scenario/cmm-latency transfer --case interference --guest pv --path $1 --hogs $running \
		--sched $2 --sizes $3 --runs $RUNS $PAUSES" >/tmp/series
	status=$?
	[ "$status" -ne 0 ] || cat /tmp/series >>"$results"
	cat /tmp/series
	return "$status"
}

# measure PATH SETTING SIZES
measure() {
	eventually 60 settled
	check "$1, $running hogs, $2" transfers "$@"
	sed 's/^/# /' /tmp/series
}

settled() { [ "$(back donor lent_kb)" -eq 0 ] && [ "$(back other lent_kb)" -eq 0 ]; }
has_to_spare() { [ "$(back donor available_kb)" -gt 65536 ]; }
pool_is_ready() { [ "$(driver pool_kb)" -ge $((RESERVE * 3 / 4)) ]; }
least() { [ "$1" -lt "$2" ] && echo "$1" || echo "$2"; }
# keep NAME: is nobody's donor.
keep() { back "$1" floor_kb "$(least "$(size_of "$1")" "$(back "$1" ceiling_kb)")"; }

cold() { measure cold "$1" 64,2048; }

# warm SETTING: the ways that need nobody else to be scheduled, or only Dom0.
warm() {
	eventually 60 settled
	driver reserve_kb $RESERVE
	eventually 60 pool_is_ready
	check "reserve, $running hogs, $1" transfers reserve "$1" 64,2048
	sed 's/^/# /' /tmp/series
	driver credit_kb 4096
	sleep 1
	check "credit, $running hogs, $1" transfers credit "$1" 4,64
	sed 's/^/# /' /tmp/series
	driver credit_kb 0
	driver reserve_kb 0
}

# What is turned, on and off.
ratelimit() { xl "sched-$sched" -s -r "$1"; }
# weights N: of those a transfer needs; the hogs have 256.
weights() {
	for name in $PAIR; do
		xl "sched-$sched" -d "$name" -w "$1"
	done
}
# shellcheck disable=SC2016
busy_donor() { guest donor '/scenario/hog >/dev/null 2>&1 & echo $! >/tmp/busy'; }
# shellcheck disable=SC2016
idle_donor() { guest donor 'kill "$(cat /tmp/busy)"'; }

# Everybody on one CPU.
shared_cpu() {
	for count in 0 1 2 4; do
		hogs $count
		cold "$sched"
		case $count in 0 | 4) warm "$sched" ;; esac
	done
	ratelimit 0
	cold "$sched-ratelimit0"
	ratelimit 1000
	weights 4096
	cold "$sched-weights"
	weights 256
	driver boost 1
	cold "$sched-boost"
	ratelimit 0
	cold "$sched-boost-ratelimit0"
	weights 4096
	cold "$sched-all"
	warm "$sched-all"
	weights 256
	ratelimit 1000
	hogs 0
	cold "$sched-boost"
}

# How often the thread in which the donor gives ran how long after its handler: what there
# would be to gain if the handler gave.
thread_starts() { guest donor "grep '^donor wake-up' /sys/kernel/debug/xen-cmm/phases"; }

# A donor with work of its own, and another without.
busy_donors() {
	busy_donor
	hogs 4
	driver boost 0
	driver ask_ready 0
	cold "$sched-busy"
	driver boost 1
	cold "$sched-busy-boost"
	driver boost 0
	driver ask_ready 1
	back other floor_kb "$other_floor"
	cold "$sched-busy-ask_ready"
	driver boost 1
	cold "$sched-busy-both"
	idle_donor
}

# pin NAME CPU
pin() { xl vcpu-pin "$1" 0 "$2"; }

# Each on a CPU of its own, and a hog beside one of them.
own_cpus() {
	pin Domain-0 0
	pin pv 1
	pin donor 2
	pin other 3
	hogs 1
	for setting in "$sched" "$sched-boost"; do
		[ "$setting" = "$sched" ] || driver boost 1
		for place in nobody:3 dom0:0 requester:1 donor:2; do
			pin hog1 "${place#*:}"
			cold "$setting-beside-${place%:*}"
		done
	done
}

case $sched in
credit | credit2) ;;
*) skip_all "the settings are those of credit and credit2, and this is $sched" ;;
esac
if [ "$cpus" -ge 4 ]; then plan 8; else plan 20; fi
make_hogs || exit 1
driver donor_timeout_ms 20000
driver boost 0
other_floor=$(back other floor_kb)
keep pv
keep other
eventually 60 has_to_spare
if [ "$cpus" -ge 4 ]; then
	own_cpus
else
	shared_cpu
	note "in ns: $(thread_starts)"
	busy_donors
fi
finish
