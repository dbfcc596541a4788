/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Out-of-line versions of what Xen's and Linux's headers offer only as macros
 * or inline functions, which bindgen cannot bind: on all architectures.
 */
#ifndef _XEN_RUST_HELPERS_H
#define _XEN_RUST_HELPERS_H

#include <linux/gfp_types.h>
#include <linux/mm_types.h>
#include <linux/notifier.h>
#include <linux/spinlock_types.h>
#include <linux/sysfs.h>
#include <linux/timer.h>
#include <xen/xen.h>
#include <xen/xenbus.h>

/* What kind of domain this kernel runs in. */
bool xen_helper_domain(void);
bool xen_helper_pv_domain(void);
bool xen_helper_initial_domain(void);

/* Spinlocks that are taken with interrupts off: for series of Linux whose Rust lacks them. */
unsigned long xen_helper_spin_lock(spinlock_t *lock);
bool xen_helper_spin_trylock(spinlock_t *lock, unsigned long *flags);
void xen_helper_spin_unlock(spinlock_t *lock, unsigned long flags);

/* Xenbus devices: one caller at a time, for what these do is to look, and then to write. */
void xen_helper_switch_state(struct xenbus_device *dev, enum xenbus_state state);
void xen_helper_frontend_closed(struct xenbus_device *dev);
void xen_helper_dev_fatal(struct xenbus_device *dev, int err, const void *arguments);

/* Hypercalls. */
long xen_helper_memory_op(unsigned int cmd, void *arg);

/* struct page. */
extern const gfp_t xen_helper_gfp_donate;
extern const gfp_t xen_helper_gfp_hold;
unsigned long xen_helper_total_ram(void);
unsigned long xen_helper_free_movable_only(void);
unsigned long xen_helper_page_cache(void);
unsigned long xen_helper_protected(void);
unsigned long xen_helper_committed(void);
bool xen_helper_may_commit(unsigned long pages);
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

/* What the kernel counts of its memory, in pages. */
unsigned long xen_helper_free_pages(void);
unsigned long xen_helper_file_pages(void);
unsigned long xen_helper_reclaimable_pages(void);

/* What is to be done before a process is killed for lack of memory. */
int xen_helper_register_oom_notifier(struct notifier_block *block);
void xen_helper_unregister_oom_notifier(struct notifier_block *block);
unsigned int xen_helper_reserves_begin(void);
void xen_helper_reserves_end(unsigned int before);

/* A timer that expires on a CPU that is awake anyway. */
void xen_helper_awake_timer_init(struct timer_list *timer,
				 void (*function)(struct timer_list *));
bool xen_helper_awake_timer_start(struct timer_list *timer, unsigned int cpu);
void xen_helper_awake_timer_again(struct timer_list *timer, u64 delay);

/* For how long CPUs have worked. */
u64 xen_helper_busy_ns(void);

/* A thread that does something whenever it is wanted. */
struct task_struct *xen_helper_run_thread(int (*run)(void *), void *data,
					  const char *name);
void xen_helper_want_work(struct task_struct *thread, u32 *wanted);
bool xen_helper_wait_for_work(u32 *wanted, u64 timeout);

/* Keeping the CPU. */
void xen_helper_preempt_disable(void);
void xen_helper_preempt_enable(void);

#endif
