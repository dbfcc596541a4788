#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The packages, installed by apt in a Debian root, upgraded, removed and purged. It ends with the
# very files that it had.
set -u
cd "$(dirname "$0")/../.." || exit 1

if [ "${1:-}" != inside ]; then
	root=$(scripts/buildroot path packager) || exit 1
	scripts/deb >build/selftests/packages.deb.log 2>&1 || { cat build/selftests/packages.deb.log && exit 1; }
	exec unshare --mount --pid --fork --kill-child "$0" inside "$root"
fi

number=0
result() { # result STATUS WHAT
	number=$((number + 1))
	[ "$1" -eq 0 ] || { sed 's/^/# /' "$output" && printf 'not '; }
	echo "ok $number $2"
}

# A copy of the root that is gone with this process.
tmp=$(mktemp -d)
mount --make-rprivate /
mount -t tmpfs tmpfs "$tmp"
mkdir "$tmp"/{upper,work,root}
mount -t overlay -o "lowerdir=$2,upperdir=$tmp/upper,workdir=$tmp/work" overlay "$tmp/root"
mount -t proc proc "$tmp/root/proc"
mount --rbind /dev "$tmp/root/dev"
mount --bind "$(realpath /etc/resolv.conf)" "$tmp/root/etc/resolv.conf"
root=$tmp/root output=$tmp/output

inside() { chroot "$root" env LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@" >"$output" 2>&1; }
silently() { "$@" >"$output" 2>&1; }
installed() { [ -e "$root/$1" ] || { echo "no $1" >>"$output" && return 1; }; }

# What is in the root, but for what apt and dpkg keep for themselves, logs and caches.
contents() {
	find "$root" -xdev \( -path "$root/var/lib/dpkg" -o -path "$root/var/lib/apt" -o -path "$root/var/cache" \
		-o -path "$root/var/log" -o -path "$root/tmp" -o -path "$root/proc" -o -path "$root/dev" \
		-o -path "$root/run" -o -path "$root/debs" \) -prune -o -printf '%P %y %l\n' | sort
}

# newer PACKAGE: the same package, of a later version.
newer() {
	dpkg-deb --raw-extract "$root/debs/$1"_*.deb "$tmp/newer" &&
		sed -i 's/^Version: .*/&+later/' "$tmp/newer/DEBIAN/control" &&
		mkdir -p "$root/debs/later" && dpkg-deb --build "$tmp/newer" "$root/debs/later" && rm -rf "$tmp/newer"
}

mkdir "$root/debs"
cp build/deb/*.deb "$root/debs"
modules=$(basename build/deb/xen-cmm-modules-*.deb)
modules=${modules%%_*}
kernel=${modules#xen-cmm-modules-}

echo "TAP version 13"
echo "1..8"
contents >"$tmp/before"

inside sh -c "apt-get install -y --no-install-recommends /debs/xen-cmm-utils_*.deb /debs/xen-cmm-modules-*.deb"
result $? "apt installs the utilities and the modules, and fetches nothing"

[ "$(inside modprobe --set-version "$kernel" --resolve-alias xen:cmm && cat "$output")" = xen_cmmfront ] &&
	[ "$(inside modprobe --set-version "$kernel" --resolve-alias xen-backend:cmm && cat "$output")" = xen_cmmback ]
result $? "what udev asks for when a device appears are the modules"

inside cmm-attach --help && inside man --where cmm-attach && inside man --where xen-cmm &&
	installed usr/share/bash-completion/completions/cmm-attach
result $? "cmm-attach, its manual pages and its completion are there"

inside systemctl is-enabled cmm-attach && inside systemd-analyze verify cmm-attach.service
result $? "the service starts at boot"

inside systemctl disable cmm-attach
newer xen-cmm-utils && newer "$modules" &&
	inside sh -c "apt-get install -y --no-install-recommends /debs/later/*.deb" &&
	inside dpkg --verify && ! inside systemctl is-enabled cmm-attach
result $? "an upgrade replaces them, and a service that was disabled stays so"

inside sh -c "apt-get remove -y xen-cmm-utils $modules"
result $? "they are removed"
inside modprobe --set-version "$kernel" --resolve-alias xen:cmm
[ ! -s "$output" ] || grep -q 'not found' "$output"
result $? "then nobody finds the modules"

unchanged() { contents >"$tmp/after" && silently diff "$tmp/before" "$tmp/after"; }

inside sh -c "apt-get purge -y xen-cmm-utils $modules" && unchanged
result $? "purged, they have left nothing"
