# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The Debian root with the toolchain, the host tests' cargo, Xen's tools, and what the
# emulator is built with. It
# does not depend on the kernel that modules are built for.

packages() {
	cat <<-EOF
		bc bindgen bison busybox-static ca-certificates cargo cpio dwarves
		file flex g++ gcc gcc-$GCC git gnuplot-nox kmod libc6-dev libelf-dev
		libglib2.0-dev libssl-dev make meson ninja-build pkgconf python3
		python3-pycotap python3-venv rsync rust-clippy rust-src rustc rustfmt
		shellcheck socat xenstore-utils xen-utils-$XEN xz-utils zlib1g-dev zstd
	EOF
}

# Files of packages that nothing here reads.
dropped() {
	printf '%s\n' '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/info/*' \
		'/usr/share/locale/*' '/usr/share/i18n/*' '/usr/lib/udev/*' \
		"/usr/src/rustc-$RUST/src/*" "/usr/src/rustc-$RUST/compiler/*"
}

root_name() {
	printf 'root-%s-rust-%s-%s\n' "$SUITE" "$RUST" "$(packages | hash_of - "$LIB/root.sh")"
}

# The mirror the host itself uses, empty when its tools must choose one.
host_mirror() {
	[ -z "${CMM_MIRROR:-}" ] || { printf '%s\n' "$CMM_MIRROR"; return; }
	# shellcheck disable=SC2016 # apt expands these, not the shell
	apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)' 'Identifier: Packages' |
		awk -F '|' '$1 == "Debian" { print $2; exit }'
}

# check_mirror MIRROR RELEASE: fails now, with a sentence, rather than in the middle
# of a download.
check_mirror() {
	local mirror=$1 release=$2 probe
	[ -n "$mirror" ] || return 0
	probe=$(mktemp)
	if ! /usr/lib/apt/apt-helper download-file \
		"${mirror%/}/dists/$release/InRelease" "$probe" >>"$LOG" 2>&1; then
		rm -f -- "$probe"
		die "cannot fetch the index of $release from $mirror" \
			"Check the network and the proxy settings of apt on this machine," \
			"or set CMM_MIRROR to a Debian mirror that works. The log: $LOG"
	fi
	rm -f -- "$probe"
}

install_mmdebstrap() {
	! command -v mmdebstrap >/dev/null || return 0
	logged "installing mmdebstrap on this machine" sh -ec \
		'apt-get update; apt-get install -y --no-install-recommends mmdebstrap debian-archive-keyring'
}

make_root() {
	local partial=$1 mirror include sources=() pocket dropped
	install_mmdebstrap
	mirror=$(host_mirror)
	check_mirror "$mirror" "$SUITE"
	include=$(packages | xargs | tr ' ' ,)
	if [ -n "$mirror" ]; then
		for pocket in "$SUITE" "$SUITE-updates" "$SUITE-backports"; do
			sources+=("deb $mirror $pocket main")
		done
	fi
	mapfile -t dropped < <(dropped)
	# Without a mirror mmdebstrap takes its own default, which has no backports.
	# shellcheck disable=SC2016 # $1 is the hook's
	logged "making a $SUITE root with the toolchain (about a minute)" \
		mmdebstrap --mode=root --variant=apt --include="$include" \
		--aptopt='APT::Install-Recommends "false"' "${dropped[@]/#/--dpkgopt=path-exclude=}" \
		--setup-hook='s=$1/etc/apt/sources.list; grep -q -e "-backports " "$s" || sed -n "s/^\(deb .*[^ ] '"$SUITE"'\) main.*/\1-backports main/p" "$s" | tee -a "$s"' \
		"$SUITE" "$partial" "${sources[@]}"
	check_toolchain "$partial"
	# Users other than root reach the cache below /root.
	chmod 755 "$partial/root"
	touch "$partial/etc/resolv.conf"
}

check_toolchain() {
	local have
	have=$(chroot "$1" rustc --version | cut -d ' ' -f 2)
	[ "$have" = "$RUST" ] || die "the mirror's rustc is $have, and the project is pinned to $RUST" \
		"Debian's kernel and this rustc must match. If the kernel's was rebuilt with $have too," \
		"set RUST=$have (scripts/versions keeps the default)."
}
