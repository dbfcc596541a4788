#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# hypervisor/: where its insertions go and where they do not, and, if there is a Xen with them,
# what that takes, and how long for a page. LAB_XEN may name one.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/lib/ktap.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# A tree that has what Xen's has, as far as the insertions are concerned.
make_tree() {
	rm -rf "$tmp/tree"
	mkdir -p "$tmp"/tree/xen/{common,arch/x86/mm,include/{xen,public}}
	echo 'obj-y += paging.o' >"$tmp/tree/xen/arch/x86/mm/Makefile"
	cat >"$tmp/tree/xen/common/memory.c" <<-'END'
		#include <xen/mm.h>
		static void decrease_reservation(struct memop_args *a);
		static void other(struct memop_args *a)
		{
		    if ( copy_from_guest_offset(&one, a->extent_list, i, 1) )
		}
		static void decrease_reservation(struct memop_args *a)
		{
		        if ( copy_from_guest_offset(&one, a->extent_list, i, 1) )
		}
		long do_memory_op(unsigned long cmd, XEN_GUEST_HANDLE_PARAM(void) arg)
		{
		    case XENMEM_claim_pages:
		}
	END
	echo '    unsigned int max_pages; /* of a domain */' >"$tmp/tree/xen/include/xen/sched.h"
	cat >"$tmp/tree/xen/common/domctl.c" <<-'END'
		#include <xen/mm.h>
		long do_domctl(void)
		{
		        d->max_pages = min(new_max, most);
		}
	END
	cat >"$tmp/tree/xen/common/domain.c" <<-'END'
		#include <xen/mm.h>
		static void complete_domain_destroy(struct rcu_head *head)
		{
		    grant_table_destroy(d);
		}
	END
	cat >"$tmp/tree/xen/arch/x86/mm.c" <<-'END'
		#include <xen/perfc.h>
		long arch_memory_op(unsigned long cmd, void *arg)
		{
		            rc = xsm_set_pod_target(XSM_PRIV, d);
		}
	END
}

insert() { hypervisor/insert "$tmp/tree" >"$tmp/output" 2>&1; }

# refuses WHY SCRIPT WHAT: with memory.c edited by sed, the tree stays as it is.
refuses() {
	make_tree
	sed -i "$2" "$tmp/tree/xen/common/memory.c"
	rm -rf "$tmp/before"
	cp -r "$tmp/tree" "$tmp/before"
	! insert && grep -q "$1" "$tmp/output" && diff -r "$tmp/before" "$tmp/tree" >>"$tmp/output"
	result $? "$3" "$tmp/output"
}

# In the lab, on the Xen that has the insertions: SUITE and the most ns that a page may take.
tries() { # tries SUITE WHAT [MOST]
	scripts/lab --clock exact --timeout 1800 --xen "$xen" --out "build/selftests/hypervisor/$1" \
		--set MOST="${3:-}" "selftests/$1" >"$tmp/output" 2>&1
	result $? "$2" "$tmp/output"
	grep -o '# pvh\?: ns a page.*' "$tmp/output"
}

plan 8
make_tree
cp -r "$tmp/tree" "$tmp/before"
insert && ! diff -r "$tmp/before" "$tmp/tree" >"$tmp/output" && ! grep -q '^<' "$tmp/output" &&
	[ "$(grep -c '^>' "$tmp/output")" -eq 22 ] && [ "$(grep -c '^Only in' "$tmp/output")" -eq 9 ]
result $? "insertions are made, and no line goes" "$tmp/output"
! insert && grep -q 'has it already' "$tmp/output"
result $? "no tree gets them twice" "$tmp/output"
refuses 'is there 0 times' '8,9s/copy_from_guest_offset/copied/' "a line that is in another function only is not there"
refuses 'is there 2 times' '9p' "a line that is there twice is no place"
refuses 'decrease_reservation().*0 times' '7s/decrease/increase/' "without its function there is no place"

xen=${LAB_XEN:-patched}
if [ "$xen" = patched ] && ! scripts/buildroot path xen >"$tmp/output" 2>&1; then
	why=$(tail -n 1 "$tmp/output")
	for what in extents 'lists and extents' broker; do
		skip "$what" "${why#*error: }"
	done
	exit
fi
tries extents "Xen takes of extents what it should"
tries removal "Xen takes of lists what it should, and is quick" 'pv:0:300 pv:4:300 pv:9:300 pvh:0:3000 pvh:4:2800 pvh:9:300'
tries broker "Xen is a broker"
