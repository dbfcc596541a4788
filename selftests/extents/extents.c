// SPDX-License-Identifier: GPL-2.0
/*
 * Gives extents to Xen by way of crate xen, with some of their pages mapped by Dom0, or
 * gone already, and compares what the crate says with what Xen has.
 *
 * /sys/module/cmm_extents/parameters/:
 *	act	write "prepare": allocate the extents; grant what Dom0 is to map
 *		write "give": give them, one after the other
 *		write "fill": when Dom0 maps nothing any more: get all back and use it
 *		write "block": allocate what the next two need, and grant pages of it
 *		write "starve": give extents of it while Xen has no memory to note them
 *		write "free": when Dom0 maps nothing any more: give it up
 *	refs	read: the grants, to be mapped after "prepare" and "block"
 *
 * Each thing that is found out is a line of the kernel's log:
 *	cmm-extents: ok|bad WHAT
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/page-flags.h>
#include <linux/slab.h>
#include <xen/grant_table.h>
#include <xen/interface/memory.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <asm/xen/hypercall.h>

#undef pr_fmt
#define pr_fmt(fmt) "cmm-extents: " fmt

#define MAX_PAGES	512
#define MAX_MARKED	8
#define MAX_REFS	128

long extents_give(struct page *page, unsigned int order);
long extents_fill(struct page *page, unsigned int order);
void extents_saw(struct page *page, unsigned int order, bool without_memory);
void extents_use(struct page *page, unsigned int order);

/* Page indexes; -1 ends a list. */
struct scenario {
	unsigned int order;
	int mapped[MAX_MARKED + 1];
	int gone[MAX_MARKED + 1];
	/* A page that reads as what is gone would. */
	int ones[MAX_MARKED + 1];
};

#define NONE	{ -1 }
#define AT(...)	{ __VA_ARGS__, -1 }
#define ALL_8	AT(0, 1, 2, 3, 4, 5, 6, 7)

static const struct scenario scenarios[] = {
	{ 0, NONE, NONE, NONE },
	{ 0, AT(0), NONE, NONE },
	{ 0, NONE, AT(0), NONE },
	{ 3, NONE, NONE, NONE },
	{ 3, AT(0), NONE, NONE },
	{ 3, AT(1), NONE, NONE },
	{ 3, AT(2), NONE, NONE },
	{ 3, AT(3), NONE, NONE },
	{ 3, AT(4), NONE, NONE },
	{ 3, AT(5), NONE, NONE },
	{ 3, AT(6), NONE, NONE },
	{ 3, AT(7), NONE, NONE },
	{ 3, ALL_8, NONE, NONE },
	{ 3, NONE, AT(0), NONE },
	{ 3, NONE, AT(1), NONE },
	{ 3, NONE, AT(2), NONE },
	{ 3, NONE, AT(3), NONE },
	{ 3, NONE, AT(4), NONE },
	{ 3, NONE, AT(5), NONE },
	{ 3, NONE, AT(6), NONE },
	{ 3, NONE, AT(7), NONE },
	{ 3, NONE, AT(0, 1), NONE },
	{ 3, NONE, AT(3, 4), NONE },
	{ 3, NONE, AT(0, 2, 5, 7), NONE },
	{ 3, NONE, ALL_8, NONE },
	{ 3, AT(0, 1, 2), AT(3), NONE },
	{ 3, AT(4, 5, 6, 7), AT(3), NONE },
	{ 3, AT(0, 2, 4, 6), AT(1, 3, 5, 7), NONE },
	{ 3, NONE, NONE, AT(0) },
	{ 3, NONE, AT(4), AT(2, 6) },
	{ 9, NONE, NONE, NONE },
	{ 9, AT(0), NONE, NONE },
	{ 9, AT(255), NONE, NONE },
	{ 9, AT(511), NONE, NONE },
	{ 9, AT(0, 1, 255, 256, 510, 511), NONE, NONE },
	{ 9, NONE, AT(0), NONE },
	{ 9, NONE, AT(1), NONE },
	{ 9, NONE, AT(256), NONE },
	{ 9, NONE, AT(511), NONE },
	{ 9, NONE, AT(0, 255, 256, 511), NONE },
	{ 9, AT(0, 254, 300), AT(255), NONE },
	{ 9, AT(1, 511), AT(0, 510), AT(5) },
};

enum fate { UNSEEN, WITHOUT_MEMORY, AS_IT_WAS };

/* What became of the pages of one extent: many are in the air at a time, so not static. */
struct run {
	struct page *page;
	u8 fate[MAX_PAGES];
	unsigned int seen_twice;
	/* Without memory, and not as those who take memory offline let alone. */
	unsigned int unmarked;
	unsigned int orders[MAX_PAGES];
};

static struct run *runs;
static struct run *current_run;
static unsigned int refs[MAX_REFS], nr_refs;
static long initial_pages, initial_ram;
static unsigned int spoilt;

static bool has(const int *list, int index)
{
	for (; *list >= 0; list++)
		if (*list == index)
			return true;
	return false;
}

static unsigned int length(const int *list)
{
	unsigned int n = 0;

	while (list[n] >= 0)
		n++;
	return n;
}

/* By Xen's word, in pages. */
static long domain_pages(void)
{
	domid_t self = DOMID_SELF;

	return HYPERVISOR_memory_op(XENMEM_current_reservation, &self);
}

static void say_list(char *text, size_t size, const char *what, const int *list)
{
	size_t at = strlen(text);

	if (*list < 0)
		return;
	at += scnprintf(text + at, size - at, ", %s", what);
	for (; *list >= 0; list++)
		at += scnprintf(text + at, size - at, " %d", *list);
}

static void verdict(const struct scenario *s, bool good, const char *format, ...)
{
	char text[160] = "", found[120];
	va_list args;

	va_start(args, format);
	vscnprintf(found, sizeof(found), format, args);
	va_end(args);
	say_list(text, sizeof(text), "mapped", s->mapped);
	say_list(text, sizeof(text), "gone", s->gone);
	say_list(text, sizeof(text), "all ones", s->ones);
	pr_info("%s order %u%s: %s\n", good ? "ok" : "bad", s->order, text, found);
}

void extents_saw(struct page *page, unsigned int order, bool without_memory)
{
	long first = page - current_run->page, i;

	for (i = first; i < first + (1L << order); i++) {
		if (i < 0 || i >= MAX_PAGES || current_run->fate[i] != UNSEEN) {
			current_run->seen_twice++;
			continue;
		}
		current_run->fate[i] = without_memory ? WITHOUT_MEMORY : AS_IT_WAS;
		if (without_memory && !(PageOffline(current_run->page + i) &&
					page_count(current_run->page + i) == 1))
			current_run->unmarked++;
	}
	if (without_memory && first >= 0 && first < MAX_PAGES)
		current_run->orders[first] = order + 1;
}

void extents_use(struct page *page, unsigned int order)
{
	size_t size = PAGE_SIZE << order;
	u8 *memory = page_address(page);

	memset(memory, 0x5a, size);
	if (memchr_inv(memory, 0x5a, size))
		spoilt++;
}

static int prepare(void)
{
	size_t i;
	int ref, j;

	initial_pages = domain_pages();
	initial_ram = totalram_pages();
	runs = kvcalloc(ARRAY_SIZE(scenarios), sizeof(*runs), GFP_KERNEL);
	if (!runs)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(scenarios); i++) {
		const struct scenario *s = &scenarios[i];

		runs[i].page = alloc_pages(GFP_KERNEL | __GFP_ZERO, s->order);
		if (!runs[i].page)
			return -ENOMEM;
		for (j = 0; j < 1 << s->order; j++) {
			struct page *page = runs[i].page + j;

			if (has(s->ones, j))
				memset(page_address(page), 0xff, PAGE_SIZE);
			if (!has(s->mapped, j))
				continue;
			ref = gnttab_grant_foreign_access(0, xen_page_to_gfn(page), 0);
			if (ref < 0 || nr_refs == MAX_REFS)
				return -ENOSPC;
			refs[nr_refs++] = ref;
		}
	}
	return 0;
}

/* Takes the memory of a page away, or puts some there, and nobody is told. */
static bool move_page(unsigned int cmd, struct page *page)
{
	xen_pfn_t frame = xen_page_to_gfn(page);
	struct xen_memory_reservation op = { .nr_extents = 1, .domid = DOMID_SELF };

	set_xen_guest_handle(op.extent_start, &frame);
	return HYPERVISOR_memory_op(cmd, &op) == 1;
}

static void give(const struct scenario *s, struct run *run)
{
	unsigned int count = 1U << s->order, i, wrong = 0;
	unsigned int gone = length(s->gone), mapped = length(s->mapped);
	long before, after, said;

	for (i = 0; i < count; i++)
		if (has(s->gone, i) && !move_page(XENMEM_decrease_reservation, run->page + i))
			verdict(s, false, "page %u cannot be taken away", i);
	before = domain_pages();
	/* A PV domain still maps what it gave, and has it until it is unmapped. */
	if (xen_pv_domain())
		before -= gone;
	current_run = run;
	said = extents_give(run->page, s->order);
	after = domain_pages();

	for (i = 0; i < count; i++)
		if (run->fate[i] != (has(s->gone, i) ? UNSEEN : WITHOUT_MEMORY))
			wrong++;
	verdict(s, said == count - gone && before - after == said - mapped && !wrong &&
		!run->seen_twice && !run->unmarked,
		"took %ld, the domain has %ld less and %u mapped, %u pages astray, %u twice, %u unmarked",
		said, before - after, mapped, wrong, run->seen_twice, run->unmarked);
}

static void give_all(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(scenarios); i++)
		give(&scenarios[i], &runs[i]);
}

/* What nobody has is without memory here, for the test has taken it away. */
static void fill(const struct scenario *s, struct run *run)
{
	unsigned int count = 1U << s->order, i, got = 0, lost = 0;

	for (i = 0; i < count; i++) {
		if (run->orders[i])
			got += extents_fill(run->page + i, run->orders[i] - 1);
		else if (run->fate[i] == UNSEEN)
			lost += extents_fill(run->page + i, 0);
	}
	verdict(s, got == count - length(s->gone) && lost == length(s->gone),
		"got %u back, and %u of those gone", got, lost);
}

static const struct scenario everything = { 0, NONE, NONE, NONE };

/* Returns how many are in use still. */
static unsigned int end_grants(void)
{
	unsigned int held = 0, i;

	for (i = 0; i < nr_refs; i++)
		if (gnttab_end_foreign_access_ref(refs[i]))
			gnttab_free_grant_reference(refs[i]);
		else
			held++;
	nr_refs = 0;
	return held;
}

static void fill_all(void)
{
	unsigned int held = end_grants(), i, taken = 0;

	for (i = 0; i < ARRAY_SIZE(scenarios); i++)
		taken += 1U << scenarios[i].order;
	verdict(&everything, !held && initial_pages - domain_pages() == taken,
		"when nothing is mapped, the domain has %ld less, of %u pages; %u grants are in use",
		initial_pages - domain_pages(), taken, held);
	for (i = 0; i < ARRAY_SIZE(scenarios); i++)
		fill(&scenarios[i], &runs[i]);
	verdict(&everything, domain_pages() == initial_pages && !spoilt,
		"the domain has %ld pages, as before %ld, %u extents spoilt",
		domain_pages(), initial_pages, spoilt);
	verdict(&everything, totalram_pages() == initial_ram,
		"the kernel counts %lu pages, as before %ld", totalram_pages(), initial_ram);
}

/*
 * How to have Xen refuse what a domain has: it maps a PVH domain's memory by 2 MiB, and
 * needs memory of its own to split that before it can remove a page of it. A block of two
 * such halves, of which only the first is split, cannot be taken beyond the middle while
 * Xen has none to spare. So it stops within any extent that lies across the middle.
 */
#define BLOCK_ORDER	10
#define MIDDLE		512

struct stop {
	unsigned int order, start;
	/* Dom0 maps the pages next but one to the middle, on both sides. */
	bool mapped;
};

static const struct stop stops[] = {
	{ 3, MIDDLE - 4, true },
	{ 3, MIDDLE - 1 },
	{ 3, MIDDLE - 2 },
	{ 3, MIDDLE - 3 },
	{ 3, MIDDLE - 4 },
	{ 3, MIDDLE - 5 },
	{ 3, MIDDLE - 6 },
	{ 3, MIDDLE - 7 },
	{ 3, MIDDLE },
	{ 9, MIDDLE - 1 },
	{ 9, MIDDLE - 255 },
	{ 9, MIDDLE - 256 },
	{ 9, MIDDLE - 511 },
	{ 9, MIDDLE },
};

static struct page *block;

/* The block must not have a page that Xen gave by itself: it would have split the half. */
static int allocate_block(void)
{
	int ref, i;

	block = alloc_pages(GFP_KERNEL | __GFP_ZERO, BLOCK_ORDER);
	if (!block)
		return -ENOMEM;
	split_page(block, BLOCK_ORDER);
	initial_pages = domain_pages();
	initial_ram = totalram_pages();
	for (i = -2; i <= 1; i += 3) {
		ref = gnttab_grant_foreign_access(0, xen_page_to_gfn(block + MIDDLE + i), 0);
		if (ref < 0)
			return ref;
		refs[nr_refs++] = ref;
	}
	return move_page(XENMEM_decrease_reservation, block) &&
	       move_page(XENMEM_populate_physmap, block) ? 0 : -EIO;
}

static void stop(const struct stop *s, struct run *run)
{
	unsigned int count = 1U << s->order, k = MIDDLE - s->start, i, wrong = 0;
	long before = domain_pages(), after, said;

	memset(run, 0, sizeof(*run));
	run->page = block + s->start;
	current_run = run;
	said = extents_give(run->page, s->order);
	after = domain_pages();
	for (i = 0; i < count; i++)
		if (run->fate[i] != (i < k ? WITHOUT_MEMORY : AS_IT_WAS))
			wrong++;
	pr_info("%s order %u, stopped at %u: took %ld, the domain has %ld less and %u mapped, %u pages astray, %u twice\n",
		said == k && before - after == said - s->mapped && !wrong && !run->seen_twice ?
		"ok" : "bad", s->order, k, said, before - after, s->mapped, wrong, run->seen_twice);
	for (i = 0; i < k; i++) {
		move_page(XENMEM_populate_physmap, run->page + i);
		if (PageOffline(run->page + i))
			__ClearPageOffline(run->page + i);
	}
	adjust_managed_page_count(run->page, k);
}

static int starve(void)
{
	static struct run run;
	size_t i;

	for (i = 0; block && i < ARRAY_SIZE(stops); i++)
		stop(&stops[i], &run);
	return block ? 0 : -EINVAL;
}

static void free_block(void)
{
	unsigned int held = end_grants(), i;

	for (i = 0; i < 1U << BLOCK_ORDER; i++) {
		extents_use(block + i, 0);
		set_page_count(block + i, 1);
		__free_page(block + i);
	}
	block = NULL;
	verdict(&everything, !held && !spoilt && domain_pages() == initial_pages &&
		totalram_pages() == initial_ram,
		"the domain has %ld pages, as before %ld, the kernel counts %lu, as before %ld, %u pages spoilt",
		domain_pages(), initial_pages, totalram_pages(), initial_ram, spoilt);
}

static int act(const char *text, const struct kernel_param *kp)
{
	if (sysfs_streq(text, "prepare"))
		return prepare();
	if (sysfs_streq(text, "block"))
		return allocate_block();
	if (sysfs_streq(text, "starve"))
		return starve();
	if (sysfs_streq(text, "free") && block) {
		free_block();
		return 0;
	}
	if (!runs)
		return -EINVAL;
	if (sysfs_streq(text, "give"))
		give_all();
	else if (sysfs_streq(text, "fill"))
		fill_all();
	else
		return -EINVAL;
	return 0;
}

static int show_refs(char *text, const struct kernel_param *kp)
{
	unsigned int i;
	int at = 0;

	for (i = 0; i < nr_refs; i++)
		at += scnprintf(text + at, PAGE_SIZE - at, "%u ", refs[i]);
	return at + scnprintf(text + at, PAGE_SIZE - at, "\n");
}

static const struct kernel_param_ops act_ops = { .set = act };
module_param_cb(act, &act_ops, NULL, 0200);
MODULE_PARM_DESC(act, "What to do");

static const struct kernel_param_ops refs_ops = { .get = show_refs };
module_param_cb(refs, &refs_ops, NULL, 0444);
MODULE_PARM_DESC(refs, "The grants");

/* No exit: what it has given it could not give back. */
static int __init extents_init(void)
{
	return xen_domain() ? 0 : -ENODEV;
}
module_init(extents_init);

MODULE_DESCRIPTION("Gives extents to Xen, some of which Xen does not take");
MODULE_AUTHOR("The xen-cmm authors");
MODULE_LICENSE("GPL");
