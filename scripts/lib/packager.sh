# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The Debian root that packages and documents are made and checked in. It is apart from the root
# with the toolchain, because who only builds modules needs none of this. The packages that ours
# depend on are in it, so that installing ours fetches nothing.

packager_packages() {
	cat <<-EOF
		bash-completion bc bindgen bison ca-certificates debhelper dh-dkms dkms dwarves fakeroot
		file flex gcc-$GCC git kmod libelf-dev libssl-dev lintian make man-db pkgconf
		python3-sphinx reuse rust-src rustc systemd xenstore-utils xz-utils
	EOF
}

packager_name() {
	printf 'packager-%s-%s\n' "$SUITE" "$(packager_packages | hash_of - "$LIB/packager.sh")"
}

make_packager() {
	local partial=$1 mirror pocket sources=()
	install_mmdebstrap
	mirror=$(host_mirror)
	check_mirror "$mirror" "$SUITE"
	for pocket in "$SUITE" "$SUITE-updates" "$SUITE-backports"; do
		[ -z "$mirror" ] || sources+=("deb $mirror $pocket main")
	done
	logged "making a $SUITE root for packages and documents (about a minute)" \
		mmdebstrap --mode=root --variant=apt \
		--include="$(packager_packages | xargs | tr ' ' ,)" \
		--aptopt='APT::Install-Recommends "false"' "$SUITE" "$partial" "${sources[@]}"
	touch "$partial/etc/resolv.conf"
}
