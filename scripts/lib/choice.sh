# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Which kernel, when the one that is wanted is a preference only: a mirror keeps a release for some
# weeks. What was chosen is noted in the cache, so that all commands mean the same kernel.

# newest_of SERIES...: of the releases on standard input, the newest that belongs to one of SERIES.
newest_of() {
	local series pattern=
	for series in "$@"; do
		pattern+="${pattern:+|}${series//./\\.}\\."
	done
	{ grep -E "^($pattern)" || true; } | sort -V | tail -n 1
}

# mirror_kernels: the releases of stock kernels that the mirror has, a line each.
mirror_kernels() {
	local lists=$CACHE/log/kernels
	make_entry "$ROOT_NAME" make_root
	LOG=$CACHE/log/choice.log
	: >"$LOG"
	rm -rf -- "$lists"
	mkdir -p -- "$lists"
	inside "asking the mirror which kernels it has" "$LIB/kernels-inside" "$lists" "$lists"
	cat -- "$lists/kernels"
	rm -rf -- "$lists"
}

# has_kernel RELEASE ENTRY: whether its entry, kernel or boot, is in the cache.
has_kernel() {
	local KERNEL=$1
	[ -d "$CACHE/$("$2_name")" ]
}

# choose_kernel ENTRY [ASK]: sets KERNEL to the release that stands for it: itself, if its ENTRY is
# in the cache or the user has named it whole; what was chosen for it before; or one that the mirror
# has, which the command ASK tells.
choose_kernel() {
	local entry=$1 ask=${2:-} wanted=$KERNEL note=$CACHE/log/choice-$KERNEL
	local chosen='' series=() has
	case $wanted in
	*.*.*)
		[ "$KERNEL_GIVEN" = no ] || return 0
		! has_kernel "$wanted" "$entry" || return 0
		read -ra series <<<"$KERNEL_WINDOW"
		;;
	*) series=("$wanted") ;;
	esac
	[ ! -f "$note" ] || chosen=$(cat -- "$note")
	if [ -n "$chosen" ] && has_kernel "$chosen" "$entry"; then
		KERNEL=$chosen
		return 0
	fi
	[ -n "$ask" ] || return 0
	has=$("$ask")
	if grep -qxF -- "$wanted" <<<"$has"; then return 0; fi
	chosen=$(newest_of "${series[@]}" <<<"$has")
	[ -n "$chosen" ] || die "the mirror has no kernel ${series[*]}" \
		"It has: $(xargs <<<"$has")" "Choose one of these with KERNEL=, or a mirror with CMM_MIRROR=."
	step "kernel $chosen: the newest of ${series[*]} that the mirror has$(
		[ "$KERNEL_GIVEN" = yes ] || echo "; it does not have $wanted")"
	printf '%s\n' "$chosen" >"$note"
	KERNEL=$chosen
}
