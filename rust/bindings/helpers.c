// SPDX-License-Identifier: GPL-2.0

#include <linux/clocksource_ids.h>
#include <linux/freezer.h>
#include <linux/irq.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <linux/sort.h>
#include <linux/suspend.h>
#include <linux/timekeeping.h>
#include <xen/grant_table.h>
#include <xen/interface/hvm/hvm_op.h>
#include <xen/interface/memory.h>
#include <xen/interface/xen.h>
#include <xen/mem-reservation.h>
#include <xen/page.h>
#include <asm/pvclock.h>
#include <asm/xen/hypercall.h>
#include <asm/xen/hypervisor.h>

#include "helpers.h"

bool xen_helper_domain(void)
{
	return xen_domain();
}

bool xen_helper_pv_domain(void)
{
	return xen_pv_domain();
}

bool xen_helper_initial_domain(void)
{
	return xen_initial_domain();
}

long xen_helper_memory_op(unsigned int cmd, void *arg)
{
	return HYPERVISOR_memory_op(cmd, arg);
}

/* Auto-translated domains only: Xen's word; false, too, if it gives none. */
bool xen_helper_has_memory(unsigned long gfn)
{
	struct xen_hvm_get_mem_type op = { .domid = DOMID_SELF, .pfn = gfn };

	return !HYPERVISOR_hvm_op(HVMOP_get_mem_type, &op) &&
	       op.mem_type != HVMMEM_mmio_dm;
}

/* Linux never issues a domctl itself, so it has no wrapper of its own. */
long xen_helper_domctl(void *op)
{
	return xen_single_call(__HYPERVISOR_domctl, (unsigned long)op,
			       0, 0, 0, 0);
}

struct task_struct *xen_helper_run_freezable(int (*run)(void *), void *data,
					     const char *name)
{
	return kthread_run(run, data, "%s", name);
}

void xen_helper_stop(struct task_struct *thread)
{
	kthread_stop(thread);
}

/* For the thread itself: false when it is to stop. */
bool xen_helper_wait_for_freeze(void)
{
	set_freezable();
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop() || freezing(current))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);

	return !kthread_should_stop();
}

void xen_helper_refuse_to_freeze(void)
{
	pm_system_wakeup();
	/* Whoever freezes everybody looks for a wake-up only while there is somebody left. */
	while (freezing(current))
		schedule_timeout_uninterruptible(1);
}

struct task_struct *xen_helper_current(void)
{
	return current;
}

bool xen_helper_is_freezing(void)
{
	return freezing(current);
}

void xen_helper_freeze(void)
{
	try_to_freeze();
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

/*
 * The monotonic clock and Xen's, at the same moment. Linux counts by Xen's,
 * unless Xen warrants for the TSC; then Xen has left a page that says how to
 * convert that. Returns false where it is neither.
 */
bool xen_helper_clocks(u64 *monotonic, u64 *system_time)
{
	struct pvclock_vsyscall_time_info *page = pvclock_get_pvti_cpu0_va();
	struct system_time_snapshot now;

	ktime_get_snapshot_id(CLOCK_MONOTONIC, &now);
	*monotonic = now.systime;
	*system_time = now.cycles;
	if (now.cs_id == CSID_X86_TSC && page) {
		*system_time = __pvclock_read_cycles(&page->pvti, now.cycles);
		return true;
	}
	return now.cs_id == CSID_GENERIC;
}

/*
 * For pages that are given away: zeroed, whatever the kernel was built or
 * booted to do with pages it allocates, and without retries, reserves, warnings
 * or the OOM killer.
 */
const gfp_t xen_helper_gfp_donate = __GFP_HIGHMEM | __GFP_ZERO | __GFP_NOWARN |
				    __GFP_NORETRY | __GFP_NOMEMALLOC;

unsigned long xen_helper_total_ram(void)
{
	return totalram_pages();
}

unsigned long xen_helper_present_pages(void)
{
	return get_num_physpages();
}

bool xen_helper_page_is_device(struct page *page)
{
	return is_zone_device_page(page);
}

void *xen_helper_page_address(struct page *page)
{
	return page_address(page);
}

unsigned long xen_helper_page_to_pfn(struct page *page)
{
	return page_to_pfn(page);
}

unsigned long xen_helper_page_to_gfn(struct page *page)
{
	return xen_page_to_gfn(page);
}

static int compare_runs(const void *a, const void *b)
{
	const struct page *x = ((const struct xen_helper_run *)a)->first;
	const struct page *y = ((const struct xen_helper_run *)b)->first;

	return x < y ? -1 : x > y;
}

void xen_helper_sort_runs(struct xen_helper_run *runs, unsigned long count)
{
	sort(runs, count, sizeof(*runs), compare_runs, NULL);
}

/*
 * A stack of extents is threaded through the first page of each, so that
 * keeping an extent never needs memory.
 */
void xen_helper_page_set_next(struct page *page, struct page *next)
{
	page->lru.next = (struct list_head *)next;
}

struct page *xen_helper_page_next(struct page *page)
{
	return (struct page *)page->lru.next;
}

/* Tell /proc/kcore and crash dumps to keep away: no memory is behind these. */
void xen_helper_pages_set_unpopulated(struct page *page, unsigned long count)
{
	unsigned long i;

	for (i = 0; i < count; i++)
		__SetPageOffline(page + i);
}

/*
 * Make the pages of an extent what __free_pages(page, order) expects: one
 * reference on the first, none on the others, and nothing else set. Pages that
 * came from the boot-time balloon still are as memblock left them.
 */
void xen_helper_pages_clear_unpopulated(struct page *page, unsigned int order)
{
	unsigned long i;

	for (i = 0; i < 1UL << order; i++) {
		if (PageOffline(page + i))
			__ClearPageOffline(page + i);
		ClearPageReserved(page + i);
		set_page_private(page + i, 0);
		set_page_count(page + i, i == 0);
	}
}

/* Split an extent that nobody uses into single pages, each with a reference. */
void xen_helper_pages_make_single(struct page *page, unsigned int order)
{
	unsigned long i;

	for (i = 0; i < 1UL << order; i++) {
		if (PageOffline(page + i))
			__ClearPageOffline(page + i);
		set_page_private(page + i, 0);
		set_page_count(page + i, 1);
	}
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

void xen_helper_preempt_disable(void)
{
	preempt_disable();
}

void xen_helper_preempt_enable(void)
{
	preempt_enable();
}

unsigned long xen_helper_irq_save(void)
{
	unsigned long flags;

	local_irq_save(flags);
	return flags;
}

void xen_helper_irq_restore(unsigned long flags)
{
	local_irq_restore(flags);
}

/*
 * Does nobody else want this CPU, and do the events of irq come here? Then they
 * wait while interrupts are off, and none can be missed. Interrupts must be off.
 */
bool xen_helper_may_halt(unsigned int irq)
{
	struct irq_data *data = irq_get_irq_data(irq);

	return data && single_task_running() && !need_resched() &&
	       cpumask_test_cpu(smp_processor_id(),
				irq_data_get_effective_affinity_mask(data));
}

/* Interrupts must be off, and are on afterwards. */
void xen_helper_halt(void)
{
	raw_safe_halt();
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
