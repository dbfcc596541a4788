// SPDX-License-Identifier: GPL-2.0
/*
 * Looks at every page this domain has, in use or free, for what another domain
 * had written. Loading the module does it; then /sys/module/cmm_peek/parameters/
 * has how many pages were looked at, and in how many the mark was found.
 *
 * The mark is the eight bytes "cmm-pa", a letter, and a newline. They exist here
 * as their complement only, or else looking for them would leave them behind.
 */
#include <linux/ioport.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>

static char *letter = "A";
module_param(letter, charp, 0444);
MODULE_PARM_DESC(letter, "The letter in the mark");

static unsigned long looked;
module_param(looked, ulong, 0444);
MODULE_PARM_DESC(looked, "Pages looked at (read only)");

static unsigned long found;
module_param(found, ulong, 0444);
MODULE_PARM_DESC(found, "Pages with the mark in them (read only)");

static u64 copy[PAGE_SIZE / sizeof(u64)];

static u64 complement_of_mark(void)
{
	static const u8 mark[8] = {
		(u8)~'c', (u8)~'m', (u8)~'m', (u8)~'-', (u8)~'p', (u8)~'a', 0, (u8)~'\n',
	};

	return get_unaligned_le64(mark) | (u64)(u8)~letter[0] << 48;
}

/* Pages without memory behind them, and those that are not memory, are no business of ours. */
static struct page *page_to_look_at(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	if (!page || PageOffline(page) || PageReserved(page) || !page_is_ram(pfn))
		return NULL;
	return page;
}

static bool has_mark(u64 complement)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(copy); i++)
		if (~copy[i] == complement)
			return true;
	return false;
}

static int __init peek_init(void)
{
	unsigned long end = pgdat_end_pfn(NODE_DATA(numa_node_id()));
	u64 complement = complement_of_mark();
	unsigned long pfn;

	looked = 0;
	found = 0;
	for (pfn = 0; pfn < end; pfn++) {
		struct page *page = page_to_look_at(pfn);

		cond_resched();
		if (!page || copy_from_kernel_nofault(copy, page_address(page), PAGE_SIZE))
			continue;
		looked++;
		found += has_mark(complement);
	}
	memset(copy, 0, sizeof(copy));
	return 0;
}

static void __exit peek_exit(void)
{
}

module_init(peek_init);
module_exit(peek_exit);
MODULE_DESCRIPTION("Looks for what another domain has written");
MODULE_LICENSE("GPL");
