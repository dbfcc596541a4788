/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Removal of a domain's pages, many at a time.
 *
 * Xen takes the pages of a decrease_reservation one by one: for each it copies
 * the frame number, asks populate-on-demand, looks the frame up, changes the
 * p2m, flushes, and takes the heap's lock.  What is ordinary about all pages of
 * an extent, or of a piece of a list, is done once for all of them here: by
 * detach.c, and by giving the heap pieces rather than pages.
 *
 * The first page that is not ordinary stays as it is, and is for the caller to
 * remove in Xen's own way.  The heap's locks are taken with no lock of ours held.
 */

#include <xen/cmm-detach.h>
#include <xen/cmm-removal.h>
#include <xen/event.h>
#include <xen/guest_access.h>
#include <xen/numa.h>
#include <xen/trace.h>

#ifndef page_to_nid /* Xen up to 4.17 */
#define page_to_nid(page) phys_to_nid(page_to_maddr(page))
#endif

/* Frames next to each other whose pages are ours alone, and to be freed. */
struct run {
    mfn_t first;
    unsigned long nr;
};

static void free_run(struct run *run)
{
    while ( run->nr )
    {
        struct page_info *page = mfn_to_page(run->first);
        unsigned int order = flsl(run->nr) - 1;

        /* The heap's pieces are aligned, and lie within one node. */
        while ( (mfn_x(run->first) & ((1UL << order) - 1)) ||
                page_to_nid(page) != page_to_nid(page + (1UL << order) - 1) )
            order--;

        free_domheap_pages(page, order);
        run->first = mfn_add(run->first, 1UL << order);
        run->nr -= 1UL << order;
    }
}

static void add_to_run(struct run *run, mfn_t mfn)
{
    if ( !run->nr || !mfn_eq(mfn, mfn_add(run->first, run->nr)) )
    {
        free_run(run);
        run->first = mfn;
    }
    run->nr++;
}

static void release(struct domain *d, mfn_t mfn, struct run *run)
{
    if ( cmm_release_page(d, mfn_to_page(mfn)) )
        add_to_run(run, mfn);
}

/* Removes frames of a list; returns how many, from the first on. */
static unsigned int remove_list(struct domain *d, const xen_pfn_t *frame,
                                unsigned int nr)
{
    mfn_t mfn[CMM_CHUNK];
    struct run run = {};
    unsigned int i, done = cmm_detach_list(d, frame, nr, mfn);

    for ( i = 0; i < done; i++ )
        release(d, mfn[i], &run);
    free_run(&run);

    return done;
}

/* Removes an extent; returns whether all of it is done. */
static bool remove_extent(struct domain *d, xen_pfn_t frame,
                          unsigned int order)
{
    mfn_t first;
    struct run run = {};
    unsigned long i, done = cmm_detach_extent(d, frame, order, &first);

    for ( i = 0; i < done; i++ )
        release(d, mfn_add(first, i), &run);
    free_run(&run);

    return done == 1UL << order;
}

unsigned long cmm_decrease_reservation(struct domain *d,
                                       XEN_GUEST_HANDLE(xen_pfn_t) extents,
                                       unsigned long start, unsigned long end,
                                       unsigned int order)
{
    xen_pfn_t frame[CMM_CHUNK];
    unsigned long at = start;

    /* Who traces wants to hear of each extent. */
    if ( tb_init_done || order > PAGE_ORDER_2M || !cmm_is_ordinary_domain(d) )
        return 0;

    while ( at < end && (at == start || !hypercall_preempt_check()) )
    {
        unsigned int done = 0, nr = min(end - at, CMM_CHUNK + 0UL);

        if ( __copy_from_guest_offset(frame, extents, at, nr) )
            break;

        if ( !order )
            done = remove_list(d, frame, nr);
        else
            while ( done < nr && (!done || !hypercall_preempt_check()) &&
                    remove_extent(d, frame[done], order) )
                done++;

        at += done;
        if ( done < nr )
            break;
    }

    return at - start;
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
