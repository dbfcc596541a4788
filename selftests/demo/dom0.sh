#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The demonstration: alice asks for more memory than it has, bob and carol give,
# alice gives it back. Exits with 0 only if every size was as it should be.

. ../lib/cmm.sh

ASKED_MB=224
ASKED=$((ASKED_MB * 1024))
DOMAINS='alice bob carol'
wrong=0

seconds() { cut -d ' ' -f 1 /proc/uptime; }

# row TEXT: a line of the table: each domain's size as Xen has it, and the
# memory its own kernel has, in MiB.
row() {
	sizes >/tmp/sizes
	line=$(printf '%8s  %-34s' "$(seconds)" "$1")
	for name in $DOMAINS; do
		line=$line$(printf '   %4d %4d' "$(kept "$name")" "$(($(mem "$name" MemTotal) / 1024))")
	done
	printf '%s   %5d\n' "$line" "$(kept '(free)')"
}

# kept NAME: its size in the last row, in MiB.
kept() { awk -v name="$1" '$1 == name { print int($2 / 1024) }' /tmp/sizes; }

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

# moved NAME KIB: has the domain grown by that much since the start?
moved() {
	start=$(awk -v name="$1" '$1 == name { print $2 }' /tmp/start)
	[ $(($(size_of "$1") - start)) -eq "$2" ]
}

own_moved() {
	start=$(awk -v name="$1" '$1 == name { print $2 }' /tmp/own)
	within $(($(mem "$1" MemTotal) - start)) "$2" 1024
}

# given: what bob and carol gave, together.
given() {
	for name in bob carol; do
		awk -v name="$name" '$1 == name { print $2 }' /tmp/start
		size_of "$name"
	done | awk 'NR % 2 { sum += $1; next } { sum -= $1 } END { print sum }'
}

cat <<END
Memory moves between virtual machines on Xen $(xl info xen_version), kernel $(uname -r).

Three DomUs run beside Dom0. alice has less memory than it needs. Sizes in MiB: left what
Xen says a domain has, right what the domain's own kernel counts.

 seconds  step                                    alice       bob     carol     Xen
                                                  Xen  own   Xen  own   Xen  own    free
END
sizes >/tmp/start
for name in $DOMAINS; do
	echo "$name $(mem "$name" MemTotal)"
done >/tmp/own
before=$(total)
row "as booted"
# The first reports of available memory are on their way.
eventually 20 has_spare bob 1024 && eventually 20 has_spare carol 1024

row "alice asks for $ASKED_MB MiB more"
front alice request_kb $ASKED &
request=$!
while kill -0 $request 2>/dev/null; do
	sleep 0.3
	row "  ..."
done
wait $request
status=$?
row "alice has got its answer"
latency=$(front alice last_latency_ns)
expect "the request was granted ($(front alice last_reason))" test $status -eq 0
expect "alice is $ASKED_MB MiB larger, says Xen" moved alice $ASKED
expect "alice is $ASKED_MB MiB larger, says alice" own_moved alice $ASKED
expect "alice has borrowed that much" equals $ASKED front alice borrowed_kb
expect "bob and carol have given it" equals $ASKED given
expect "bob and carol both gave" test "$(back bob lent_kb)" -gt 0 -a "$(back carol lent_kb)" -gt 0
expect "nothing was lost on the way" within "$(total)" "$before" 1024
bob_lent=$(($(back bob lent_kb) / 1024))
carol_lent=$(($(back carol lent_kb) / 1024))

front alice release_kb $ASKED
row "alice gives it back"
eventually 30 moved bob 0
eventually 30 moved carol 0
row "bob and carol have theirs again"
for name in $DOMAINS; do
	expect "$name is as large as at the start, says Xen" moved "$name" 0
	expect "$name is as large as at the start, says $name" own_moved "$name" 0
	expect "nothing is borrowed or lent by $name any more" \
		equals 0:0 echo "$(front "$name" borrowed_kb):$(front "$name" lent_kb)"
done
expect "nothing was lost on the way" within "$(total)" "$before" 1024

echo
if [ $wrong -eq 0 ]; then
	cat <<-END
	alice, a virtual machine of 192 MiB, asked for $ASKED_MB MiB and had them $((latency / 1000000)) ms later:
	$bob_lent MiB from bob and $carol_lent MiB from carol. Then it gave them back, and every size is again
	what it was. (Emulated machine: the times say nothing about real hardware.)
	END
else
	echo "$wrong of the sizes above are not as they should be."
fi
[ $wrong -eq 0 ]
