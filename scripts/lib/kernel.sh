# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The entries that depend on the kernel: `kernel`, the tree that modules are built
# against; `boot`, the stock files the lab starts; `debug`, which is both, of a kernel that
# checks itself; `headers`, the packages by which a machine gets that kernel's headers and
# source.

kernel_name() {
	printf 'kernel-%s-%s\n' "$KERNEL" "$(root_name |
		hash_of - "$LIB"/{kernel-inside,rust-half.sh,download.sh} "$TOP/scripts/check-rust-exports")"
}

boot_name() {
	printf 'boot-%s-xen-%s-%s\n' "$KERNEL" "$XEN" \
		"$(echo "$SUITE" | hash_of - "$LIB"/{boot-inside,download.sh})"
}

headers_name() {
	printf 'headers-%s-%s\n' "$KERNEL" "$(packager_name | hash_of - "$LIB"/{headers-inside,rust-half.sh})"
}

debug_release() { printf '%s-debug\n' "$KERNEL"; }

debug_name() {
	printf 'debug-%s-%s\n' "$KERNEL" "$({ root_name && boot_name; } |
		hash_of - "$LIB"/{debug-inside,debug.config,download.sh})"
}

# The entry is visible under its final name while it is made, because the
# kernel's build writes absolute paths into what it generates.
make_kernel() {
	inside "preparing the tree of kernel $KERNEL (about two minutes)" "$LIB/kernel-inside" "$@"
}

make_boot() {
	inside "unpacking kernel $KERNEL and Xen $XEN for the lab" "$LIB/boot-inside" "$@"
}

make_headers() {
	local ROOT_NAME=$PACKAGER_NAME
	inside "fetching the headers and the source of kernel $KERNEL, as packages" "$LIB/headers-inside" "$@"
}

# The hypervisor is the stock one.
make_debug() {
	inside "building the debug kernel (about half an hour)" "$LIB/debug-inside" "$@" "$(debug_release)"
	cp -- "$CACHE/$(boot_name)"/boot/xen-*.gz "$1/boot/"
}

# inside WHAT SCRIPT PARTIAL FINAL [ARGUMENT]...: runs SCRIPT FINAL ARGUMENT... as root in
# the root, with PARTIAL mounted at FINAL.
inside() {
	local what=$1 script=$2 partial=$3 final=$4 root=$CACHE/$ROOT_NAME
	shift 4
	mkdir -p -- "$partial"
	logged "$what" "$LIB/enter" "$root" 0:0 / \
		--rw "$partial=$final" --ro "$TOP" -- \
		env SUITE="$SUITE" KERNEL="$KERNEL" XEN="$XEN" GCC="$GCC" \
		"$script" "$final" "$@"
}
