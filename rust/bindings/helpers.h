/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Out-of-line versions of what Xen's and Linux's headers offer only as macros
 * or inline functions, which bindgen cannot bind.
 */
#ifndef _XEN_RUST_HELPERS_H
#define _XEN_RUST_HELPERS_H

#include <linux/gfp_types.h>
#include <linux/mm_types.h>
#include <xen/xen.h>
#include <xen/xenbus.h>

/* What kind of domain this kernel runs in. */
bool xen_helper_domain(void);
bool xen_helper_pv_domain(void);
bool xen_helper_initial_domain(void);

/* Hypercalls. */
long xen_helper_memory_op(unsigned int cmd, void *arg);
bool xen_helper_has_memory(unsigned long gfn);
long xen_helper_domctl(void *op);
int xen_helper_flush_tlb_all(void);

/* Time. */
bool xen_helper_clocks(u64 *monotonic, u64 *system_time);

/* A thread that is asked whether kernel threads may freeze. */
struct task_struct *xen_helper_run_freezable(int (*run)(void *), void *data,
					     const char *name);
void xen_helper_stop(struct task_struct *thread);
bool xen_helper_wait_for_freeze(void);
void xen_helper_refuse_to_freeze(void);
void xen_helper_freeze(void);
bool xen_helper_is_freezing(void);
struct task_struct *xen_helper_current(void);

/* struct page. */
extern const gfp_t xen_helper_gfp_donate;
unsigned long xen_helper_total_ram(void);
unsigned long xen_helper_present_pages(void);
bool xen_helper_page_is_device(struct page *page);
void *xen_helper_page_address(struct page *page);
unsigned long xen_helper_page_to_pfn(struct page *page);
unsigned long xen_helper_page_to_gfn(struct page *page);
void xen_helper_page_set_next(struct page *page, struct page *next);
struct page *xen_helper_page_next(struct page *page);
/* Pages that are neighbours in memory. */
struct xen_helper_run {
	struct page *first;
	unsigned long count;
};
void xen_helper_sort_runs(struct xen_helper_run *runs, unsigned long count);
void xen_helper_pages_set_unpopulated(struct page *page, unsigned long count);
void xen_helper_pages_clear_unpopulated(struct page *page, unsigned int order);
void xen_helper_pages_make_single(struct page *page, unsigned int order);

/* PV mappings: by the kernel's own functions, and by hand. */
void xen_helper_map_frames(unsigned long count, struct page **pages,
			   xen_pfn_t *frames);
void xen_helper_unmap_pages(unsigned long count, struct page **pages);
u64 xen_helper_entries(struct page *first, unsigned long count);
u64 xen_helper_entry_of(xen_pfn_t frame);
int xen_helper_mmu_update(struct mmu_update *updates, int count);
bool xen_helper_set_p2m(unsigned long pfn, unsigned long frame);

/* Keeping the CPU. */
void xen_helper_preempt_disable(void);
void xen_helper_preempt_enable(void);

/* Waiting for an event without going idle. */
unsigned long xen_helper_irq_save(void);
void xen_helper_irq_restore(unsigned long flags);
bool xen_helper_may_halt(unsigned int irq);
void xen_helper_halt(void);

#endif
