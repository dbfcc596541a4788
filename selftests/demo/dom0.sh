#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The demonstration: a minute in the life of four virtual machines, each of which now and then needs more
# memory than it has. Nobody writes to a file. Exits with 0 only if each had what it needed, and every size
# is what it was.

. ../lib/cmm.sh

DOMAINS='web db build media'
DAY=60
wrong=0

# plays NAME: what it does in that time: seconds to wait, and a program that was recorded, and so on.
plays() {
	case $1 in
	web) echo '3 browser.rec 85 14 browser.rec 80 8 browser.rec 90' ;;
	db) echo '10 redis.rec 55 20 redis.rec 50' ;;
	build) echo '14 cxx.rec 30 6 cxx.rec 28' ;;
	media) echo '6 decode.rec 110 10 encode.rec 55 14 decode.rec 120' ;;
	esac
}

# lives NAME: prints what each program that it played had to wait for, a line each, or that it was killed.
lives() {
	# shellcheck disable=SC2046 # words
	set -- "$1" $(plays "$1")
	name=$1
	shift
	commands="/scenario/watcher $DAY >/run/watched & "
	while [ $# -gt 0 ]; do
		commands="$commands sleep $1; /scenario/burst-play --scale $3 /scenario/$2 || echo killed;"
		shift 3
	done
	guest -t 600 "$name" "$commands wait"
}

# row: a line of the table: what each has by Xen's word, and what it says that it uses, in MiB.
row() {
	sizes >/tmp/sizes
	line=$(printf '%8s' "$1")
	for name in $DOMAINS; do
		used=$(xenstore-read "/local/domain/$(xl domid "$name")/data/used" 2>/dev/null)
		line=$line$(printf '   %4d %4s' "$(awk -v name="$name" '$1 == name { print int($2 / 1024) }' /tmp/sizes)" "${used:--}")
	done
	printf '%s   %5d\n' "$line" "$(awk '$1 == "(free)" { print int($2 / 1024) }' /tmp/sizes)"
}

# expect TEXT CONDITION...: says whether it is so.
expect() {
	text=$1
	shift
	if "$@" >/dev/null 2>&1; then
		echo "          yes: $text"
	else
		echo "          NO:  $text"
		wrong=$((wrong + 1))
	fi
}
is_home() { equals 0:0 echo "$(front "$1" borrowed_kb):$(front "$1" lent_kb)"; }
all_home() { for name in $DOMAINS; do is_home "$name" || return 1; done; }
as_it_was() { [ "$(size_of "$1")" = "$(awk -v name="$1" '$1 == name { print $2 }' /tmp/start)" ]; }
# told NAME FIELD: of each of its programs, from what the player prints.
told() { sed -n "s/.*\"$2\":\([0-9.]*\).*/\1/p" "/tmp/$1"; }
worst() { told "$1" "$2" | sort -g | tail -n 1; }

cat <<END
A minute in the life of four virtual machines on Xen $(xl info xen_version), kernel $(uname -r).

Each has 256 MiB. Now and then one runs a program that needs more; which was recorded, and is played again.
Sizes in MiB: left what Xen says a machine has, right what it uses and could not do without.

 seconds         web          db       build       media     Xen
            has uses    has uses    has uses    has uses    free
END
for name in $DOMAINS; do
	eventually 20 has_spare "$name" 1024
done
sizes >/tmp/start
before=$(total)
row 0
for name in $DOMAINS; do
	lives "$name" >"/tmp/$name" 2>&1 &
done
second=0
while [ $second -lt $DAY ]; do
	sleep 3
	second=$((second + 3))
	row $second
done
wait
eventually 60 all_home
row "after"
echo
for name in $DOMAINS; do
	expect "$name: no program was killed" sh -c "! grep -q killed /tmp/$name"
	asked=$(guest -t 60 "$name" "awk '\$1 == \"asked\" { print \$2 }' /sys/kernel/debug/xen-cmm/auto")
	expect "$name asked $asked times; a page took $(($(worst "$name" longest_ns) / 1000)) us at most, its programs $(worst "$name" time_ratio) times as long as they would" \
		test "$asked" -gt 0
	expect "$name has what it had, and nothing is borrowed or lent by it" as_it_was "$name"
	guest -t 60 "$name" 'cat /run/watched' >"/out/$name.tsv"
done
expect "nothing was lost on the way" within "$(total)" "$before" 1024
echo
[ $wrong -eq 0 ] || echo "$wrong of these are not as they should be."
[ $wrong -eq 0 ]
