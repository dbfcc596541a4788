#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Four domains play bursts, the same again under each manager of memory. scripts/compare sets TYPE, LOAD, SEED, SPAN
# in seconds, and POLICIES; /out has what each domain said of each, and /out/cpu how much CPU time was used.

. ../lib/cmm.sh

SIZE=256
MOST=512
# What Xen is to have free besides: what qmemman keeps.
SPARE=50
RESERVE=$((SIZE * 4 * 1024 / 20))

printf "%s\n" "TYPE=$TYPE" "LOAD=$LOAD" "SEED=$SEED" "SPAN=$SPAN" >/out/case
names="${TYPE}1 ${TYPE}2 ${TYPE}3 ${TYPE}4"

each() { for name in $names; do "$@" "$name" || return; done; }

# bring_up NAME: emulated hardware virtualisation makes a PVH domain crash now and then on its way up.
bring_up() {
	for _ in 1 2 3; do
		xl create -q "/etc/xen/$1.cfg" || return
		! guest -t 240 "$1" true || return 0
	done
	echo "$1 does not come up"
	return 1
}

# has MIB NAME: as far as whole MiB can say.
has() { within "$(xl list "$2" | awk 'END { print $3 }')" "$1" 1; }
comes_to() { eventually "${3:-60}" has "$1" "$2"; }
told() { xl mem-set "$2" "$1"; }
capped() { xl mem-max "$2" "$1"; }

# all_have MIB: all are told before any is waited for, since what one gives is what another takes. A stock balloon
# that has found nothing is told again.
all_have() {
	for _ in 1 2 3 4 5 6; do
		each told "$1"
		for name in $names; do comes_to "$1" "$name" 5 >/dev/null || continue 2; done
		return
	done
	xl list
	return 1
}

# load_ours: in all domains, and in Dom0.
attached() { guest -t 60 "$1" 'insmod /modules/xen-cmmfront.ko auto=1'; }
load_ours() {
	insmod /modules/xen-cmmback.ko && each attached && cmm-attach --all && each connected
}

# What one run has borrowed is home before the next.
at_rest() { ! cat /sys/bus/xen-backend/devices/cmm-*-0/borrowed_kb | grep -qvx 0; }

# used: CPU time of all domains so far, in tenths of a second.
used() { xl list | awk 'NR > 1 && $1 != "ballast" { printf "%s %d\n", $1, $NF * 10 }'; }

# play POLICY ROLE [RULE MILLISECONDS]: all play, beside whoever looks.
play() {
	policy=$1 role=$2
	start=$(($(date +%s) + 6))
	number=0
	for name in $names; do
		guest -t 60 "$name" "/scenario/compare-play $LOAD $SEED $SPAN $number $start $role >/run/said 2>&1 &" &
		number=$((number + 1))
	done
	poller=
	if [ $# -gt 2 ]; then
		# shellcheck disable=SC2086 # ids
		./compare-poll "$3" "$4" "$start" "$SPAN" $ids &
		poller=$!
	fi
	while [ "$(date +%s)" -lt $start ]; do sleep 0.2; done
	used >/tmp/before
	sleep "$SPAN"
	used >/tmp/after
	sleep 1
	[ -z "$poller" ] || wait "$poller" || { echo "$policy: the poller failed"; return 1; }
	wait
	for name in $names; do
		guest -t 60 "$name" 'cat /run/said' >"/out/$policy.$name" || echo "$policy: $name says nothing"
	done
	join_times >>/out/cpu
	echo "$policy: $(cat /out/"$policy".* | awk '
		$1 == "killed" { killed += $2 } $1 == "wanted" { wanted += $2 } $1 == "lacked" { lacked += $2 }
		END { printf "killed %d, unmet %.2f %%", killed, lacked * 100 / wanted }')"
}

# join_times: POLICY DOMAIN TENTHS, a line for each domain.
join_times() {
	awk -v policy="$policy" 'NR == FNR { before[$1] = $2; next } { print policy, $1, $2 - before[$1] }' /tmp/before /tmp/after
}

# period_of POLICY: of RULE-0.1s, in ms.
period_of() { echo "${1#*-}" | awk '{ print $1 * 1000 }'; }

# under POLICY
under() {
	case $1 in
	owned)
		all_have $MOST && play owned watch
		all_have $SIZE
		;;
	static) play static watch ;;
	qmemman-* | squeezed-*)
		each capped $MOST
		play "$1" tell "${1%%-*}" "$(period_of "$1")" && all_have $SIZE
		;;
	self-balloon)
		each capped $MOST
		play "$1" balloon
		all_have $SIZE
		;;
	self-*)
		each capped $MOST
		play "$1" "balloon=$(period_of "$1")"
		all_have $SIZE
		;;
	ours)
		play ours watch
		;;
	ours-reserve)
		eventually 60 at_rest || return
		driver reserve_kb $RESERVE
		sleep 3
		play ours-reserve watch
		;;
	*)
		echo "no policy '$1'"
		return 1
		;;
	esac
}

each bring_up || exit
each comes_to $SIZE || exit
ids=
for name in $names; do ids="$ids $(xl domid "$name")"; done

# Before there is anything else that would keep it from having all it needs.
case " $POLICIES " in *" owned "*) under owned || exit ;; esac

free=$(xl info free_memory)
ballast=$((free - SPARE - 8))
xl create -q -p /etc/xen/ballast.cfg "memory=$ballast" "maxmem=$ballast" || exit
echo "Xen has $(xl info free_memory) MiB free besides"

# What the poller does without: that command's own time.
uptime_cs() { awk '{ print $1 * 100 }' /proc/uptime; }
began=$(uptime_cs)
for _ in 1 2 3 4 5 6 7 8 9 10; do xl mem-set "${TYPE}1" $SIZE; done
echo "xl mem-set takes $(($(uptime_cs) - began)) ms"

for wanted in $POLICIES; do
	case $wanted in
	owned) continue ;;
	ours*) [ -e /sys/module/xen_cmmback ] || load_ours || exit ;;
	esac
	under "$wanted" || exit
done
