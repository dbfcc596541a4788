#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The packages, installed by apt in a Debian root, upgraded, removed and purged. It ends with the
# very files that it had.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/lib/ktap.sh

if [ "${1:-}" != inside ]; then
	root=$(scripts/buildroot path packager) || exit 1
	mkdir -p build/selftests
	scripts/deb >build/selftests/packages.deb.log 2>&1 || { cat build/selftests/packages.deb.log && exit 1; }
	modules=$(basename build/deb/xen-cmm-modules-*.deb)
	modules=${modules%%_*}
	kernel=${modules#xen-cmm-modules-}
	headers=$(KERNEL=$kernel scripts/buildroot path headers) || exit 1
	exec unshare --mount --pid --fork --kill-child "$0" inside "$root" "$kernel" "$headers"
fi

# A copy of the root that is gone with this process.
tmp=$(mktemp -d)
mount --make-rprivate /
mount -t tmpfs tmpfs "$tmp"
mkdir "$tmp"/{upper,work,root}
mount -t overlay -o "lowerdir=$2,upperdir=$tmp/upper,workdir=$tmp/work" overlay "$tmp/root"
mount -t proc proc "$tmp/root/proc"
mount --rbind /dev "$tmp/root/dev"
mount --bind "$(realpath /etc/resolv.conf)" "$tmp/root/etc/resolv.conf"
root=$tmp/root output=$tmp/output kernel=$3 headers=$4 modules=xen-cmm-modules-$3

inside() { chroot "$root" env LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@" >"$output" 2>&1; }
silently() { "$@" >"$output" 2>&1; }
installed() { [ -e "$root/$1" ] || { echo "no $1" >>"$output" && return 1; }; }

# What is where packages put things, but for what apt and dpkg keep for themselves, logs and caches.
# Elsewhere in the root there are places at which checkouts become visible.
contents() {
	find "$root"/{boot,etc,usr,var} -xdev \( -path "$root/var/lib/dpkg" -o -path "$root/var/lib/apt" \
		-o -path "$root/var/cache" -o -path "$root/var/log" -o -path "$root/var/lib/dkms/mok.*" \) -prune \
		-o -printf '%H %P %y %l\n' | sort
}

# newer PACKAGE: the same package, of a later version.
newer() {
	dpkg-deb --raw-extract "$root/debs/$1"_*.deb "$tmp/newer" &&
		sed -i 's/^Version: .*/&+later/' "$tmp/newer/DEBIAN/control" &&
		mkdir -p "$root/debs/later" && dpkg-deb --build "$tmp/newer" "$root/debs/later" && rm -rf "$tmp/newer"
}

mkdir "$root/debs" "$root/debs/kernel"
cp build/deb/*.deb "$root/debs"
cp "$headers"/*.deb "$root/debs/kernel"

plan 17
contents >"$tmp/before"

inside sh -c "apt-get install -y --no-install-recommends /debs/xen-cmm-utils_*.deb /debs/xen-cmm-modules-*.deb"
result $? "apt installs the utilities and the modules, and fetches nothing" "$output"

leads_to() { inside modprobe --set-version "$kernel" --resolve-alias "$1" && grep -qx "$2" "$output"; }
leads_to xen:cmm xen_cmmfront && leads_to xen-backend:cmm xen_cmmback
result $? "what udev asks for when a device appears are the modules" "$output"

inside cmm-attach --help && inside man --where cmm-attach && inside man --where xen-cmm &&
	inside cmm-room --help && inside man --where cmm-room &&
	inside cmm-top --version && inside man --where cmm-top &&
	installed usr/share/bash-completion/completions/cmm-attach &&
	installed usr/share/bash-completion/completions/cmm-top && installed usr/include/xen_cmm.h &&
	installed usr/share/xen-cmm/bpftrace/cmmlatency.bt && installed usr/share/xen-cmm/bpftrace/cmmwho.bt
result $? "cmm-attach, cmm-room and cmm-top, their manual pages and completion, the header and the scripts are there" "$output"

inside systemctl is-enabled cmm-attach && inside systemd-analyze verify cmm-attach.service
result $? "the service starts at boot" "$output"

inside systemctl disable cmm-attach
newer xen-cmm-utils && newer "$modules" &&
	inside sh -c "apt-get install -y --no-install-recommends /debs/later/*.deb" &&
	inside dpkg --verify && ! inside systemctl is-enabled cmm-attach
result $? "an upgrade replaces them, and a service that was disabled stays so" "$output"

inside sh -c "apt-get remove -y xen-cmm-utils $modules"
result $? "they are removed" "$output"
inside modprobe --set-version "$kernel" --resolve-alias xen:cmm
[ ! -s "$output" ] || grep -q 'not found' "$output"
result $? "then nobody finds the modules" "$output"

unchanged() { contents >"$tmp/after" && silently diff "$tmp/before" "$tmp/after"; }

inside sh -c "apt-get purge -y xen-cmm-utils $modules" && unchanged
result $? "purged, they have left nothing" "$output"

# xen-cmm-dkms, on a machine that has a kernel's headers and source.

kept=var/cache/xen-cmm
version=$(dpkg-deb --field "$root"/debs/xen-cmm-dkms_*.deb Version)
log=$root/var/lib/dkms/xen-cmm/$version/build/make.log

# with_log COMMAND...: in the root; if it fails, dkms's log, which it only names, follows.
with_log() { inside "$@" || { tail -n 20 "$log" >>"$output" 2>&1 && return 1; }; }
status_is() { inside dkms status -m xen-cmm && grep -q "$kernel, x86_64: $1" "$output"; }

# Modules of that kernel, found by their names and by the device's.
modules_fit() {
	local name
	for name in xen_cmmfront xen_cmmback; do
		inside modinfo -k "$kernel" -F filename "$name" && grep -q "/$kernel/updates/dkms/" "$output" &&
			inside modinfo -k "$kernel" -F vermagic "$name" && grep -q "^$kernel " "$output" || return
	done
	leads_to xen:cmm xen_cmmfront && leads_to xen-backend:cmm xen_cmmback
}

# Dkms takes a kernel for one that is installed if it has modules.
inside sh -c "apt-get install -y --no-install-recommends /debs/kernel/*.deb" &&
	install -D -m 644 build/samples/xen-hello-front.ko "$root/usr/lib/modules/$kernel/kernel/xen-hello-front.ko" &&
	inside depmod "$kernel"
result $? "apt installs a kernel's headers and source" "$output"
contents >"$tmp/before"

with_log sh -c "apt-get install -y --no-install-recommends /debs/xen-cmm-dkms_*.deb"
result $? "apt installs the modules' source, and fetches nothing" "$output"

status_is installed && modules_fit
result $? "dkms has built and installed modules of that kernel" "$output"

# A kernel that comes is one whose headers are configured.
inside dkms unbuild -m xen-cmm -v "$version" -k "$kernel" &&
	inside dpkg --remove --force-depends "linux-source-$(cut -d . -f 1,2 <<<"$kernel")" &&
	! status_is installed &&
	with_log sh -c "dpkg --install /debs/kernel/linux-headers-${kernel}_*.deb" &&
	status_is installed && modules_fit
result $? "they are built again when the kernel comes again, from what was kept" "$output"

mv "$root/$kept" "$root/$kept.away"
inside dkms unbuild -m xen-cmm -v "$version" -k "$kernel" &&
	! inside dkms build -m xen-cmm -v "$version" -k "$kernel" &&
	silently grep -F "xen-cmm: error: kernel $kernel: apt install linux-source-" "$log" &&
	[ "$(wc -l <"$output")" -eq 1 ]
result $? "without the kernel's source a line says what to install" "$output"

rm -rf "${root:?}/$kept"
mv "$root/$kept.away" "$root/$kept"

mkdir -p "$root/usr/lib/modules/6.12.1/build/include"
inside dkms build -m xen-cmm -v "$version" -k 6.12.1
result $(($? != 77)) "a kernel that is not supported is left out"
rm -rf "$root/usr/lib/modules/6.12.1"

inside sh -c "dpkg --install /debs/kernel/linux-source-*.deb"
newer xen-cmm-dkms
with_log sh -c "apt-get install -y --no-install-recommends /debs/later/xen-cmm-dkms_*.deb" &&
	status_is installed && modules_fit
result $? "an upgrade builds them anew" "$output"

inside apt-get remove -y xen-cmm-dkms && inside dkms status -m xen-cmm && [ ! -s "$output" ] &&
	inside ls -d "/$kept" "/var/lib/dkms/xen-cmm" "/usr/lib/modules/$kernel/updates"
[ "$(grep -c 'No such file' "$output")" -eq 3 ]
result $? "removed, neither modules nor what was kept are left" "$output"

inside apt-get purge -y xen-cmm-dkms && unchanged
result $? "purged, it has left nothing" "$output"
