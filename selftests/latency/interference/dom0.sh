#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The scheduler's interference: transfers while 0, 1, 2 and 4 other domains burn
# all the CPU they get, with the scheduler as it comes and set in other ways.
# Results go to /out/results.json.

# shellcheck source=selftests/lib/ktap.sh
. ../lib/ktap.sh
# shellcheck source=selftests/lib/cmm.sh
. ../lib/cmm.sh

HOGS='hog1 hog2 hog3 hog4'
PAIR='Domain-0 pv donor'
RESERVE=16384
RUNS=10
# With the CPU shared by five, memory takes a while to get back to its lender.
PAUSE=150
results=/out/results.json
sched=$(xl info | awk '/^xen_scheduler/ { print $3 }')

# hogs COUNT: lets so many run.
hogs() {
	n=0
	for name in $HOGS; do
		n=$((n + 1))
		if [ $n -le "$1" ]; then xl unpause "$name"; else xl pause "$name"; fi
	done
}

# transfers PATH HOGS SETTING SIZES
transfers() {
	guest pv "/scenario/cmm-latency transfer --case interference --guest pv --path $1 --hogs $2 \
		--sched $3 --sizes $4 --runs $RUNS --settle $PAUSE" >/tmp/series || {
		cat /tmp/series
		return 1
	}
	cat /tmp/series >>"$results"
}

settled() { [ "$(back donor lent_kb)" -eq 0 ]; }
has_to_spare() { [ "$(back donor available_kb)" -gt 65536 ]; }
pool_is_ready() { [ "$(driver pool_kb)" -ge $((RESERVE * 3 / 4)) ]; }
least() { [ "$1" -lt "$2" ] && echo "$1" || echo "$2"; }
credit_knob() { echo /sys/bus/xen-backend/drivers/*cmm*/credit_kb; }

# series HOGS SETTING: the three ways memory comes.
series() {
	hogs "$1"
	eventually 20 settled
	check "cold, $1 hogs, $2" transfers cold "$1" "$2" 2048
	driver reserve_kb $RESERVE
	eventually 20 pool_is_ready
	check "reserve, $1 hogs, $2" transfers reserve "$1" "$2" 64,2048
	if [ -e "$(credit_knob)" ]; then
		driver credit_kb 4096
		sleep 1
		check "credit, $1 hogs, $2" transfers credit "$1" "$2" 64
		driver credit_kb 0
	else
		skip "credit, $1 hogs, $2" "this back-end has no credit_kb"
	fi
	driver reserve_kb 0
	tail -n 4 "$results" | sed 's/^/# /'
}

# weights N: of those a transfer needs; the hogs have 256.
weights() {
	for name in $PAIR; do
		xl "sched-$sched" -d "$name" -w "$1"
	done
}

ratelimit() { xl "sched-$sched" -s -r "$1"; }

case $sched in
credit | credit2) ;;
*) skip_all "the settings are those of credit and credit2, and this is $sched" ;;
esac
plan 30
for name in $HOGS; do
	guest "$name" '/scenario/cmm-latency hog >/dev/null 2>&1 &'
	xl pause "$name"
done
driver donor_timeout_ms 20000
for name in pv $HOGS; do
	back "$name" floor_kb "$(least "$(size_of "$name")" "$(back "$name" ceiling_kb)")"
done
eventually 20 has_to_spare

for count in 0 1 2 4; do
	series $count "$sched"
done
ratelimit 0
series 0 "$sched-ratelimit0"
series 4 "$sched-ratelimit0"
weights 4096
series 0 "$sched-both"
series 4 "$sched-both"
ratelimit 1000
series 0 "$sched-weights"
series 4 "$sched-weights"
hogs 4
finish
