#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# cmm-room: a domain is started that there was no memory for. Others give it, as far as they can; no
# request gets it meanwhile, and who is protected gives nothing.

. ../lib/ktap.sh
. ../lib/cmm.sh

# How much more than is free is made room of, and what is Xen's own and the toolstack's of what a domain
# takes, in MiB.
MORE=80
BESIDES=16

lent() { echo "$(back alice lent_kb) $(back bob lent_kb)"; }
has_free() { [ "$(cmm-room --free)" -ge "$1" ] || { echo "$(cmm-room --free) MiB are free, want $1"; return 1; }; }
starts() { xl create -q /etc/xen/carol.cfg && guest -t 300 carol true; }
have_spare() { for name in alice bob; do eventually 15 has_spare $name 131072 || return 1; done; }

# How much the lab has free is not the suite's business: carol takes more.
enlarge_carol() {
	sed -i "s/^\(memory\|maxmem\) *=.*/\1 = $(($1 - BESIDES))/" /etc/xen/carol.cfg
}

# makes_room MIB: while bob asks for some, and gets it from alice.
makes_room() {
	cmm-room "$1" &
	front bob request_kb 16384
	asked=$?
	wait $! && has_free "$1" && [ "$asked" -eq 0 ] && equals 16384 front bob borrowed_kb
}

# What was lent goes home, and what is asked for comes, but not from what was made room of.
requests() {
	front bob release_kb "$(front bob borrowed_kb)"
	has_free "$1" && front bob request_kb 8192 && has_free "$1" || return 1
	front bob release_kb 8192
	has_free "$1"
}

# What it took when it is stopped half-way goes back: alice cannot answer, bob has.
stopped() {
	xl pause alice
	cmm-room "$1" &
	eventually 10 gave bob && kill -TERM $!
	stopping=$?
	xl unpause alice
	! wait $! && [ "$stopping" -eq 0 ] && eventually 20 equals "0 0" lent
}
gave() { [ "$(back "$1" lent_kb)" -gt 0 ]; }

plan 11
have_spare >/dev/null
free=$(cmm-room --free)
wanted=$((free + MORE))
note "$free MiB are free, $(xl info free_memory) by Xen's word"
enlarge_carol $wanted
check "carol cannot be started" fails_with '' xl create -q /etc/xen/carol.cfg
check "more than there is cannot be had" fails_with "no domain can spare more" cmm-room 4000
check "... and all have again what they had" eventually 20 equals "0 0" lent
check "... also if it is stopped half-way" stopped $((free + 3 * MORE))
back bob protected 1
check "... and can spare it again" have_spare
check "there is room, though bob asks meanwhile" makes_room $wanted
check "... by Xen's word" test "$(xl info free_memory)" -ge $wanted
check "who is protected has given nothing" equals 0 back bob lent_kb
check "nobody's request gets it" requests $wanted
back bob protected 0
check "there is room for carol" cmm-room $wanted
check "... which starts" starts
note "lent: $(lent) KiB"
finish
