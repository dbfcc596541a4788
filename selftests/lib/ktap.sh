# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# KTAP for suites: results on stdout, a line each, diagnostics behind "# ".

KTAP_COUNT=0
KTAP_FAILED=0
KTAP_SKIP=4

# plan N
plan() {
	echo "KTAP version 1"
	echo "1..$1"
}

# skip_all WHY: the whole suite cannot run here.
skip_all() {
	echo "KTAP version 1"
	echo "1..0 # SKIP $1"
	exit $KTAP_SKIP
}

note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

ok() {
	KTAP_COUNT=$((KTAP_COUNT + 1))
	echo "ok $KTAP_COUNT $1"
}

not_ok() {
	KTAP_COUNT=$((KTAP_COUNT + 1))
	KTAP_FAILED=$((KTAP_FAILED + 1))
	echo "not ok $KTAP_COUNT $1"
}

skip() {
	KTAP_COUNT=$((KTAP_COUNT + 1))
	echo "ok $KTAP_COUNT $1 # SKIP $2"
}

# check WHAT COMMAND...: passes when COMMAND does; shows what it said otherwise.
# COMMAND runs in a subshell.
check() {
	ktap_what=$1
	shift
	if ktap_output=$("$@" 2>&1); then
		ok "$ktap_what"
	else
		not_ok "$ktap_what"
		note "failed: $*"
		[ -z "$ktap_output" ] || note "$ktap_output"
	fi
}

# result STATUS WHAT [FILE]: passes when STATUS is 0; shows what FILE has otherwise.
result() {
	if [ "$1" -eq 0 ]; then
		ok "$2"
	else
		not_ok "$2"
		[ ! -s "${3:-}" ] || note "$(cat "$3")"
	fi
}

# finish: the suite's exit status.
finish() {
	[ "$KTAP_FAILED" -eq 0 ] || exit 1
	exit 0
}
