# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the header package of a stock Debian kernel lacks for Rust modules, made again from that
# kernel's source. Who sources this has a function `fail SENTENCE`, which ends everything.

# kernel_series RELEASE: prints 7.3 for 7.3.4+deb13-amd64.
kernel_series() {
	local release=${1%%[!0-9.]*}
	cut -d . -f 1,2 <<<"$release"
}

# find_compilers CONFIG RELEASE: sets kernel_cc, the C compiler that the kernel of CONFIG was built
# with. Fails when modules that are made here would not fit that kernel.
find_compilers() {
	local config=$1 release=$2 rustc have
	grep -qx CONFIG_RUST=y "$config" || fail "kernel $release was built without Rust support (CONFIG_RUST)"
	rustc=$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\(.*\)"/\1/p' "$config")
	have=$(rustc --version) || fail "rustc is missing"
	[ "$rustc" = "$have" ] ||
		fail "kernel $release was built with $rustc, and here is $have: modules would not load"
	kernel_cc=$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\([^ "]*\).*/\1/p' "$config")
	command -v "$kernel_cc" >/dev/null ||
		fail "kernel $release was built with $kernel_cc, which is missing here"
}

# make_rust_half HEADERS TARBALL RELEASE: makes source/, of what is needed of the kernel's source,
# and build/, its O= directory, in the working directory.
make_rust_half() {
	local headers=$1 tarball=$2 release=$3 top skipped goal check
	find_compilers "$headers/.config" "$release"
	echo "-- unpacking the source"
	# Configuration files, headers and Rust of everything; C only of what the
	# preparation compiles; of the tests what runs them and reads what they say. The rest would be
	# 1.5 GB.
	mkdir source build
	top=$(basename "$tarball" .tar.xz)
	skipped=('drivers/*.c' 'fs/*.c' 'net/*.c' 'sound/*.[ch]' 'drivers/gpu/drm/amd/*.h'
		'arch/*.dts' 'arch/*.dtsi' 'Documentation/*.rst' 'Documentation/devicetree/*.yaml'
		'tools/testing/[!ks]*' 'tools/testing/selftests/[!k]*/*' tools/perf)
	tar -xf "$tarball" -C source --strip-components=1 --anchored "${skipped[@]/#/--exclude=$top/}"
	cp "$headers/.config" build/.config

	echo "-- modules_prepare"
	# The first names what is missing; without it Rust is silently left out.
	for goal in rustavailable modules_prepare; do
		make -j"$(nproc)" -C source O="$PWD/build" CC="$kernel_cc" KERNELRELEASE="$release" "$goal"
	done

	echo "-- comparing the exported Rust symbols with the stock kernel's"
	check=$(dirname "${BASH_SOURCE[0]}")/../check-rust-exports
	"$check" build "$headers/Module.symvers"
}
