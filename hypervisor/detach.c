/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Detaching pages that a domain has alone, many at a time: nothing reaches them
 * any more, and then they can be freed, or become another domain's.
 *
 * A page is ordinary if it is RAM of the domain's that nobody else refers to.
 * The first one that is not stays as it is, and is for the caller to think
 * about: whatever is shared, paged, granted, special, or populated on demand
 * never gets further than a look at it.
 *
 * Locking and lifetime:
 *
 * - Translated domains: the p2m lock is held from the look at an entry until
 *   the entry is gone, for one extent of at most 2 MiB, or for CMM_CHUNK frames
 *   of a list.  In between nobody can map anything else there.  A reference to
 *   each page is taken before its entry goes, so that it cannot be freed, and
 *   so become another domain's, until this is done with it.
 * - No page is released before p2m_unlock() returns: no processor can reach it
 *   through the entry any more then.  (With NPT, Xen flushes as it writes an
 *   entry, at least up to 4.21; with EPT, at the end of p2m_unlock(), by the
 *   processor that has held the lock.)  Stale entries in the TLB of a domain that
 *   had mapped the page by a grant are the concern of whoever gives the page to
 *   another domain: the heap, or pool.c.
 * - PV domains: frame numbers are those of the machine, and nothing is looked
 *   up.  The reference tells that the page is the domain's.
 * - The allocation's reference and ours go in one step if they are the last
 *   two.  If somebody has got another one meanwhile, they go as ever, and who
 *   has the last one frees the page.
 */

#include <xen/cmm-detach.h>
#include <xen/domain.h>
#include <xen/ioreq.h>
#include <xen/iommu.h>
#include <asm/p2m.h>
#include <asm/paging.h>

#include "mm-locks.h"

/* What a page's count is if it is allocated and has @nr references. */
#define allocated(nr) (PGC_allocated | (nr))

/* Does freeing the page take more than giving it to the heap? */
static bool needs_cleanup(const struct domain *d, const struct page_info *page)
{
    unsigned long type = page->u.inuse.type_info;

    return (type & PGT_non_coherent) ||
           ((type & PGT_type_mask) == PGT_writable_page &&
            is_pv_domain(d) && need_iommu_pt_sync(d));
}

bool cmm_release_page(struct domain *d, struct page_info *page)
{
    if ( cmpxchg(&page->count_info, allocated(2), 0) != allocated(2) )
    {
        put_page_alloc_ref(page);
        put_page(page);
        return false;
    }

    if ( needs_cleanup(d, page) )
    {
        /* Nobody gets a reference to a page without any, so this one is ours. */
        page->count_info = 1;
        put_page(page);
        return false;
    }

    return true;
}

/*
 * Gets a reference to a page of the domain's if nobody has one.  Only the
 * reference is sure: somebody may get another one at any time.
 */
static bool get_ordinary_page(const struct domain *d, mfn_t mfn)
{
    struct page_info *page;

    if ( !mfn_valid(mfn) )
        return false;
    page = mfn_to_page(mfn);

    /* Looked at first, because getting another domain's page is complained of. */
    return page->count_info == allocated(1) && page_get_owner(page) == d &&
           get_page(page, d);
}

static void put_pages(mfn_t first, unsigned long nr)
{
    for ( ; nr; nr--, first = mfn_add(first, 1) )
        put_page(mfn_to_page(first));
}

bool cmm_get_ordinary_pages(const struct domain *d, mfn_t first,
                            unsigned long nr)
{
    unsigned long i;

    for ( i = 0; i < nr; i++ )
        if ( !get_ordinary_page(d, mfn_add(first, i)) )
        {
            put_pages(first, i);
            return false;
        }

    return true;
}

#ifdef CONFIG_HVM

/* Are the frames RAM, contiguous in the machine from @first on? */
static bool is_contiguous_ram(struct p2m_domain *p2m, gfn_t gfn,
                              unsigned long nr, mfn_t *first)
{
    unsigned long i = 0;

    while ( i < nr )
    {
        p2m_type_t type;
        p2m_access_t access;
        unsigned int order;
        mfn_t mfn = p2m->get_entry(p2m, gfn_add(gfn, i), &type, &access, 0,
                                   &order, NULL);

        if ( type != p2m_ram_rw )
            return false;
        if ( !i )
            *first = mfn;
        else if ( !mfn_eq(mfn, mfn_add(*first, i)) )
            return false;

        i += (1UL << order) - ((gfn_x(gfn) + i) & ((1UL << order) - 1));
    }

    return true;
}

/* Removes an entry of the p2m, and with it those of the M2P. */
static int remove_entry(struct p2m_domain *p2m, gfn_t gfn, mfn_t mfn,
                        unsigned int order)
{
    unsigned long i, nr = 1UL << order;
    int rc;

    for ( i = 0; i < nr; i++ )
        set_gpfn_from_mfn(mfn_x(mfn) + i, INVALID_M2P_ENTRY);

    rc = p2m_set_entry(p2m, gfn, INVALID_MFN, order, p2m_invalid,
                       p2m->default_access);
    if ( unlikely(rc) )
        for ( i = 0; i < nr; i++ )
        {
            set_gpfn_from_mfn(mfn_x(mfn) + i, gfn_x(gfn) + i);
            /* Out of precaution, as Xen does. */
            paging_mark_pfn_dirty(p2m->domain, _pfn(gfn_x(gfn) + i));
        }

    return rc;
}

/*
 * Detaches an extent of a translated domain, of which the p2m lock is held:
 * the pages from @first on have no entry any more, and a reference of ours.
 * Returns their number.  It is less than all only if Xen lacks memory to note
 * that they are gone: then those are left that Xen would have left, too.
 */
static unsigned long detach(struct p2m_domain *p2m, gfn_t gfn,
                            unsigned int order, mfn_t *first)
{
    /* An entry at a time.  More cannot be said to have failed altogether. */
    const unsigned int step = order == PAGE_ORDER_2M ? order : PAGE_ORDER_4K;
    const unsigned long nr = 1UL << order;
    unsigned long done;

    if ( !is_contiguous_ram(p2m, gfn, nr, first) ||
         !cmm_get_ordinary_pages(p2m->domain, *first, nr) )
        return 0;

    for ( done = 0; done < nr; done += 1UL << step )
        if ( remove_entry(p2m, gfn_add(gfn, done), mfn_add(*first, done),
                          step) )
        {
            put_pages(mfn_add(*first, done), nr - done);
            break;
        }

    return done;
}

#endif /* CONFIG_HVM */

unsigned int cmm_detach_list(struct domain *d, const xen_pfn_t *frame,
                             unsigned int nr, mfn_t *mfn)
{
    unsigned int done;

#ifdef CONFIG_HVM
    if ( paging_mode_translate(d) )
    {
        struct p2m_domain *p2m = p2m_get_hostp2m(d);

        p2m_lock(p2m);
        for ( done = 0; done < nr; done++ )
            if ( !detach(p2m, _gfn(frame[done]), 0, &mfn[done]) )
                break;
        if ( done )
            ioreq_request_mapcache_invalidate(d);
        p2m_unlock(p2m);

        return done;
    }
#endif

    for ( done = 0; done < nr; done++ )
    {
        mfn[done] = _mfn(frame[done]);
        if ( !get_ordinary_page(d, mfn[done]) )
            break;
    }

    return done;
}

unsigned long cmm_detach_extent(struct domain *d, xen_pfn_t frame,
                                unsigned int order, mfn_t *first)
{
    const unsigned long nr = 1UL << order;

    if ( frame & (nr - 1) )
        return 0;

#ifdef CONFIG_HVM
    if ( paging_mode_translate(d) )
    {
        struct p2m_domain *p2m = p2m_get_hostp2m(d);
        unsigned long done;

        p2m_lock(p2m);
        done = detach(p2m, _gfn(frame), order, first);
        if ( done )
            ioreq_request_mapcache_invalidate(d);
        p2m_unlock(p2m);

        return done;
    }
#endif

    *first = _mfn(frame);

    return cmm_get_ordinary_pages(d, *first, nr) ? nr : 0;
}

bool cmm_is_ordinary_domain(const struct domain *d)
{
    if ( d->is_dying || is_domain_direct_mapped(d) )
        return false;

#ifdef CONFIG_HVM
    if ( paging_mode_translate(d) )
        /*
         * Populate-on-demand wants to be asked while there is any.  Only the
         * toolstack can make more of it, and who does so meanwhile has the
         * race that there is between any two calls.  Who follows what gets
         * dirty may want to be told of what goes.
         */
        return hap_enabled(d) && !paging_mode_log_dirty(d) &&
               !p2m_get_hostp2m(d)->pod.entry_count;
#endif

    return !paging_mode_enabled(d);
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
