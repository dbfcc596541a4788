/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Out-of-line versions of what Xen's and Linux's headers offer only as macros
 * or inline functions, which bindgen cannot bind: on all architectures.
 */
#ifndef _XEN_RUST_HELPERS_H
#define _XEN_RUST_HELPERS_H

#include <linux/gfp_types.h>
#include <linux/mm_types.h>
#include <linux/spinlock_types.h>
#include <linux/sysfs.h>
#include <xen/xen.h>

/* What kind of domain this kernel runs in. */
bool xen_helper_domain(void);
bool xen_helper_pv_domain(void);
bool xen_helper_initial_domain(void);

/* Spinlocks that are taken with interrupts off: for series of Linux whose Rust lacks them. */
unsigned long xen_helper_spin_lock(spinlock_t *lock);
bool xen_helper_spin_trylock(spinlock_t *lock, unsigned long *flags);
void xen_helper_spin_unlock(spinlock_t *lock, unsigned long flags);

/* Hypercalls. */
long xen_helper_memory_op(unsigned int cmd, void *arg);

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

/* Sysfs. */
void xen_helper_attribute_init(struct attribute *attr);

/* Keeping the CPU. */
void xen_helper_preempt_disable(void);
void xen_helper_preempt_enable(void);

#endif
