// SPDX-License-Identifier: GPL-2.0
/*
 * Gives memory to the pool in Xen and takes from it, as it is told.
 *
 * It has blocks of 2 MiB, and counts extents of an order through them, from 0 on: those
 * that are given are where others go that are taken.
 *
 * /sys/module/cmm_broker/parameters/:
 *	act	write what to do, and its numbers:
 *		  prepare BLOCKS	allocate blocks; for Xen, too, each is one extent
 *		  hole BLOCKS		let Xen have the memory of the first ones
 *		  fill BLOCKS		and get it back, where there is none
 *		  mark VALUE PAGES	write to the first pages
 *		  count VALUE PAGES	how many of the first pages have what was written
 *		  give ORDER COUNT FROM	give extents, FROM 0 if that is not said
 *		  take ORDER COUNT FROM	take as many
 *		  ask ORDER COUNT FROM	the same, and have others asked
 *		  flood COUNT		ask for more than there can be, many times
 *		  share PAGE		grant a page to Dom0
 *		  unshare		and no more
 *		  limits, drain, pool, other	what only the control domain may do
 *		  serve ORDER		from now on, give what is wanted, in such extents
 *		  idle			let it be
 *		  next ORDER		from the pool, the next extent
 *		  cold ORDER		the same, of what others are asked for
 *		  heap ORDER		the same, of what Xen's heap has
 *	result	read: what Xen said last, or what was counted
 *	ns	read: what it took, after next, cold, and heap
 *	frame	read: after share, the frame that was granted
 */
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/wait.h>
#include <xen/events.h>
#include <xen/grant_table.h>
/* memory.h uses what xen.h defines. */
#include <xen/interface/xen.h>
#include <xen/interface/memory.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <asm/xen/hypercall.h>

#include "broker-public.h"

#undef pr_fmt
#define pr_fmt(fmt) "cmm-broker: " fmt

#define ORDER		9
#define PAGES		(1U << ORDER)
#define BLOCKS		8
#define BATCH		32
#define PATIENCE	(HZ / 2)

static struct page *block[BLOCKS];
static unsigned int blocks;
/* The frames that are named to Xen, and those behind the pages of the blocks. */
static xen_pfn_t list[BLOCKS * PAGES], frames[BLOCKS * PAGES];
static bool absent[BLOCKS * PAGES];
static unsigned long next_page;

static long result;
static u64 ns;
static unsigned long frame;
static int ref = -1;

static DECLARE_WAIT_QUEUE_HEAD(events);
static unsigned long event_count;
static struct task_struct *server;
static unsigned int serve_order;
static int irq;

static struct page *page_at(unsigned long index)
{
	return block[index / PAGES] + index % PAGES;
}

static long cmm(struct xen_cmm *op)
{
	return HYPERVISOR_memory_op(XENMEM_cmm, op);
}

static long memory_op(unsigned int cmd, unsigned int count, unsigned int order)
{
	struct xen_memory_reservation op = {
		.nr_extents = count,
		.extent_order = order,
		.domid = DOMID_SELF,
	};

	set_xen_guest_handle(op.extent_start, list);
	return HYPERVISOR_memory_op(cmd, &op);
}

/* Of a PV domain, has pages mapped to the frames behind them, or to nothing. */
static int map(unsigned long first, unsigned long count, bool nothing)
{
	static struct multicall_entry calls[BATCH];
	unsigned int n = 0;
	unsigned long i;

	if (!xen_pv_domain())
		return 0;
	for (i = 0; i < count; i++) {
		struct page *page = page_at(first + i);
		pte_t pte = nothing ? __pte_ma(0) : mfn_pte(frames[first + i], PAGE_KERNEL);

		if (xen_safe_write_ulong(xen_p2m_addr + page_to_pfn(page),
					 nothing ? INVALID_P2M_ENTRY : frames[first + i]))
			return -EFAULT;
		calls[n++] = (struct multicall_entry){
			.op = __HYPERVISOR_update_va_mapping,
			.args = { (unsigned long)page_address(page), pte_val_ma(pte),
				  i + 1 == count ? UVMF_TLB_FLUSH | UVMF_ALL : 0 },
		};
		if (n == BATCH || i + 1 == count) {
			if (HYPERVISOR_multicall(calls, n))
				return -EFAULT;
			n = 0;
		}
	}
	return 0;
}

static int unmap(unsigned long first, unsigned long count)
{
	unsigned long i;

	for (i = first; i < first + count; i++)
		frames[i] = xen_page_to_gfn(page_at(i));
	return map(first, count, true);
}

/* What Xen has put behind extents, the first of which is at a page. */
static int map_extents(unsigned long first, unsigned int order, unsigned long count)
{
	unsigned long i;

	for (i = 0; i < count << order; i++) {
		frames[first + i] = list[i >> order] + (i & ((1UL << order) - 1));
		absent[first + i] = false;
	}
	return map(first, count << order, false);
}

static void name_pages(unsigned long first, unsigned int order, unsigned long count)
{
	unsigned long i;

	for (i = 0; i < count; i++)
		list[i] = page_to_pfn(page_at(first + (i << order)));
}

static bool fits(unsigned long first, unsigned int order, unsigned long count)
{
	return order <= ORDER && first + (count << order) <= (unsigned long)blocks * PAGES;
}

static struct xen_cmm extents(u32 number, unsigned int order, unsigned long count, bool ask)
{
	return (struct xen_cmm){
		.op = number,
		.domid = DOMID_SELF,
		.flags = ask ? XEN_CMM_ASK : 0,
		.u.extents = { order, count, count == 1 ? list[0] : (uintptr_t)list },
	};
}

static long give(unsigned long first, unsigned int order, unsigned long count)
{
	struct xen_cmm op;
	unsigned long i, done;
	long given;

	if (!fits(first, order, count) || unmap(first, count << order))
		return -EINVAL;
	for (i = 0; i < count; i++)
		list[i] = frames[first + (i << order)];
	op = extents(XEN_CMM_give, order, count, false);
	given = cmm(&op);
	done = given < 0 ? 0 : given << order;
	for (i = 0; i < done; i++)
		absent[first + i] = true;
	if (done < count << order && map(first + done, (count << order) - done, false))
		return -EFAULT;
	return given;
}

static long take(unsigned long first, unsigned int order, unsigned long count, bool ask)
{
	struct xen_cmm op;
	long taken;

	if (!fits(first, order, count))
		return -EINVAL;
	name_pages(first, order, count);
	op = extents(XEN_CMM_take, order, count, ask);
	taken = cmm(&op);
	if (taken > 0) {
		if (count == 1 && xen_pv_domain())
			list[0] = op.u.extents.frames;
		if (map_extents(first, order, taken))
			return -EFAULT;
	}
	return taken;
}

static long take_waiting(unsigned long first, unsigned int order, unsigned long count)
{
	unsigned long seen = READ_ONCE(event_count);
	long taken = take(first, order, count, true);

	if (taken != -EAGAIN)
		return taken;
	wait_event_timeout(events, READ_ONCE(event_count) != seen, PATIENCE);
	return take(first, order, count, false);
}

/* What Xen's heap gives for the next @count pages, or takes of them, which are alike. */
static long fill_run(unsigned long first, unsigned long count)
{
	unsigned int order = count == PAGES ? ORDER : 0;
	unsigned long nr = count >> order;

	name_pages(first, order, nr);
	if (memory_op(XENMEM_populate_physmap, nr, order) != nr)
		return -ENOMEM;
	return map_extents(first, order, nr);
}

static long hole_run(unsigned long first, unsigned long count)
{
	if (unmap(first, count))
		return -EFAULT;
	memcpy(list, frames + first, count * sizeof(*list));
	if (memory_op(XENMEM_decrease_reservation, count, 0) != count)
		return -EIO;
	memset(absent + first, true, count);
	return 0;
}

static long each_run(unsigned long count, bool want, long (*what)(unsigned long, unsigned long))
{
	unsigned long i, end;
	long err = 0;

	next_page = 0;
	if (count > blocks)
		return -EINVAL;
	for (i = 0; i < count * PAGES && !err; i = end) {
		end = i + 1;
		if (absent[i] != want)
			continue;
		while (end % PAGES && absent[end] == want)
			end++;
		err = what(i, end - i);
	}
	return err;
}

static long hole(unsigned long count)
{
	return each_run(count, false, hole_run);
}

static long fill(unsigned long count)
{
	return each_run(count, true, fill_run);
}

static long prepare(unsigned long count)
{
	if (count > BLOCKS)
		return -EINVAL;
	for (; blocks < count; blocks++) {
		block[blocks] = alloc_pages(GFP_KERNEL | __GFP_ZERO, ORDER);
		if (!block[blocks])
			return -ENOMEM;
	}
	return hole(count) ?: fill(count);
}

static long mark(u64 value, unsigned long count)
{
	unsigned long i;

	for (i = 0; i < count && i < (unsigned long)blocks * PAGES; i++)
		*(u64 *)page_address(page_at(i)) = value;
	return i;
}

static long count(u64 value, unsigned long count)
{
	unsigned long i, n = 0;

	for (i = 0; i < count && i < (unsigned long)blocks * PAGES; i++)
		n += *(u64 *)page_address(page_at(i)) == value;
	return n;
}

/* How often Xen said that it is too often. */
static long flood(unsigned long count)
{
	long busy = 0;

	while (count--) {
		struct xen_cmm op;

		name_pages(0, ORDER, 1);
		op = extents(XEN_CMM_take, ORDER, 1, true);
		busy += cmm(&op) == -EBUSY;
	}
	return busy;
}

static long share(unsigned long index)
{
	if (ref >= 0)
		return -EBUSY;
	frame = xen_page_to_gfn(page_at(index));
	ref = gnttab_grant_foreign_access(0, frame, 0);
	return ref;
}

static long unshare(void)
{
	if (ref < 0 || !gnttab_end_foreign_access_ref(ref))
		return -EBUSY;
	gnttab_free_grant_reference(ref);
	ref = -1;
	return 0;
}

static long forbidden(u32 number, u16 domid)
{
	struct xen_cmm op = { .op = number, .domid = domid };

	return cmm(&op);
}

static irqreturn_t handle(int number, void *data)
{
	WRITE_ONCE(event_count, event_count + 1);
	wake_up(&events);
	return IRQ_HANDLED;
}

/* Gives what is wanted, as long as there is something. */
static void serve_once(void)
{
	struct xen_cmm op = { .op = XEN_CMM_wanted, .domid = DOMID_SELF };
	long wanted = cmm(&op), given;
	unsigned long count;

	if (wanted <= 0)
		return;
	count = min(DIV_ROUND_UP(wanted, 1L << serve_order),
		    (long)((unsigned long)blocks * PAGES - next_page) >> serve_order);
	given = count ? give(next_page, serve_order, count) : 0;
	if (given > 0)
		next_page += given << serve_order;
}

static int serve(void *data)
{
	unsigned long seen = READ_ONCE(event_count);

	while (!kthread_should_stop()) {
		wait_event_interruptible(events, READ_ONCE(event_count) != seen || kthread_should_stop());
		seen = READ_ONCE(event_count);
		serve_once();
	}
	return 0;
}

static long start_serving(unsigned int order)
{
	struct task_struct *task;

	serve_order = order;
	if (server)
		return 0;
	task = kthread_run(serve, NULL, "cmm-broker");
	if (IS_ERR(task))
		return PTR_ERR(task);
	sched_set_fifo(task);
	server = task;
	return 0;
}

static long stop_serving(void)
{
	if (server)
		kthread_stop(server);
	server = NULL;
	return 0;
}

/* Takes one extent, in one of three ways, and measures it until it is mapped. */
static long measure(const char *what, unsigned int order)
{
	u64 begin = ktime_get_ns();
	long got;

	if (!fits(next_page, order, 1))
		return -ENOSPC;
	if (what[0] == 'h') {
		name_pages(next_page, order, 1);
		got = memory_op(XENMEM_populate_physmap, 1, order);
		if (got == 1 && map_extents(next_page, order, 1))
			got = -EFAULT;
	} else {
		got = what[0] == 'c' ? take_waiting(next_page, order, 1) : take(next_page, order, 1, false);
	}
	ns = ktime_get_ns() - begin;
	if (got == 1)
		next_page += 1UL << order;
	return got;
}

static long perform(const char *what, u64 a, u64 b, u64 c)
{
	if (!strcmp(what, "prepare"))
		return prepare(a);
	if (!strcmp(what, "hole"))
		return hole(a);
	if (!strcmp(what, "fill"))
		return fill(a);
	if (!strcmp(what, "mark"))
		return mark(a, b);
	if (!strcmp(what, "count"))
		return count(a, b);
	if (!strcmp(what, "give"))
		return give(c << a, a, b);
	if (!strcmp(what, "take"))
		return take(c << a, a, b, false);
	if (!strcmp(what, "ask"))
		return take(c << a, a, b, true);
	if (!strcmp(what, "flood"))
		return flood(a);
	if (!strcmp(what, "share"))
		return share(a);
	if (!strcmp(what, "unshare"))
		return unshare();
	if (!strcmp(what, "limits"))
		return forbidden(XEN_CMM_limits, DOMID_SELF);
	if (!strcmp(what, "drain"))
		return forbidden(XEN_CMM_drain, DOMID_SELF);
	if (!strcmp(what, "pool"))
		return forbidden(XEN_CMM_pool, DOMID_SELF);
	if (!strcmp(what, "other"))
		return forbidden(XEN_CMM_query, 0);
	if (!strcmp(what, "serve"))
		return start_serving(a);
	if (!strcmp(what, "idle"))
		return stop_serving();
	if (!strcmp(what, "next") || !strcmp(what, "cold") || !strcmp(what, "heap"))
		return measure(what, a);
	return -ENOTTY;
}

static int act(const char *text, const struct kernel_param *kp)
{
	char what[16];
	u64 a = 0, b = 0, c = 0;

	if (sscanf(text, "%15s %lli %lli %lli", what, &a, &b, &c) < 1)
		return -EINVAL;
	result = perform(what, a, b, c);
	return 0;
}

static const struct kernel_param_ops act_ops = { .set = act };
module_param_cb(act, &act_ops, NULL, 0200);
MODULE_PARM_DESC(act, "What to do");
module_param(result, long, 0444);
MODULE_PARM_DESC(result, "What came of it");
module_param(ns, ullong, 0444);
MODULE_PARM_DESC(ns, "What it took");
module_param(frame, ulong, 0444);
MODULE_PARM_DESC(frame, "What was granted");

/* No exit: what it has given it could not give back. */
static int __init broker_init(void)
{
	if (!xen_domain())
		return -ENODEV;
	irq = bind_virq_to_irqhandler(XEN_CMM_VIRQ, 0, handle, 0, "cmm-broker", NULL);
	return irq < 0 ? irq : 0;
}
module_init(broker_init);

MODULE_DESCRIPTION("Gives to and takes from the pool in Xen");
MODULE_AUTHOR("The xen-cmm authors");
MODULE_LICENSE("GPL");
