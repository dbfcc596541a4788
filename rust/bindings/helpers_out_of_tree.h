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
long xen_helper_sysctl(void *op);

/* Time. */
bool xen_helper_clocks(u64 *monotonic, u64 *system_time);

/* The domain puts itself to sleep. */
int xen_helper_watch_sleep(void);
void xen_helper_unwatch_sleep(void);
bool xen_helper_falls_asleep(void);

/* A thread that is asked whether kernel threads may freeze. */
void xen_helper_stop(struct task_struct *thread);
bool xen_helper_wait_for_freeze(void);
void xen_helper_refuse_to_freeze(void);
void xen_helper_freeze(void);
bool xen_helper_is_freezing(void);

/* How urgent the calling thread is. */
struct xen_helper_priority {
	unsigned int policy;
	unsigned int priority;
	int nice;
};
void xen_helper_make_normal(struct xen_helper_priority *before);
void xen_helper_restore_priority(const struct xen_helper_priority *before);

/* Waiting for an event without going idle. */
bool xen_helper_begin_halt(void);
bool xen_helper_may_halt(unsigned int irq);
void xen_helper_end_halt(bool halts);

#endif
