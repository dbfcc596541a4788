/* SPDX-License-Identifier: GPL-2.0 */
/* Detaching pages that a domain has alone: see detach.c. */

#ifndef XEN_CMM_DETACH_H
#define XEN_CMM_DETACH_H

#include <xen/mm.h>
#include <xen/sched.h>

/* The most frames of a list that are detached under one lock. */
#define CMM_CHUNK 64

/*
 * Is this a domain whose pages can be detached?  Others may not be ordinary for
 * reasons that no page shows.
 */
bool cmm_is_ordinary_domain(const struct domain *d);

/* Gets a reference to each of the pages, or to none. */
bool cmm_get_ordinary_pages(const struct domain *d, mfn_t first,
                            unsigned long nr);

/*
 * Detaches an extent: its pages, from @first on, have no entry in the p2m any
 * more, and a reference of ours.  Returns their number, which is all or none,
 * but for an extent that Xen lacks memory to note the absence of.
 */
unsigned long cmm_detach_extent(struct domain *d, xen_pfn_t frame,
                                unsigned int order, mfn_t *first);

/* Detaches frames of a list; returns how many, from the first on. */
unsigned int cmm_detach_list(struct domain *d, const xen_pfn_t *frame,
                             unsigned int nr, mfn_t *mfn);

/*
 * Takes a detached page from its domain, and with it our reference.  Returns
 * whether nobody has it any more: it is for the caller to free.  If it is not,
 * it is freed already, or will be by whoever has a reference.
 */
bool cmm_release_page(struct domain *d, struct page_info *page);

#endif /* XEN_CMM_DETACH_H */

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * tab-width: 4
 * indent-tabs-mode: nil
 * End:
 */
