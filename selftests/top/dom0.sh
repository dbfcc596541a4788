#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# cmm-top: what it shows of domains whose memory moves is what Xen and the drivers say; what it
# leaves in files is whole at each moment; a domain's name does nothing to the terminal.

. ../lib/ktap.sh
. ../lib/cmm.sh

AMOUNT=16384
PATH=/scenario:$PATH

# cell NAME N: a word of its line.
cell() { cmm-top --batch 1 | awk -v name="$1" -v at="$2" '$2 == name { print $at }'; }
line() { cmm-top --batch 1 | grep -w "$1"; }
shows() { line "$1" | grep -F "$2" || { echo "want '$2':"; cmm-top --batch 1; return 1; }; }
mib() { awk -v kib="$1" 'BEGIN { print int(kib * 10 / 1024) / 10 }'; }
# exported FIGURE NAME: its value in the file for Prometheus.
exported() { sed -n "s/^xen_cmm_domain_$1{.*name=\"$2\"} //p" /tmp/cmm.prom; }

# waits: while bob, who is asked, cannot answer.
waits() {
	driver ask_ready 0 && driver donor_timeout_ms 5000 && xl pause bob || return 1
	front alice request_kb "$AMOUNT" &
	asking=$!
	eventually 2 shows alice "waits for memory"
	waiting=$?
	shows bob "is asked for $((AMOUNT / 1024)) MiB" && [ "$(cell alice 8)" -eq 1 ]
	asked=$?
	record waiting
	xl unpause bob
	wait "$asking" && [ "$waiting" -eq 0 ] && [ "$asked" -eq 0 ]
}

# moves: there and back, several times.
moves() {
	for _ in 1 2 3; do
		front alice request_kb "$AMOUNT" && front alice release_kb "$AMOUNT" || return 1
	done
}

# whole: the file has its last line whenever one looks.
whole() {
	while kill -0 "$1" 2>/dev/null; do
		tail -n 1 /tmp/cmm.prom | grep -qx 'xen_cmm_balanced 1' || { cat /tmp/cmm.prom; return 1; }
		sleep 0.01
	done
}

watched() {
	rm /tmp/cmm.prom
	cmm-top --batch --csv /tmp/run.csv --prometheus /tmp/cmm.prom --interval 0.05 >/tmp/batch &
	watching=$!
	eventually 5 test -s /tmp/cmm.prom
	moves &
	moving=$!
	whole "$moving"
	found=$?
	wait "$moving" || found=1
	kill "$watching" || found=1
	wait "$watching"
	return "$found"
}

# seen: some look has seen alice with all of it.
seen() {
	awk -F, -v want="$AMOUNT" 'NR > 1 { if ($3 == "\"alice\"" && $6 == want) n++ } END { exit !n }' /tmp/run.csv
}

# record NAME: what is read, for tests on the host.
record() {
	dir=/out/recorded/$1
	for file in /sys/kernel/debug/xen-cmm/* /sys/bus/xen-backend/drivers/xen_cmmback/*_* \
		/sys/bus/xen-backend/drivers/xen_cmmback/policy /sys/bus/xen-backend/devices/cmm-*/*_kb \
		/sys/bus/xen-backend/devices/cmm-*/weight /sys/bus/xen-backend/devices/cmm-*/protected; do
		mkdir -p "$dir${file%/*}"
		cat "$file" >"$dir$file" 2>/dev/null || rm "$dir$file"
	done
	for id in $(xenstore-list /local/domain); do
		mkdir -p "$dir/xenstore/local/domain/$id"
		xenstore-read "/local/domain/$id/name" >"$dir/xenstore/local/domain/$id/name"
	done
}

# harmless: with bob's name changed so that it would clear the screen.
harmless() {
	node=/local/domain/$(xl domid bob)/name
	xenstore-write "$node" "$(printf 'b\033[2Jb')"
	said=$(cmm-top --batch 1)
	xenstore-write "$node" bob
	case $said in
	*"$(printf '\033')"*) echo "$said" | od -c; return 1 ;;
	*'b?[2Jb'*) ;;
	*) echo "$said"; return 1 ;;
	esac
}

without_debugfs() {
	umount /sys/kernel/debug
	said=$(cmm-top --batch 1 2>/tmp/errors)
	mount -t debugfs debug /sys/kernel/debug
	grep -q 'is debugfs mounted?' /tmp/errors && echo "$said" | grep -w alice | grep -w connected
}

plan 17
check "it says its version" sh -c 'cmm-top --version | grep "^cmm-top (xen-cmm) [0-9]"'
check "a domain without a device is seen" shows carol "has no device"
guest -t 60 bob rmmod xen_cmmfront
cmm-attach alice && connected alice 20 && cmm-attach bob
check "one whose front-end has not come is, too" eventually 5 shows bob "no front-end has come"
guest -t 60 bob insmod /modules/xen-cmmfront.ko auto=0 && connected bob 20
eventually 15 has_spare bob $AMOUNT >/dev/null
check "sizes are Xen's" equals "$(mib "$(size_of bob)")" cell bob 4
check "who waits, and who is asked, is seen" waits
check "what was borrowed is seen" equals "$((AMOUNT / 1024))" cell alice 5
check "what was lent is, too" equals "$((AMOUNT / 1024))" cell bob 6
check "and why" shows alice "got $((AMOUNT / 1024)) MiB: granted"
record borrowed
cmm-top --prometheus /tmp/cmm.prom --count 1
check "figures for Prometheus are those of the knobs" equals "$(($(back alice borrowed_kb) * 1024)) $((AMOUNT * 1024))" \
	echo "$(exported borrowed_bytes alice)" "$(exported lent_bytes bob)"
note "$(cmm-top --batch 1)"
front alice release_kb $AMOUNT
check "beside moving memory, the file for Prometheus is always whole" watched
check "nothing else is left there" equals /tmp/cmm.prom echo /tmp/cmm.prom*
check "memory was seen to move" seen
check "that is drawn" sh -c 'cmm-top --draw /tmp/run.csv /out/run.svg && grep -q alice /out/run.svg'
check "a name does nothing to the terminal" harmless
check "without debugfs there is the rest" without_debugfs
check "it needs the back-end" rmmod xen_cmmback
check "... and says so" fails_with 'modprobe xen-cmmback' cmm-top --batch 1
cp /tmp/run.csv /out
finish
