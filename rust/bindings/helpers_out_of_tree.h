/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As helpers.h, for rust/xen/out_of_tree: not all of it is a wrapper. On x86.
 */
#ifndef _XEN_RUST_HELPERS_OUT_OF_TREE_H
#define _XEN_RUST_HELPERS_OUT_OF_TREE_H

#include <linux/types.h>

struct task_struct;

/* Hypercalls. */
long xen_helper_domctl(void *op);

/* Time. */
bool xen_helper_clocks(u64 *monotonic, u64 *system_time);

/* The domain puts itself to sleep. */
int xen_helper_watch_sleep(void);
void xen_helper_unwatch_sleep(void);
bool xen_helper_falls_asleep(void);

/* A thread that is asked whether kernel threads may freeze. */
struct task_struct *xen_helper_run_freezable(int (*run)(void *), void *data,
					     const char *name);
void xen_helper_stop(struct task_struct *thread);
bool xen_helper_wait_for_freeze(void);
void xen_helper_refuse_to_freeze(void);
void xen_helper_freeze(void);
bool xen_helper_is_freezing(void);
struct task_struct *xen_helper_current(void);

/* Waiting for an event without going idle. */
unsigned long xen_helper_irq_save(void);
void xen_helper_irq_restore(unsigned long flags);
bool xen_helper_may_halt(unsigned int irq);
void xen_helper_halt(void);

#endif
