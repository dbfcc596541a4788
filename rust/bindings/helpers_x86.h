/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As helpers.h, on x86: page tables and p2m of PV domains, and what there is to
 * be asked and done because there are such domains.
 */
#ifndef _XEN_RUST_HELPERS_X86_H
#define _XEN_RUST_HELPERS_X86_H

#include <linux/mm_types.h>
#include <xen/xen.h>

/* What is behind a frame, and is no more mapped. */
bool xen_helper_has_memory(unsigned long gfn);
int xen_helper_flush_tlb_all(void);

/* PV mappings: by the kernel's own functions, and by hand. */
void xen_helper_map_frames(unsigned long count, struct page **pages,
			   xen_pfn_t *frames);
void xen_helper_unmap_pages(unsigned long count, struct page **pages);
u64 xen_helper_entries(struct page *first, unsigned long count);
u64 xen_helper_entry_of(xen_pfn_t frame);
int xen_helper_mmu_update(struct mmu_update *updates, int count);
bool xen_helper_set_p2m(unsigned long pfn, unsigned long frame);

#endif
