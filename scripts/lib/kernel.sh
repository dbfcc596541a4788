# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The two entries that depend on the kernel: `kernel`, the tree that modules are
# built against, and `boot`, the stock files the lab starts.

kernel_name() {
	printf 'kernel-%s-%s\n' "$KERNEL" "$(root_name |
		hash_of - "$LIB"/{kernel-inside,download.sh} "$TOP/scripts/check-rust-exports")"
}

boot_name() {
	printf 'boot-%s-xen-%s-%s\n' "$KERNEL" "$XEN" \
		"$(echo "$SUITE" | hash_of - "$LIB"/{boot-inside,download.sh})"
}

# The entry is visible under its final name while it is made, because the
# kernel's build writes absolute paths into what it generates.
make_kernel() {
	inside "preparing the tree of kernel $KERNEL (about two minutes)" "$LIB/kernel-inside" "$@"
}

make_boot() {
	inside "unpacking kernel $KERNEL and Xen $XEN for the lab" "$LIB/boot-inside" "$@"
}

# inside WHAT SCRIPT PARTIAL FINAL: runs SCRIPT FINAL as root in the root, with
# PARTIAL mounted at FINAL.
inside() {
	local what=$1 script=$2 partial=$3 final=$4 root=$CACHE/$ROOT_NAME
	mkdir -p -- "$partial"
	logged "$what" "$LIB/enter" "$root" 0:0 / \
		--rw "$partial=$final" --ro "$TOP" -- \
		env SUITE="$SUITE" KERNEL="$KERNEL" XEN="$XEN" GCC="$GCC" \
		"$script" "$final"
}
