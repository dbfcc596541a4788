/* SPDX-License-Identifier: GPL-2.0 */
/* Removal of a domain's pages, many at a time: see removal.c. */

#ifndef XEN_CMM_REMOVAL_H
#define XEN_CMM_REMOVAL_H

#include <xen/sched.h>
#include <public/memory.h>

#ifdef CONFIG_X86

/*
 * Removes extents of a decrease_reservation, from @start on, up to @end.
 * Returns the number of those that are done.  If that is not all, the next one
 * is to be removed page by page, or there is something else to do first.
 */
unsigned long cmm_decrease_reservation(struct domain *d,
                                       XEN_GUEST_HANDLE(xen_pfn_t) extents,
                                       unsigned long start, unsigned long end,
                                       unsigned int order);

#else

static inline unsigned long cmm_decrease_reservation(
    struct domain *d, XEN_GUEST_HANDLE(xen_pfn_t) extents,
    unsigned long start, unsigned long end, unsigned int order)
{
    return 0;
}

#endif

#endif /* XEN_CMM_REMOVAL_H */

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * tab-width: 4
 * indent-tabs-mode: nil
 * End:
 */
