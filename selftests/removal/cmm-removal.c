// SPDX-License-Identifier: GPL-2.0
/*
 * Gives frames to Xen in lists and in extents, and lists that Xen is to stop in, and
 * holds what Xen took against what it is to take.
 *
 * Loading the module does it, and prints a line a list:
 *	cmm-removal: ok WHAT, or: bad WHAT
 * and for each order of extents, the ns that Xen takes for a page at least:
 *	cmm-removal: order ORDER NS
 */
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
/* memory.h uses what xen.h defines. */
#include <xen/interface/xen.h>
#include <xen/interface/memory.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <asm/xen/hypercall.h>

#undef pr_fmt
#define pr_fmt(fmt) "cmm-removal: " fmt

#define ORDER	9
#define PAGES	(1U << ORDER)
#define TIMES	4

/* The frames that are given, and those behind the pages of the block. */
static xen_pfn_t list[PAGES], frames[PAGES];
static struct page *block;

/* Where Xen is to stop: at the ends of a list, and where it is likely to be cut in pieces. */
static const unsigned int stops[] = { 0, 1, 63, 64, 65, 127, 128, 300, 511 };

static long memory_op(unsigned int cmd, xen_pfn_t *first, unsigned int count, unsigned int order)
{
	struct xen_memory_reservation op = {
		.nr_extents = count,
		.extent_order = order,
		.domid = DOMID_SELF,
	};

	set_xen_guest_handle(op.extent_start, first);
	return HYPERVISOR_memory_op(cmd, &op);
}

static long domain_pages(void)
{
	domid_t self = DOMID_SELF;

	return HYPERVISOR_memory_op(XENMEM_current_reservation, &self);
}

/* Has a PV domain's page mapped to a frame, or to nothing. */
static int map(unsigned int i, xen_pfn_t frame)
{
	unsigned long address = (unsigned long)page_address(block + i);
	bool nothing = frame == INVALID_P2M_ENTRY;

	if (!xen_pv_domain())
		return 0;
	if (xen_safe_write_ulong(xen_p2m_addr + page_to_pfn(block + i), frame))
		return -EFAULT;
	return HYPERVISOR_update_va_mapping(address, nothing ? __pte_ma(0) : mfn_pte(frame, PAGE_KERNEL),
					    UVMF_INVLPG);
}

static int unmap_all(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < PAGES && !err; i++) {
		frames[i] = xen_page_to_gfn(block + i);
		list[i] = frames[i];
		err = map(i, INVALID_P2M_ENTRY);
	}
	return err;
}

/* Maps what Xen has not taken, pages from @first on, as it was. */
static int map_rest(unsigned int first)
{
	int err = 0;

	for (; first < PAGES && !err; first++)
		err = map(first, frames[first]);
	return err;
}

/* Has memory put behind pages that have none, an extent each. */
static int fill(unsigned int count, unsigned int order)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < count; i++)
		list[i] = page_to_pfn(block) + (i << order);
	if (count && memory_op(XENMEM_populate_physmap, list, count, order) != count)
		return -ENOMEM;
	for (i = 0; i < count << order && !err; i++)
		err = map(i, list[i >> order] + (i & ((1U << order) - 1)));
	return err;
}

static void mark(unsigned int first)
{
	for (; first < PAGES; first++)
		*(u64 *)page_address(block + first) = ~(u64)first;
}

static unsigned int astray(unsigned int first)
{
	unsigned int wrong = 0;

	for (; first < PAGES; first++)
		wrong += *(u64 *)page_address(block + first) != ~(u64)first;
	return wrong;
}

/* Gives the block as a list in which Xen cannot take frame @stop: there is none, or the first again. */
static int stop(const char *what, unsigned int stop, bool again)
{
	long before = domain_pages(), took, less;
	unsigned int wrong;
	int err;

	mark(0);
	err = unmap_all();
	if (err)
		return err;
	list[stop] = again ? list[0] : 1UL << 40;
	took = memory_op(XENMEM_decrease_reservation, list, PAGES, 0);
	less = before - domain_pages();
	err = map_rest(stop);
	if (err)
		return err;
	wrong = astray(stop);
	pr_info("%s a list, stopped at frame %u, which is %s: took %ld, the domain has %ld less, %u pages astray\n",
		took == stop && less == stop && !wrong ? "ok" : "bad", stop, what, took, less, wrong);
	return took == stop ? fill(stop, 0) : -EIO;
}

/* Gives the block as extents of an order, which are the first ones of @list. */
static int give(unsigned int order, u64 *best)
{
	unsigned int count = PAGES >> order, i;
	u64 begin;
	int err;

	err = unmap_all();
	if (err)
		return err;
	for (i = 0; i < count; i++)
		list[i] = frames[i << order];
	begin = ktime_get_ns();
	if (memory_op(XENMEM_decrease_reservation, list, count, order) != count)
		return -EIO;
	*best = min(*best, ktime_get_ns() - begin);
	return fill(1, ORDER);
}

static int measure(unsigned int order)
{
	u64 best = U64_MAX;
	long before = domain_pages();
	unsigned int i;
	int err = 0;

	for (i = 0; i < TIMES && !err; i++)
		err = give(order, &best);
	if (err)
		return err;
	pr_info("%s 2 MiB in extents of order %u: the domain has %ld pages, as before %ld\n",
		domain_pages() == before ? "ok" : "bad", order, domain_pages(), before);
	pr_info("order %u %llu\n", order, best / PAGES);
	return 0;
}

static int __init cmm_removal_init(void)
{
	unsigned int i;
	int err;

	if (!xen_domain())
		return -ENODEV;
	block = alloc_pages(GFP_KERNEL | __GFP_ZERO, ORDER);
	if (!block)
		return -ENOMEM;

	/* So that it is one extent for Xen, too. */
	err = unmap_all();
	if (!err && memory_op(XENMEM_decrease_reservation, list, PAGES, 0) != PAGES)
		err = -EIO;
	if (!err)
		err = fill(1, ORDER);
	if (!err)
		err = measure(ORDER);
	if (!err)
		err = measure(4);
	if (!err)
		err = measure(0);
	for (i = 0; i < ARRAY_SIZE(stops) && !err; i++) {
		err = stop("nothing", stops[i], false);
		if (!err && stops[i])
			err = stop("the first one again", stops[i], true);
	}
	/* What has gone wrong may have left pages without memory: they are nobody's then. */
	if (!err)
		__free_pages(block, ORDER);
	return err;
}
module_init(cmm_removal_init);

static void __exit cmm_removal_exit(void)
{
}
module_exit(cmm_removal_exit);

MODULE_DESCRIPTION("Gives lists and extents to Xen");
MODULE_AUTHOR("The xen-cmm authors");
MODULE_LICENSE("GPL");
