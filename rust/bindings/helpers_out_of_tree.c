// SPDX-License-Identifier: GPL-2.0

#include <linux/clocksource_ids.h>
#include <linux/freezer.h>
#include <linux/irq.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <linux/suspend.h>
#include <linux/tick.h>
#include <linux/timekeeping.h>
#include <uapi/linux/sched/types.h>
#include <xen/interface/xen.h>
#include <asm/pvclock.h>
#include <asm/xen/hypercall.h>
#include <asm/xen/hypervisor.h>

#include "helpers_out_of_tree.h"

/* Linux never issues a domctl itself, so it has no wrapper of its own. */
long xen_helper_domctl(void *op)
{
	return xen_single_call(__HYPERVISOR_domctl, (unsigned long)op,
			       0, 0, 0, 0);
}

/* Nor a sysctl. */
long xen_helper_sysctl(void *op)
{
	return xen_single_call(__HYPERVISOR_sysctl, (unsigned long)op,
			       0, 0, 0, 0);
}

/*
 * A domain that puts itself to sleep says so to the notifiers; one that is
 * saved does not.
 */
static bool falls_asleep;

static int note_sleep(struct notifier_block *nb, unsigned long event, void *data)
{
	if (event == PM_SUSPEND_PREPARE)
		WRITE_ONCE(falls_asleep, true);
	else if (event == PM_POST_SUSPEND)
		WRITE_ONCE(falls_asleep, false);

	return NOTIFY_DONE;
}

static struct notifier_block sleep_notifier = { .notifier_call = note_sleep };
static DEFINE_MUTEX(sleep_lock);
static unsigned int sleep_watchers;

int xen_helper_watch_sleep(void)
{
	int err = 0;

	mutex_lock(&sleep_lock);
	if (!sleep_watchers) {
		/* The last may have gone while the domain slept. */
		WRITE_ONCE(falls_asleep, false);
		err = register_pm_notifier(&sleep_notifier);
	}
	if (!err)
		sleep_watchers++;
	mutex_unlock(&sleep_lock);

	return err;
}

void xen_helper_unwatch_sleep(void)
{
	mutex_lock(&sleep_lock);
	if (!--sleep_watchers)
		unregister_pm_notifier(&sleep_notifier);
	mutex_unlock(&sleep_lock);
}

bool xen_helper_falls_asleep(void)
{
	return READ_ONCE(falls_asleep);
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

void xen_helper_make_normal(struct xen_helper_priority *before)
{
	before->policy = current->policy;
	before->priority = current->rt_priority;
	before->nice = task_nice(current);
	sched_set_normal(current, 0);
}

void xen_helper_restore_priority(const struct xen_helper_priority *before)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = before->policy,
		.sched_priority = before->priority,
		.sched_nice = before->nice,
	};

	sched_setattr_nocheck(current, &attr);
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
 * The monotonic clock and Xen's, at the same moment. Linux counts by Xen's,
 * unless Xen warrants for the TSC; then Xen has left a page that says how to
 * convert that, and writes it anew on another machine. Returns false where it
 * is neither.
 */
bool xen_helper_clocks(u64 *monotonic, u64 *system_time)
{
	struct pvclock_vsyscall_time_info *page = pvclock_get_pvti_cpu0_va();
	struct system_time_snapshot now;
	unsigned int version = 0;

	do {
		if (page)
			version = pvclock_read_begin(&page->pvti);
		ktime_get_snapshot_id(CLOCK_MONOTONIC, &now);
		*monotonic = now.systime;
		*system_time = now.cs_id == CSID_X86_TSC && page ?
			       __pvclock_read_cycles(&page->pvti, now.cycles) :
			       now.cycles;
	} while (page && pvclock_read_retry(&page->pvti, version));

	return now.cs_id == CSID_GENERIC || (now.cs_id == CSID_X86_TSC && page);
}

/* Turns interrupts off, but only for a caller who may sleep. */
bool xen_helper_begin_halt(void)
{
	if (irqs_disabled() || preempt_count() || rcu_preempt_depth())
		return false;

	local_irq_disable();
	return true;
}

/*
 * Does nobody else want this CPU, does it tick meanwhile, and do the events of
 * irq come here? Then they wait while interrupts are off, and none can be
 * missed. Interrupts must be off.
 */
bool xen_helper_may_halt(unsigned int irq)
{
	struct irq_data *data = irq_get_irq_data(irq);
	int cpu = smp_processor_id();

	return data && single_task_running() && !need_resched() &&
	       !tick_nohz_full_cpu(cpu) &&
	       cpumask_test_cpu(cpu, irq_data_get_effective_affinity_mask(data));
}

/* Halts, or does not. Interrupts must be off, and are on afterwards. */
void xen_helper_end_halt(bool halts)
{
	if (halts)
		safe_halt();
	else
		local_irq_enable();
}
