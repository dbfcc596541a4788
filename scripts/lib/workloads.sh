# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The Debian root with the programs whose need of memory is recorded. It is apart from the others,
# because only who records anew needs it.

workloads_packages() {
	cat <<-EOF
		chromium ffmpeg fonts-dejavu-core g++ libreoffice-writer-nogui nodejs
		openjdk-21-jdk-headless procps python3 redis-server redis-tools rustc
	EOF
}

workloads_name() {
	printf 'workloads-%s-%s\n' "$SUITE" "$(workloads_packages | hash_of - "$LIB/workloads.sh")"
}

make_workloads() {
	local partial=$1 mirror pocket sources=()
	install_mmdebstrap
	mirror=$(host_mirror)
	check_mirror "$mirror" "$SUITE"
	for pocket in "$SUITE" "$SUITE-updates"; do
		[ -z "$mirror" ] || sources+=("deb $mirror $pocket main")
	done
	# Without /usr/share/man the packages of Java cannot be set up.
	logged "making a $SUITE root with programs to be recorded (some minutes)" \
		mmdebstrap --mode=root --variant=apt \
		--include="$(workloads_packages | xargs | tr ' ' ,)" \
		--aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		"$SUITE" "$partial" "${sources[@]}"
	touch "$partial/etc/resolv.conf"
}
