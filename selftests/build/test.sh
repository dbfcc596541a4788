#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The checks that the build and the tests rest on, each seen to fail on what it
# is for.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/lib/ktap.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# A tree that exports one Rust symbol of each kind, and a stock kernel like it.
fresh() {
	rm -rf "$tmp/tree"
	mkdir -p "$tmp/tree/rust"
	local kind
	for kind in core bindings kernel helpers; do
		echo "EXPORT_SYMBOL_RUST_GPL(_RNv_$kind);" >"$tmp/tree/rust/exports_${kind}_generated.h"
		printf '0x00000000\t_RNv_%s\tvmlinux\tEXPORT_SYMBOL_GPL\t\n' "$kind"
	done >"$tmp/symvers"
	printf '0x00000000\tkfree\tvmlinux\tEXPORT_SYMBOL\t\n' >>"$tmp/symvers"
}

exports() { scripts/check-rust-exports "$tmp/tree" "$tmp/symvers" >"$tmp/output" 2>&1; }

refused_naming() { # refused_naming WORD: exports must fail, and say WORD
	! exports && grep -q -- "$1" "$tmp/output"
}

plan 33

fresh
exports
result $? "check-rust-exports: a tree like the stock kernel is accepted"

fresh
sed -i 's/_RNv_kernel/_RNv_other/' "$tmp/tree/rust/exports_kernel_generated.h"
refused_naming _RNv_other
result $? "check-rust-exports: a symbol with another hash is refused and named"

fresh
printf '0x00000000\t_RNv_gone\tvmlinux\tEXPORT_SYMBOL_GPL\t\n' >>"$tmp/symvers"
refused_naming _RNv_gone
result $? "check-rust-exports: a symbol the tree lacks is refused and named"

fresh
sed -i 's/\tvmlinux\t/\tdrivers\/other\t/' "$tmp/symvers"
refused_naming _RNv_core
result $? "check-rust-exports: another module's symbols are not the kernel's"

fresh
rm "$tmp/tree/rust/exports_helpers_generated.h"
refused_naming exports_helpers_generated.h
result $? "check-rust-exports: a missing list is refused and named"

mirrored() {
	printf '%s\n' 6.12.117+deb13-amd64 7.2.12+deb13-amd64 7.2.9+deb13-amd64 7.3.5+deb13-amd64 7.4.1+deb13-amd64
}

mirrored_later() { echo 7.3.6+deb13-amd64; }

# chosen GIVEN WANTED [later]: the kernel that is meant by WANTED, of which the user has named all
# (yes) or nothing (no), where no tree is in the cache; or later, when the mirror has others, and
# what was chosen is in the cache. What is said is in said.
# shellcheck disable=SC2030,SC2031,SC2034,SC2317 # it is a process of its own; choice.sh reads these
chosen() (
	set -e -o pipefail
	CACHE=$tmp/cache KERNEL_GIVEN=$1 KERNEL=$2 KERNEL_WINDOW='7.2 7.3' cached=none
	kernel_name() { [ "$KERNEL" = "$cached" ] && echo here || echo absent; }
	. scripts/lib/common.sh
	. scripts/lib/choice.sh
	rm -rf "$CACHE"
	mkdir -p "$CACHE"/{log,here}
	exec 2>"$tmp/said"
	choose_kernel kernel mirrored
	if [ "${3:-}" = later ]; then
		cached=$KERNEL KERNEL=$2
		choose_kernel kernel mirrored_later
	fi
	echo "$KERNEL"
)

is() { [ "$1" = "$2" ]; }

is "$(chosen no 7.3.4+deb13-amd64)" 7.3.5+deb13-amd64 && is "$(wc -l <"$tmp/said")" 1 &&
	grep -q 'does not have 7.3.4' "$tmp/said"
result $? "kernel: the newest of the window in place of one the mirror lacks, in one line"
is "$(chosen no 7.2.9+deb13-amd64)" 7.2.9+deb13-amd64 && is "$(cat "$tmp/said")" ""
result $? "kernel: the preferred one where the mirror has it"
is "$(chosen yes 7.2)" 7.2.12+deb13-amd64 && ! chosen yes 7.1 && grep -q 'has no kernel 7.1' "$tmp/said"
result $? "kernel: the newest of a series, or a sentence"
is "$(chosen yes 7.3.4+deb13-amd64)" 7.3.4+deb13-amd64
result $? "kernel: what the user has named is not replaced"
is "$(chosen no 7.3.4+deb13-amd64 later)" 7.3.5+deb13-amd64
result $? "kernel: what was chosen stays while it is in the cache"

counted() { # counted STATUS EXPECTED LINE...
	local status=$1 expected=$2
	shift 2
	[ "$(printf '%s\n' "$@" | awk -v status="$status" -f selftests/count.awk)" = "$expected" ]
}

counted 0 "2 0 1" "1..3" "ok 1 a" "ok 2 b" "ok 3 c # SKIP no d"
result $? "count: results of KTAP"
counted 0 "1 1 1" "test a ... ok" "test b ... FAILED" "test c ... ignored, slow" "test result: ok. 1 passed"
result $? "count: results of cargo"
counted 0 "1 2 0" "1..3" "ok 1 a"
result $? "count: what was planned and not reported has failed"
counted 124 "1 1 0" "1..1" "ok 1 a"
result $? "count: a suite that ends badly has failed"
counted 0 "0 1 0" "hello"
result $? "count: a suite without results has failed"
counted 4 "0 0 1" "no emulator here"
result $? "count: a suite that exits with 4 was skipped"
counted 1 "1 1 0" "1..2" "ok 1 a" "not ok 2 b" "    not ok 1 nested"
result $? "count: a named failure is counted once"

# A checkout of its own, with files that need each other.
checkout() {
	rm -rf "$tmp/checkout"
	mkdir -p "$tmp/checkout/scripts" "$tmp/checkout/Documentation"
	cp scripts/check-* "$tmp/checkout/scripts"
	cp Documentation/contributing.rst "$tmp/checkout/Documentation"
	git -C "$tmp/checkout" init -q
}

circle_of() { # circle_of KIND: one must be found, and be of that kind
	! "$tmp/checkout/scripts/check-circles" >"$tmp/output" 2>&1 && grep -q "^$1" "$tmp/output"
}

write() { # write FILE TEXT
	printf '%b' "$2" >"$tmp/checkout/$1"
}

checkout
write lib.rs 'mod a; mod b; use a::A; pub use b::B;\n'
write a.rs 'use crate::b; pub struct A;\n#[cfg(x)] mod tests { use super::*; }\n'
write b.rs '// use crate::a::A;\npub struct B(&str); const X: &str = "crate::a::A";\n'
write a.h '#include "b.h"\n'
write a.sh '. ./b.sh\nf() { g; }\n'
write b.sh 'g() { :; }\n'
"$tmp/checkout/scripts/check-circles" >"$tmp/output" 2>&1
result $? "check-circles: files that need each other one way are accepted"

write b.rs 'pub struct B(Option<crate::A>);\n'
circle_of imports
result $? "check-circles: imports, by a name that is passed on"

write b.rs 'use super::a::A; impl A { fn f(&self) { self.g() } }\n'
write a.rs 'pub struct A; impl A { fn g(&self) { self.f() } }\n'
circle_of 'methods of A'
result $? "check-circles: methods of a type in two files"

write b.rs ''
write b.h '#include "a.h"\n'
circle_of includes
result $? "check-circles: headers"

write b.h ''
write b.sh 'g() { f; }\n'
circle_of scripts
result $? "check-circles: a script calls who sources it"

commit() { # commit MESSAGE: says whether it is accepted
	git -C "$tmp/checkout" -c user.name=nobody -c user.email=nobody@invalid \
		commit -q --allow-empty -m "$1" && "$tmp/checkout/scripts/check-commits" >"$tmp/output" 2>&1
}

checkout
commit "Anything, before there was a check"
git -C "$tmp/checkout" add scripts
commit "scripts: check" && commit "lab: what is done"
result $? "check-commits: what is as it should be is accepted, and what precedes it left alone"

! commit "tidy up" && ! commit "lab: $(printf '%075d' 0)" && [ "$(wc -l <"$tmp/output")" -eq 3 ]
result $? "check-commits: no area, and a long subject"

examples() { scripts/rust-crates examples xen "$@" >"$tmp/output" 2>&1; }

# example TAG LINE: a file whose documentation has one.
example() {
	# shellcheck disable=SC2016 # backquotes of Markdown
	printf '/// ```%s\n/// %s\n/// ```\nfn f() {}\n' "$1" "$2" >"$tmp/example.rs"
	examples "$tmp/example.rs"
}

examples || { sed 's/^/# /' "$tmp/output" && false; }
result $? "rust-crates: the examples in rust/xen compile, and each public type has one"
example '' 'const HERE: xen::shared_page::Offset<u32> = xen::shared_page::Offset::at::<4>();' &&
	! example '' 'const HERE: u32 = xen::no_such_thing();'
result $? "rust-crates: an example that does not compile is refused"
! example ignore 'const HERE: u32 = 1;' && ! example compile_fail 'const HERE: u32 = 1;'
result $? "rust-crates: so is one that is left out, and one that compiles and should not"
echo 'pub struct Lonely;' >"$tmp/example.rs"
! examples "$tmp/example.rs" && grep -q 'Lonely has no example' "$tmp/output"
result $? "rust-crates: a public type without an example is named"

# As in a kernel tree's tools/testing/selftests. It ends with a skip, as this is not Xen.
in_a_kernel_tree() {
	mkdir -p "$tmp/kernel/tools/testing" "$tmp/kernel/scripts" &&
		cp "$KERNEL_SOURCE/scripts/subarch.include" "$tmp/kernel/scripts" &&
		cp -r "$KERNEL_SOURCE/tools/scripts" "$tmp/kernel/tools" &&
		cp -r "$KERNEL_SOURCE/tools/testing/selftests" "$tmp/kernel/tools/testing" &&
		cp -r selftests/latency "$tmp/kernel/tools/testing/selftests/xen-cmm" &&
		make -C "$tmp/kernel/tools/testing/selftests" TARGETS=xen-cmm run_tests >"$tmp/output" 2>&1 &&
		grep -q '^ok 1 selftests: xen-cmm: cmm-latency # SKIP' "$tmp/output" && return
	sed 's/^/# /' "$tmp/output"
	return 1
}
in_a_kernel_tree
result $? "latency: the suite runs from a kernel tree"

# The files cmm.conf that examples.rst shows, one after the other as $tmp/conf.N.
rm -f "$tmp"/conf.*
awk -v file="$tmp/conf." '
	/xen\/cmm\.conf``.*::$/ { number++; shown = 1; next }
	/^[^\t]/ { shown = 0 }
	shown && NF { print substr($0, 2) >(file number) }' Documentation/examples.rst
accepted() {
	local file
	for file in "$tmp"/conf.*; do
		scripts/cmm-attach --check "$file" >"$tmp/output" 2>&1 || { sed 's/^/# /' "$tmp/output" && return 1; }
	done
}
[ -s "$tmp/conf.3" ] && accepted
result $? "examples: what they have in cmm.conf is accepted"
sed -i 's/weight/height/' "$tmp/conf.3" && ! accepted >"$tmp/said" && grep -q 'no "height"' "$tmp/said"
result $? "examples: what is no setting is refused"

# What the reasons of requests are called in Rust, and in the table of that name of the trace events.
rust_names() { sed -n '/const ALL/,/^    \];/s/.*"\(.*\)".*/\1/p' rust/cmm/client/reason.rs; }
# What a script calls numbers, as the header has them.
c_numbers() { sed -n "/define xen_cmm_$1(/,/^\$/s/.*{ *\([0-9a-fx]*\),[[:space:]]*\"\(.*\)\".*/\1 \2/p" rust/bindings/trace/events/xen_cmm.h; }
script_numbers() { sed -n "s/.*@$2\[\([0-9a-fx]*\)\] = \"\(.*\)\";.*/\1 \2/p" "$1"; }

is "$(rust_names)" "$(c_numbers reason | cut -d " " -f 2)" && [ "$(rust_names | wc -l)" -ge 9 ]
result $? "trace events: reasons have the names that they have elsewhere"
is "$(script_numbers tools/bpftrace/cmmlatency.bt reason)" "$(c_numbers reason)" &&
	is "$(script_numbers tools/bpftrace/cmmwho.bt reason)" "$(c_numbers reason | head -n 7)" &&
	is "$(script_numbers tools/bpftrace/cmmwho.bt asker)" "$(c_numbers asker)"
result $? "trace events: scripts give numbers the same names"
