# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The emulator that the lab runs in, unpacked beside the root, with its libraries.
#
# It is the QEMU of an older Debian. Since 9.1, QEMU's decoder takes a read of any
# control register for one of CR0 when it looks whether a hypervisor wants to know
# (seen in 10.0.13 and 11.1.3). Xen does for CR0 and does not for CR2, which Linux
# reads at each page fault: each page that a program in a PVH domain touches first
# would cost a VM exit (7.6 us on the exact clock) that no real machine has.

emulator_name() {
	printf 'emulator-%s-%s\n' "$QEMU_FROM" "$(hash_of "$LIB/emulator.sh")"
}

make_emulator() {
	local partial=$1 mirror sources=()
	install_mmdebstrap
	mirror=$(host_mirror)
	check_mirror "$mirror" "$QEMU_FROM"
	[ -z "$mirror" ] || sources=("deb $mirror $QEMU_FROM main")
	logged "unpacking the emulator of $QEMU_FROM" \
		mmdebstrap --mode=root --variant=extract --include=qemu-system-x86 \
		--aptopt='APT::Install-Recommends "false"' \
		--dpkgopt=path-exclude='/usr/share/doc/*' --dpkgopt=path-exclude='/usr/share/man/*' \
		"$QEMU_FROM" "$partial" "${sources[@]}"
	chmod 755 "$partial"
}
