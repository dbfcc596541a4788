# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Messages, pinned versions, and cache entries: what every part of
# scripts/buildroot stands on.

# The oldest free space, in MiB, with which making the entries can succeed.
readonly SPACE_NEEDED_MB=8192

say() { printf '%s\n' "$*" >&2; }

die() {
	local line
	say "buildroot: error: $1"
	shift
	for line in "$@"; do
		say "    $line"
	done
	exit 1
}

# One line a step, with the seconds since the start of the whole command.
step() { printf 'buildroot: %4ds  %s\n' "$SECONDS" "$*" >&2; }

# Reads scripts/versions; what is set already (environment, make) wins.
load_versions() {
	local line name
	# shellcheck disable=SC2034 # choice.sh reads it
	KERNEL_GIVEN=no
	# shellcheck disable=SC2034
	[ -z "${KERNEL:-}" ] || KERNEL_GIVEN=yes
	while read -r line; do
		name=${line%%=*}
		case $line in
		'#'* | '') ;;
		*) [ -n "${!name:-}" ] || printf -v "$name" '%s' "${line#*=}" ;;
		esac
	done <"$TOP/scripts/versions"
	case $KERNEL in
	*/* | *' '* | [!0-9]*) die "KERNEL=$KERNEL is not a kernel release" \
		"It is what uname -r prints on the machine the modules are for." ;;
	esac
}

# hash_of FILE...: what an entry's name ends in, so that a change makes it anew.
hash_of() { cat -- "$@" | sha256sum | cut -c1-12; }

# make_entry NAME MAKER: makes $CACHE/NAME by running `MAKER PARTIAL FINAL`,
# unless it exists. An entry appears under its name only when it is complete:
# it is made as NAME.partial and renamed. One process makes, the others wait;
# the lock is the kernel's, so it cannot outlive its holder, and what a killed
# maker left behind is removed by the next one.
make_entry() {
	local name=$1 maker=$2 final=$CACHE/$1 partial=$CACHE/$1.partial lock
	[ ! -d "$final" ] || return 0

	exec {lock}>"$CACHE/$name.lock"
	if ! flock --nonblock "$lock"; then
		step "waiting for another process that is making $name"
		flock "$lock"
	fi
	if [ ! -d "$final" ]; then
		if [ -e "$partial" ]; then
			step "removing what an interrupted run left of $name"
			rm -rf --one-file-system -- "$partial"
		fi
		check_space
		LOG=$CACHE/log/$name.log
		: >"$LOG"
		"$maker" "$partial" "$final"
		mv -T -- "$partial" "$final"
		step "$name is ready"
	fi
	exec {lock}>&-
}

check_space() {
	local free
	free=$(df --output=avail -m -- "$CACHE" | tail -n 1)
	[ "$free" -ge "$SPACE_NEEDED_MB" ] || die \
		"$CACHE has $((free)) MiB free, and $SPACE_NEEDED_MB MiB are needed" \
		"Make room there, or set CMM_CACHE to a directory on a larger disk."
}

# logged WHAT COMMAND...: runs COMMAND with its output in the log, and when it
# fails, shows the end of it. COMMAND gets namespaces of its own and dies with
# this process, so that neither a mount nor a half-finished job outlives it.
logged() {
	local what=$1 status=0
	shift
	step "$what"
	printf '== %s\n' "$what" >>"$LOG"
	setpriv --pdeathsig KILL -- \
		unshare --mount --pid --fork --kill-child --mount-proc -- "$@" \
		</dev/null >>"$LOG" 2>&1 || status=$?
	[ "$status" -eq 0 ] && return
	say "buildroot: the last lines of $LOG:"
	tail -n 15 -- "$LOG" | sed 's/^/    | /' >&2
	die "'$what' failed with status $status" "The whole log: $LOG"
}
