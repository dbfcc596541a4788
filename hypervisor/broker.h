/* SPDX-License-Identifier: GPL-2.0 */
/* Domains give to and take from a pool of Xen's: see broker.c. */

#ifndef XEN_CMM_BROKER_H
#define XEN_CMM_BROKER_H

#include <xen/guest_access.h>
#include <xen/sched.h>
#include <public/cmm.h>

typedef struct xen_cmm xen_cmm_t;
DEFINE_XEN_GUEST_HANDLE(xen_cmm_t);

#ifdef CONFIG_X86

/* XENMEM_cmm, of which @start extents or pages are done. */
long cmm_broker_op(unsigned long start, XEN_GUEST_HANDLE_PARAM(xen_cmm_t) arg);

/*
 * The maximum that a domain has when the toolstack wants it to have @pages:
 * what it has taken comes on top, and what it has given is not its own.
 */
uint64_t cmm_maximum(const struct domain *d, uint64_t pages);

/* The same, when it does so.  The domain's page_alloc_lock is held. */
uint64_t cmm_set_maximum(struct domain *d, uint64_t pages);

/* Forgets a domain that nobody can find any more. */
void cmm_domain_destroy(struct domain *d);

#else

static inline long cmm_broker_op(unsigned long start,
                                 XEN_GUEST_HANDLE_PARAM(xen_cmm_t) arg)
{
    return -ENOSYS;
}

static inline uint64_t cmm_maximum(const struct domain *d, uint64_t pages)
{
    return pages;
}

static inline uint64_t cmm_set_maximum(struct domain *d, uint64_t pages)
{
    return pages;
}

static inline void cmm_domain_destroy(struct domain *d) {}

#endif

#endif /* XEN_CMM_BROKER_H */

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * tab-width: 4
 * indent-tabs-mode: nil
 * End:
 */
