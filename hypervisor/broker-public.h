/* SPDX-License-Identifier: MIT */
/*
 * Memory that domains give to and take from a pool of Xen's: XENMEM_cmm.
 *
 * Xen has it if hypervisor/ of xen-cmm is built into it; otherwise the number is
 * unknown to it, and the answer -ENOSYS, as it is to a 32-bit guest.
 *
 * HYPERVISOR_memory_op(XENMEM_cmm, struct xen_cmm *) returns a number that is
 * not negative, or an error:
 *
 *	-EPERM		the domain is not let in, or not entitled to ask this
 *	-EOPNOTSUPP	of this domain, pages cannot move now
 *	-E2BIG		the limits, or the domain's maximum, do not allow it
 *	-EBUSY		give: a page is not the domain's alone; take: asked too often
 *	-EAGAIN		take: donors were asked; the event tells when to try again
 *	-ENOMEM		take: the pool has no such extent, and nobody was asked
 *
 * An error means that nothing was done.  If something was, the number of extents
 * that are done is returned, whatever prevented the rest.
 */

#ifndef XEN_PUBLIC_CMM_H
#define XEN_PUBLIC_CMM_H

/* The last number that there is room for. */
#define XENMEM_cmm 63

/*
 * The event, a VIRQ of the domain's: pages are wanted of the domain, or those
 * that it waits for are there.
 */
#define XEN_CMM_VIRQ 23 /* VIRQ_ARCH_7 */

/*
 * Of the domain itself; with @domid.
 */
#define XEN_CMM_give   0 /* u.extents; returns how many Xen has taken */
#define XEN_CMM_take   1 /* u.extents; returns how many the domain has got */
#define XEN_CMM_wanted 2 /* returns how many pages are wanted of the domain */
#define XEN_CMM_query  3 /* u.member; DOMID_SELF, or the control domain asks */

/* Of the control domain only. */
#define XEN_CMM_limits 4 /* u.limits of @domid; a ceiling of 0 takes it out */
#define XEN_CMM_drain  5 /* gives u.pages of the pool to Xen; returns how many */
#define XEN_CMM_pool   6 /* u.pool */

/* Take: if the pool lacks, have donors asked, and wait in line. */
#define XEN_CMM_ASK 1

/* The largest extent is of 2 MiB. */
#define XEN_CMM_MAX_ORDER 9

/* Frames are as those of XENMEM_decrease_reservation and XENMEM_populate_physmap. */
struct xen_cmm_extents {
    uint32_t order;
    uint32_t nr;
    /*
     * Of one extent, its frame; of more, where their frames are.  A take puts
     * frames of the machine in their place, if those are what the domain has.
     */
    uint64_t frames;
};

/* In pages. */
struct xen_cmm_limits {
    uint64_t floor;   /* no give leaves the domain less */
    uint64_t ceiling; /* no take lets its maximum become more */
};

/* In pages. */
struct xen_cmm_member {
    uint64_t floor;
    uint64_t ceiling;
    uint64_t has;
    uint64_t maximum;
    int64_t balance;   /* taken less given; the maximum has it on top */
    uint64_t wanted;   /* of the domain, by others */
    uint64_t lacks;    /* what it waits for ... */
    uint64_t reserved; /* ... and what is there for it already */
};

/* In pages.  What there is was given, and neither taken nor drained. */
struct xen_cmm_pool {
    uint64_t pages;
    uint64_t reserved;
    uint64_t given;
    uint64_t taken;
    uint64_t drained;
};

struct xen_cmm {
    uint32_t op;
    uint16_t domid;
    uint16_t flags;
    union {
        struct xen_cmm_extents extents;
        struct xen_cmm_limits limits;
        struct xen_cmm_member member;
        struct xen_cmm_pool pool;
        uint64_t pages;
    } u;
};

#endif /* XEN_PUBLIC_CMM_H */
