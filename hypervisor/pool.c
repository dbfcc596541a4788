/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages that Xen owns until a domain takes them.
 *
 * They have no owner and no reference, and are in none of the heap's lists: no
 * allocation finds them.  Which ones they are is written down here and not in
 * their page_info: of a page of anybody's, that may say anything.  For each
 * 2 MiB of memory of which there is something in the pool there is a block with
 * a bit for each page.  Neighbours that come one by one so make an extent again.
 *
 * Blocks are in lists by the largest extent that they have.  What is looked at
 * for one operation is the heads of ten lists, and the eight words of a block.
 */

#include <xen/cmm-pool.h>
#include <xen/list.h>
#include <xen/vmap.h>
#include <xen/xmalloc.h>
#include <asm/flushtlb.h>

#define WORDS (CMM_BLOCK_PAGES / BITS_PER_LONG)
#define WORD_ORDER 6

struct cmm_block {
    struct list_head list;
    struct page_info *first;
    unsigned long has[WORDS];
};

static struct {
    /* By the index of its first page, in units of blocks. */
    struct cmm_block **block;
    unsigned long nr_blocks;
    unsigned long pages;
    struct list_head by_order[CMM_MAX_ORDER + 1];
} pool;

/* Bits at which an extent of an order can begin. */
static const unsigned long begins[WORD_ORDER + 1] = {
    ~0UL,
    0x5555555555555555UL,
    0x1111111111111111UL,
    0x0101010101010101UL,
    0x0001000100010001UL,
    0x0000000100000001UL,
    0x0000000000000001UL,
};

int cmm_pool_make(void)
{
    unsigned long nr = DIV_ROUND_UP(max_pdx, CMM_BLOCK_PAGES);
    unsigned int order;

    BUILD_BUG_ON(BITS_PER_LONG != 1 << WORD_ORDER);

    if ( pool.block )
        return 0;

    pool.block = vzalloc(nr * sizeof(*pool.block));
    if ( !pool.block )
        return -ENOMEM;

    pool.nr_blocks = nr;
    for ( order = 0; order <= CMM_MAX_ORDER; order++ )
        INIT_LIST_HEAD(&pool.by_order[order]);

    return 0;
}

struct cmm_block *cmm_block_alloc(void)
{
    return xzalloc(struct cmm_block);
}

void cmm_block_free(struct cmm_block *block)
{
    xfree(block);
}

void cmm_pool_stamp(struct page_info *page, unsigned long nr)
{
    for ( ; nr; nr--, page++ )
    {
        page->u.free.val = 0;
        page->u.free.need_tlbflush = true;
        page_set_tlbflush_timestamp(page);
    }
}

bool cmm_pool_unstamp(struct page_info *page, unsigned long nr)
{
    bool flush = false, good = true;
    uint32_t stamp = 0;

    for ( ; nr; nr--, page++ )
    {
        accumulate_tlbflush(&flush, page, &stamp);
        page->u.inuse.type_info = 0;
        good &= !page->count_info;
    }

    if ( flush )
        filtered_flush_tlb_mask(stamp);

    return good;
}

unsigned long cmm_pool_pages(void)
{
    return pool.pages;
}

/* Of a word, the bits at which there is an extent of an order. */
static unsigned long extents_at(unsigned long word, unsigned int order)
{
    unsigned int i;

    for ( i = 0; i < order && word; i++ )
        word &= (word >> (1U << i)) & begins[i + 1];

    return word;
}

/* Are @nr words from one on full? */
static bool full_words(const unsigned long *word, unsigned int nr)
{
    while ( nr-- )
        if ( ~word[nr] )
            return false;

    return true;
}

/* Where a block has an extent of an order, or -1. */
static int find(const struct cmm_block *block, unsigned int order)
{
    unsigned int step = order > WORD_ORDER ? 1U << (order - WORD_ORDER) : 1, i;

    for ( i = 0; i < WORDS; i += step )
    {
        unsigned long found;

        if ( order > WORD_ORDER )
            found = full_words(&block->has[i], step);
        else
            found = extents_at(block->has[i], order);
        if ( found )
            return i * BITS_PER_LONG + ffsl(found) - 1;
    }

    return -1;
}

/* The order of the largest extent that a block has, or -1. */
static int largest(const struct cmm_block *block)
{
    int order = -1;

    while ( order < CMM_MAX_ORDER && find(block, order + 1) >= 0 )
        order++;

    return order;
}

/* Sets or clears the bits of some pages. */
static void mark(struct cmm_block *block, unsigned int first, unsigned int nr,
                 bool set)
{
    while ( nr )
    {
        unsigned int bit = first % BITS_PER_LONG;
        unsigned int count = min(nr, BITS_PER_LONG - bit);
        unsigned long mask = (~0UL >> (BITS_PER_LONG - count)) << bit;

        if ( set )
            block->has[first / BITS_PER_LONG] |= mask;
        else
            block->has[first / BITS_PER_LONG] &= ~mask;
        first += count;
        nr -= count;
    }
}

static struct cmm_block **block_of(const struct page_info *page)
{
    unsigned long index = page_to_pdx(page) / CMM_BLOCK_PAGES;

    return index < pool.nr_blocks ? &pool.block[index] : NULL;
}

/* Puts a block into the list that it belongs into, or forgets it. */
static void sort(struct cmm_block *block)
{
    int order = largest(block);

    list_del_init(&block->list);
    if ( order >= 0 )
        list_add(&block->list, &pool.by_order[order]);
    else
    {
        *block_of(block->first) = NULL;
        cmm_block_free(block);
    }
}

bool cmm_pool_add(struct page_info *page, unsigned long nr,
                  struct cmm_block **spare)
{
    unsigned long at = page_to_pdx(page) % CMM_BLOCK_PAGES;
    struct cmm_block **place = block_of(page);

    ASSERT(at + nr <= CMM_BLOCK_PAGES);

    /* Memory that was plugged in later than the pool was made has no place. */
    if ( !place )
        return false;

    if ( !*place )
    {
        if ( !*spare )
            return false;
        *place = *spare;
        *spare = NULL;
        (*place)->first = page - at;
        INIT_LIST_HEAD(&(*place)->list);
    }

    mark(*place, at, nr, true);
    pool.pages += nr;
    sort(*place);

    return true;
}

/* Takes an extent that a block has. */
static struct page_info *take_from(struct cmm_block *block, unsigned int order)
{
    int at = find(block, order);
    struct page_info *page = block->first + at;

    ASSERT(at >= 0);
    mark(block, at, 1U << order, false);
    pool.pages -= 1UL << order;
    sort(block);

    return page;
}

struct page_info *cmm_pool_take(unsigned int order)
{
    unsigned int i;

    for ( i = order; i <= CMM_MAX_ORDER; i++ )
        if ( !list_empty(&pool.by_order[i]) )
            return take_from(list_first_entry(&pool.by_order[i],
                                              struct cmm_block, list), order);

    return NULL;
}

struct page_info *cmm_pool_take_any(unsigned long nr, unsigned int *order)
{
    unsigned int i;

    for ( i = CMM_MAX_ORDER + 1; nr && i--; )
        if ( !list_empty(&pool.by_order[i]) )
        {
            *order = min(i, flsl(nr) - 1U);
            return take_from(list_first_entry(&pool.by_order[i],
                                              struct cmm_block, list), *order);
        }

    return NULL;
}

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * tab-width: 4
 * indent-tabs-mode: nil
 * End:
 */
