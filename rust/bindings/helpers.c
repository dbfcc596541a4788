// SPDX-License-Identifier: GPL-2.0

#include <linux/cpu.h>
#include <linux/file.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mutex.h>
#include <linux/oom.h>
#include <linux/page-flags.h>
#include <linux/preempt.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/tick.h>
#include <linux/timekeeping.h>
#include <linux/timer.h>
#include <linux/vmstat.h>
#include <xen/grant_table.h>
#include <xen/interface/memory.h>
#include <xen/interface/xen.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <xen/xenbus.h>
#include <asm/xen/hypercall.h>

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

/* Spinlocks that are taken with interrupts off. */
unsigned long xen_helper_spin_lock(spinlock_t *lock)
{
	unsigned long flags;

	spin_lock_irqsave(lock, flags);
	return flags;
}

bool xen_helper_spin_trylock(spinlock_t *lock, unsigned long *flags)
{
	return spin_trylock_irqsave(lock, *flags);
}

void xen_helper_spin_unlock(spinlock_t *lock, unsigned long flags)
{
	spin_unlock_irqrestore(lock, flags);
}

/*
 * The bus compares a device's state with the new one, writes that to xenstore,
 * and then to the device. Two at once leave one state there and another here,
 * and the next that says what is here already writes nothing.
 */
static DEFINE_MUTEX(state_mutex);

void xen_helper_switch_state(struct xenbus_device *dev, enum xenbus_state state)
{
	mutex_lock(&state_mutex);
	xenbus_switch_state(dev, state);
	mutex_unlock(&state_mutex);
}

void xen_helper_frontend_closed(struct xenbus_device *dev)
{
	mutex_lock(&state_mutex);
	xenbus_frontend_closed(dev);
	mutex_unlock(&state_mutex);
}

/* @arguments: a fmt::Arguments of Rust's. */
void xen_helper_dev_fatal(struct xenbus_device *dev, int err, const void *arguments)
{
	mutex_lock(&state_mutex);
	xenbus_dev_fatal(dev, err, "%pA", arguments);
	mutex_unlock(&state_mutex);
}

long xen_helper_memory_op(unsigned int cmd, void *arg)
{
	return HYPERVISOR_memory_op(cmd, arg);
}

/*
 * For pages that are given away: zeroed, whatever the kernel was built or
 * booted to do with pages it allocates, and without retries, reserves, warnings
 * or the OOM killer.
 */
const gfp_t xen_helper_gfp_donate = __GFP_HIGHMEM | __GFP_ZERO | __GFP_NOWARN |
				    __GFP_NORETRY | __GFP_NOMEMALLOC;

/* Likewise, for pages that are only held. */
const gfp_t xen_helper_gfp_hold = __GFP_HIGHMEM | __GFP_NOWARN |
				  __GFP_NORETRY | __GFP_NOMEMALLOC;

unsigned long xen_helper_total_ram(void)
{
	return totalram_pages();
}

/* Free, and only for pages that can be moved away again. */
unsigned long xen_helper_free_movable_only(void)
{
	return global_zone_page_state(NR_FREE_CMA_PAGES);
}

unsigned long xen_helper_page_cache(void)
{
	return global_node_page_state(NR_ACTIVE_FILE) +
	       global_node_page_state(NR_INACTIVE_FILE);
}

/* What control groups use of what they are promised to keep. */
unsigned long xen_helper_protected(void)
{
#ifdef CONFIG_MEMCG
	struct mem_cgroup *root = root_mem_cgroup;

	if (!mem_cgroup_disabled() && root)
		return max(atomic_long_read(&root->memory.children_min_usage),
			   atomic_long_read(&root->memory.children_low_usage));
#endif
	return 0;
}

unsigned long xen_helper_committed(void)
{
	return vm_memory_committed();
}

/*
 * Whether the kernel would promise somebody so many pages more. Its rule and
 * its limit are its own secret; what it promises to a file can be had back.
 */
bool xen_helper_may_commit(unsigned long pages)
{
	struct file *file;

	file = shmem_kernel_file_setup("xen-commitment", (loff_t)pages << PAGE_SHIFT,
				       EMPTY_VMA_FLAGS);
	if (IS_ERR(file))
		return false;
	/* Not later: what was promised to it would count until then. */
	__fput_sync(file);
	return true;
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

/*
 * Tell /proc/kcore and crash dumps to keep away: no memory is behind these. A
 * page like that without a reference would tell whoever takes memory offline
 * that it may go, too.
 */
void xen_helper_pages_set_unpopulated(struct page *page, unsigned long count)
{
	unsigned long i;

	for (i = 0; i < count; i++) {
		__SetPageOffline(page + i);
		set_page_count(page + i, 1);
	}
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

/* Tells lockdep, where there is one, what the attribute's users wait for. */
void xen_helper_attribute_init(struct attribute *attr)
{
	sysfs_attr_init(attr);
}

unsigned long xen_helper_free_pages(void)
{
	return global_zone_page_state(NR_FREE_PAGES);
}

unsigned long xen_helper_file_pages(void)
{
	/*
	 * Not what is on the lists for reclaim: it gets there some pages late,
	 * which would look like a rise of something else for a moment.
	 */
	unsigned long cached = global_node_page_state(NR_FILE_PAGES);
	unsigned long kept = global_node_page_state(NR_SHMEM) +
			     global_node_page_state(NR_UNEVICTABLE) +
			     total_swapcache_pages();

	return cached - min(cached, kept);
}

unsigned long xen_helper_reclaimable_pages(void)
{
	return global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B) +
	       global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE);
}

int xen_helper_register_oom_notifier(struct notifier_block *block)
{
	return register_oom_notifier(block);
}

void xen_helper_unregister_oom_notifier(struct notifier_block *block)
{
	unregister_oom_notifier(block);
}

unsigned int xen_helper_reserves_begin(void)
{
	return memalloc_noreclaim_save();
}

void xen_helper_reserves_end(unsigned int before)
{
	memalloc_noreclaim_restore(before);
}

void xen_helper_awake_timer_init(struct timer_list *timer,
				 void (*function)(struct timer_list *))
{
	timer_setup(timer, function, TIMER_DEFERRABLE | TIMER_PINNED);
}

bool xen_helper_awake_timer_start(struct timer_list *timer, unsigned int cpu)
{
	bool online;

	cpus_read_lock();
	online = cpu < nr_cpu_ids && cpu_online(cpu);
	if (online) {
		timer->expires = jiffies;
		add_timer_on(timer, cpu);
	}
	cpus_read_unlock();

	return online;
}

/* From its own handler: it stays on this CPU. */
void xen_helper_awake_timer_again(struct timer_list *timer, u64 delay)
{
	mod_timer(timer, jiffies + nsecs_to_jiffies(delay));
}

u64 xen_helper_busy_ns(void)
{
	u64 now_us = ktime_to_us(ktime_get());
	u64 busy_us = 0;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		u64 idle_us = get_cpu_idle_time_us(cpu, NULL);

		if (idle_us == -1ULL)
			return now_us * NSEC_PER_USEC;
		/* The clock was read before. */
		if (idle_us < now_us)
			busy_us += now_us - idle_us;
	}

	return busy_us * NSEC_PER_USEC;
}

struct task_struct *xen_helper_run_thread(int (*run)(void *), void *data,
					  const char *name)
{
	return kthread_run(run, data, "%s", name);
}

void xen_helper_want_work(struct task_struct *thread, u32 *wanted)
{
	/* What is wanted is seen before the thread is: it looks the other way round. */
	WRITE_ONCE(*wanted, 1);
	wake_up_process(thread);
}

/*
 * For the thread itself: waits until it is wanted, or for as many ns, or for
 * ever if that is U64_MAX. False when it is to stop.
 */
bool xen_helper_wait_for_work(u32 *wanted, u64 timeout)
{
	long left = timeout == U64_MAX ? MAX_SCHEDULE_TIMEOUT :
					 (long)nsecs_to_jiffies(timeout) + 1;

	for (;;) {
		set_current_state(TASK_IDLE);
		if (kthread_should_stop() || xchg(wanted, 0) || !left)
			break;
		left = schedule_timeout(left);
	}
	__set_current_state(TASK_RUNNING);

	return !kthread_should_stop();
}

void xen_helper_preempt_disable(void)
{
	preempt_disable();
}

void xen_helper_preempt_enable(void)
{
	preempt_enable();
}
