// SPDX-License-Identifier: GPL-2.0
/*
 * The bound: what a transfer must do at least, in a plain loop, in one domain,
 * without asking anybody. What the drivers take longer is their own cost.
 *
 * The donor's part: allocate zeroed pages, unmap them (PV), give them to Xen.
 * The requester's: have Xen put memory there, map it (PV), free the pages.
 *
 * Loading the module runs it and prints a line a run, with the ns of each phase:
 *	cmm-bare: SIZE_KB ALLOCATE UNMAP RELEASE POPULATE MAP FREE
 * and before them what hypercalls that do nothing take, which tells how quiet
 * the machine is:
 *	cmm-bare: null NUMBER P50 P90 P99 MAX
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sort.h>
/* memory.h uses what xen.h defines. */
#include <xen/interface/xen.h>
#include <xen/interface/memory.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <asm/xen/hypercall.h>

#undef pr_fmt
#define pr_fmt(fmt) "cmm-bare: " fmt

#define EXTENT_ORDER	9
#define EXTENT_PAGES	(1UL << EXTENT_ORDER)
#define MAX_SIZES	16
#define NR_NULLS	1000

static unsigned long sizes_kb[MAX_SIZES] = { 4, 16, 64, 256, 2048, 8192, 65536 };
static unsigned int nr_sizes = 7;
module_param_array(sizes_kb, ulong, &nr_sizes, 0444);
MODULE_PARM_DESC(sizes_kb, "Sizes in KiB: 4 times a power of two, or whole extents of 2 MiB");

static unsigned int runs = 5;
module_param(runs, uint, 0444);
MODULE_PARM_DESC(runs, "How often to measure each size");

static struct mmu_update updates[EXTENT_PAGES];
static xen_pfn_t frames[EXTENT_PAGES];

enum phase { ALLOCATE, UNMAP, RELEASE, POPULATE, MAP, FREE, NR_PHASES };
static u64 spent[NR_PHASES];
static u64 last;

/* The time since the last lap belongs to this phase. */
static void lap(enum phase phase)
{
	u64 now = ktime_get_ns();

	spent[phase] += now - last;
	last = now;
}

/*
 * Point the kernel's mappings of an extent, whose entries lie side by side in one
 * page table, at the frames from @frame on, or at nothing.
 */
static int map(struct page *page, unsigned long count, xen_pfn_t frame)
{
	unsigned long pfn = page_to_pfn(page), i;
	bool nothing = frame == INVALID_P2M_ENTRY;
	unsigned int level;
	pte_t *entry = lookup_address((unsigned long)page_address(page), &level);
	u64 machine = arbitrary_virt_to_machine(entry).maddr;

	for (i = 0; i < count; i++) {
		updates[i].ptr = (machine + i * sizeof(*entry)) | MMU_NORMAL_PT_UPDATE;
		updates[i].val = nothing ? 0 : pte_val_ma(mfn_pte(frame + i, PAGE_KERNEL));
		if (xen_safe_write_ulong(xen_p2m_addr + pfn + i, nothing ? frame : frame + i))
			return -EFAULT;
	}
	return HYPERVISOR_mmu_update(updates, count, NULL, DOMID_SELF);
}

static long memory_op(unsigned int cmd, unsigned long count, unsigned int order)
{
	struct xen_memory_reservation op = {
		.nr_extents = count,
		.extent_order = order,
		.domid = DOMID_SELF,
	};

	set_xen_guest_handle(op.extent_start, frames);
	return HYPERVISOR_memory_op(cmd, &op);
}

static struct page *allocate(unsigned int order)
{
	return alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY, order);
}

/*
 * Unmap an extent and give its memory to Xen. Of a domain that Xen translates for, it is one extent
 * for Xen, too. In a PV domain its frames need not be neighbours, and go as a list.
 */
static int release(struct page *page, unsigned int order)
{
	struct mmuext_op flush = { .cmd = MMUEXT_TLB_FLUSH_ALL };
	unsigned long i, count = 1UL << order;
	long done;
	int err;

	for (i = 0; i < count; i++)
		frames[i] = xen_page_to_gfn(page + i);
	if (xen_pv_domain()) {
		err = map(page, count, INVALID_P2M_ENTRY);
		if (err)
			return err;
		HYPERVISOR_mmuext_op(&flush, 1, NULL, DOMID_SELF);
	}
	lap(UNMAP);
	if (!xen_pv_domain())
		done = memory_op(XENMEM_decrease_reservation, 1, order) << order;
	else
		done = memory_op(XENMEM_decrease_reservation, count, 0);
	lap(RELEASE);
	return done == count ? 0 : -EIO;
}

/* Have memory put behind an extent, map it and free it to the allocator. */
static int populate(struct page *page, unsigned int order)
{
	unsigned long count = 1UL << order;
	long done;
	int err;

	frames[0] = page_to_pfn(page);
	done = memory_op(XENMEM_populate_physmap, 1, order);
	if (done != 1)
		return -ENOMEM;
	lap(POPULATE);

	if (xen_pv_domain()) {
		err = map(page, count, frames[0]);
		if (err)
			return err;
	}
	lap(MAP);
	__free_pages(page, order);
	lap(FREE);
	return 0;
}

/*
 * One run. A failure leaves pages without memory behind, which is why they are
 * never freed then: this domain is for measuring, and has had its day.
 */
static int measure(unsigned long size_kb, struct page **extents)
{
	unsigned long pages = size_kb / (PAGE_SIZE / SZ_1K), count, i;
	unsigned int order = min_t(unsigned int, ilog2(pages), EXTENT_ORDER);
	int err;

	count = pages >> order;
	memset(spent, 0, sizeof(spent));
	last = ktime_get_ns();
	for (i = 0; i < count; i++) {
		extents[i] = allocate(order);
		if (!extents[i]) {
			pr_err("no extent of order %u: more memory is wanted\n", order);
			while (i--)
				populate(extents[i], order);
			return -ENOMEM;
		}
		lap(ALLOCATE);
		err = release(extents[i], order);
		if (err)
			return err;
	}
	for (i = 0; i < count; i++) {
		err = populate(extents[i], order);
		if (err)
			return err;
	}
	pr_info("%lu %llu %llu %llu %llu %llu %llu\n", size_kb, spent[ALLOCATE], spent[UNMAP],
		spent[RELEASE], spent[POPULATE], spent[MAP], spent[FREE]);
	return 0;
}

static int compare_times(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void measure_null(void)
{
	static u64 times[NR_NULLS];
	u64 begin;
	int i;

	for (i = 0; i < NR_NULLS; i++) {
		begin = ktime_get_ns();
		HYPERVISOR_xen_version(0, NULL);
		times[i] = ktime_get_ns() - begin;
	}
	sort(times, NR_NULLS, sizeof(times[0]), compare_times, NULL);
	pr_info("null %d %llu %llu %llu %llu\n", NR_NULLS, times[NR_NULLS / 2],
		times[NR_NULLS * 90 / 100], times[NR_NULLS * 99 / 100], times[NR_NULLS - 1]);
}

static bool size_is_sane(unsigned long size_kb)
{
	unsigned long pages = size_kb / (PAGE_SIZE / SZ_1K);

	return pages && (pages % EXTENT_PAGES == 0 ||
			 (is_power_of_2(pages) && pages < EXTENT_PAGES));
}

static int __init cmm_bare_init(void)
{
	struct page **extents;
	unsigned int i, run;
	int err = 0;

	if (!xen_domain())
		return -ENODEV;

	extents = kvmalloc_array(SZ_1G >> (PAGE_SHIFT + EXTENT_ORDER), sizeof(*extents), GFP_KERNEL);
	if (!extents)
		return -ENOMEM;
	measure_null();
	for (i = 0; i < nr_sizes && !err; i++) {
		if (!size_is_sane(sizes_kb[i]) || sizes_kb[i] > SZ_1M) {
			pr_err("cannot measure %lu KiB\n", sizes_kb[i]);
			err = -EINVAL;
		}
		for (run = 0; run < runs && !err; run++)
			err = measure(sizes_kb[i], extents);
	}
	kvfree(extents);
	return err;
}
module_init(cmm_bare_init);

static void __exit cmm_bare_exit(void)
{
}
module_exit(cmm_bare_exit);

MODULE_DESCRIPTION("Measures the bare cost of moving memory to Xen and back");
MODULE_AUTHOR("The xen-cmm authors");
MODULE_LICENSE("GPL");
