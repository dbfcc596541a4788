# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Packages that are unpacked and not installed. Used inside the root.

fail() {
	echo "error: $*"
	exit 1
}

# download_start DIR: an empty DIR for the packages, and fresh indexes.
download_start() {
	mkdir -p "$1/lists/partial"
	cd -- "$1" || fail "cannot enter $1"
	apt_options=(-o Dir::State::lists="$1/lists" -o APT::Sandbox::User=root)
	apt-get "${apt_options[@]}" update
}

# download PACKAGE[=VERSION] WHAT PATTERN: fetches it, or names what there is.
download() {
	apt-get "${apt_options[@]}" download "$1" && return
	echo "The mirror has:"
	apt-cache "${apt_options[@]}" search --names-only "$3" | cut -d ' ' -f 1 |
		xargs -r apt-cache "${apt_options[@]}" show --no-all-versions |
		awk '/^Package:/ { p = $2 } /^Version:/ { print "  " p " " $2 }'
	fail "the mirror has no $1 ($2): choose another with KERNEL= or XEN=" \
		"(scripts/versions has the defaults), or a mirror that keeps it with CMM_MIRROR="
}
