// SPDX-License-Identifier: GPL-2.0
/*
 * One mistake of each kind that the debug kernel is there to find, chosen by
 * the parameter. Loading fails, so that it can be loaded again.
 */
#include <linux/debugobjects.h>
#include <linux/delay.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *mistake = "";
module_param(mistake, charp, 0);

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static DEFINE_SPINLOCK(lock);
static volatile int places = 4;

static void lock_in_both_orders(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

/* Written to once it is free: found when it is looked at again. */
static void use_after_free(void)
{
	struct kmem_cache *cache;
	volatile char *bytes;

	cache = kmem_cache_create("cmm-planted", 64, 0,
				  SLAB_POISON | SLAB_RED_ZONE, NULL);
	if (!cache)
		return;
	bytes = kmem_cache_alloc(cache, GFP_KERNEL);
	if (bytes) {
		kmem_cache_free(cache, (void *)bytes);
		bytes[40] = 1;
		kmem_cache_shrink(cache);
		kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
	}
	kmem_cache_destroy(cache);
}

static void sleep_under_a_spinlock(void)
{
	spin_lock(&lock);
	msleep(1);
	spin_unlock(&lock);
}

static void shift_too_far(void)
{
	places = 1 << (places + 60);
}

static void corrupt_a_list(void)
{
	struct list_head head, node, other;

	INIT_LIST_HEAD(&head);
	list_add(&node, &head);
	head.next = &other;
	other.prev = &other;
	other.next = &other;
	list_del(&node);
}

static void forgotten(struct timer_list *timer)
{
}

static void free_a_running_timer(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, forgotten, 0);
	mod_timer(timer, jiffies + 1000 * HZ);
	kfree(timer);
}

static void enable_interrupts_too_early(void)
{
	unsigned long flags;

	local_irq_save(flags);
	local_irq_enable();
	raw_local_irq_restore(flags);
}

static const struct {
	const char *name;
	void (*make)(void);
} mistakes[] = {
	{ "lockdep", lock_in_both_orders },
	{ "memory", use_after_free },
	{ "atomic", sleep_under_a_spinlock },
	{ "ubsan", shift_too_far },
	{ "list", corrupt_a_list },
	{ "objects", free_a_running_timer },
	{ "irqflags", enable_interrupts_too_early },
};

static int __init planted_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
		if (strcmp(mistake, mistakes[i].name))
			continue;
		mistakes[i].make();
		return -EAGAIN;
	}
	return -EINVAL;
}
module_init(planted_init);

MODULE_DESCRIPTION("Mistakes for the debug kernel to find");
MODULE_LICENSE("GPL");
