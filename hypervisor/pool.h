/* SPDX-License-Identifier: GPL-2.0 */
/* Pages that Xen owns until a domain takes them: see pool.c. */

#ifndef XEN_CMM_POOL_H
#define XEN_CMM_POOL_H

#include <xen/mm.h>

/* Extents are of 2 MiB at most, and so are the pool's blocks. */
#define CMM_MAX_ORDER 9
#define CMM_BLOCK_PAGES (1UL << CMM_MAX_ORDER)

struct cmm_block;

/* Makes the pool, if there is none.  Returns 0 or -ENOMEM. */
int cmm_pool_make(void);

/* A block for cmm_pool_add(), or NULL. */
struct cmm_block *cmm_block_alloc(void);
void cmm_block_free(struct cmm_block *block);

/*
 * Stamps pages that nobody has any more.  Until it is taken, a page remembers
 * when that was, so that who may still know it in a TLB can be made to forget.
 */
void cmm_pool_stamp(struct page_info *page, unsigned long nr);

/*
 * Makes pages from the pool as the heap would give them: no TLB knows them.
 * Returns whether all of them may be used; one that is to go offline may not.
 */
bool cmm_pool_unstamp(struct page_info *page, unsigned long nr);

/* All of the following want the pool's lock, which is the broker's. */

unsigned long cmm_pool_pages(void);

/*
 * Adds pages, all within 2 MiB.  If their block has nothing in the pool yet,
 * @spare is used for it, and NULL after that.  Returns false if there is none.
 */
bool cmm_pool_add(struct page_info *page, unsigned long nr,
                  struct cmm_block **spare);

/* Takes an extent, from the block that has the least that is large enough. */
struct page_info *cmm_pool_take(unsigned int order);

/* Takes the largest extent there is of at most @nr pages. */
struct page_info *cmm_pool_take_any(unsigned long nr, unsigned int *order);

#endif /* XEN_CMM_POOL_H */

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * tab-width: 4
 * indent-tabs-mode: nil
 * End:
 */
