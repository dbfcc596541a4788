// SPDX-License-Identifier: GPL-2.0
/*
 * Gives extents to Xen by way of crate xen, with some of their pages mapped by Dom0, or
 * gone already, and compares what the crate says with what Xen has.
 *
 * /sys/module/cmm_extents/parameters/:
 *	act	write "prepare": allocate the extents; grant what Dom0 is to map
 *		write "give": give them, one after the other
 *		write "fill": when Dom0 maps nothing any more: get all back and use it
 *	refs	read: the grants, to be mapped after "prepare"
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
		!run->seen_twice,
		"took %ld, the domain has %ld less and %u mapped, %u pages astray, %u twice",
		said, before - after, mapped, wrong, run->seen_twice);
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

static int act(const char *text, const struct kernel_param *kp)
{
	if (sysfs_streq(text, "prepare"))
		return prepare();
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
