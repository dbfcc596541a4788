// SPDX-License-Identifier: GPL-2.0

#include <linux/mm.h>
#include <xen/interface/hvm/hvm_op.h>
#include <xen/interface/xen.h>
#include <xen/mem-reservation.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <asm/xen/hypercall.h>

#include "helpers_x86.h"

/* Auto-translated domains only: Xen's word; false, too, if it gives none. */
bool xen_helper_has_memory(unsigned long gfn)
{
	struct xen_hvm_get_mem_type op = { .domid = DOMID_SELF, .pfn = gfn };

	return !HYPERVISOR_hvm_op(HVMOP_get_mem_type, &op) &&
	       op.mem_type != HVMMEM_mmio_dm;
}

/*
 * flush_tlb_all() is not exported. A PV kernel may ask Xen for the same; any
 * other has nothing to flush here, since Xen flushes what it unmaps from an
 * auto-translated domain.
 */
int xen_helper_flush_tlb_all(void)
{
	struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_ALL };

	if (!xen_pv_domain())
		return 0;

	return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

void xen_helper_map_frames(unsigned long count, struct page **pages,
			   xen_pfn_t *frames)
{
	xenmem_reservation_va_mapping_update(count, pages, frames);
}

void xen_helper_unmap_pages(unsigned long count, struct page **pages)
{
	xenmem_reservation_va_mapping_reset(count, pages);
}

/*
 * The machine address of the page table's entry of a page, if those of the
 * count - 1 that follow lie behind it; 0 otherwise.
 */
u64 xen_helper_entries(struct page *first, unsigned long count)
{
	unsigned long address = (unsigned long)page_address(first);
	unsigned int level;
	pte_t *entry = lookup_address(address, &level);

	if (!entry || level != PG_LEVEL_4K ||
	    pte_index(address) + count > PTRS_PER_PTE)
		return 0;

	return arbitrary_virt_to_machine(entry).maddr;
}

u64 xen_helper_entry_of(xen_pfn_t frame)
{
	return pte_val_ma(mfn_pte(frame, PAGE_KERNEL));
}

int xen_helper_mmu_update(struct mmu_update *updates, int count)
{
	return HYPERVISOR_mmu_update(updates, count, NULL, DOMID_SELF);
}

/* Pages that never had memory may share a part of the p2m that is read-only. */
bool xen_helper_set_p2m(unsigned long pfn, unsigned long frame)
{
	return pfn < xen_p2m_size &&
	       !xen_safe_write_ulong(xen_p2m_addr + pfn, frame);
}
