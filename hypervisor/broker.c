/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Domains give to and take from a pool of Xen's, within limits that the control
 * domain has set beforehand.  If the pool lacks, Xen asks domains that have more
 * than their floor, by an event, and tells by an event who has waited.  Policy
 * and books are the control domain's; it is not on the way.
 *
 * What a domain gives goes off its maximum, and what it takes comes on top, in
 * the same step as the pages do: it can neither fill up from the heap what it
 * has given, nor keep by its balloon what it was lent.  The sum of that is its
 * balance.  What was given, less what was taken and drained, is in the pool.
 *
 * A domain can move only itself: neither GIVE nor TAKE names one.
 *
 * Locks, none of which is taken within another but as said here:
 *
 * - The broker's: the pool, who is a member, who waits, who is asked.  Held for a
 *   step of which the length does not depend on how many members there are, nor
 *   on how much they have: BATCH events, LOOK members, or one extent.  Within it
 *   those of an event channel and of a scheduler are taken, and Xen's allocator's.
 * - page_alloc_lock: what a domain has, its maximum, its limits and its balance.
 * - The p2m's, by detach.c and guest_physmap_add_page().
 *
 * Pages in the air, between these, are owned by nobody, or have our reference.
 */

#include <xen/cmm-broker.h>
#include <xen/cmm-detach.h>
#include <xen/cmm-pool.h>
#include <xen/event.h>
#include <xen/hypercall.h>
#include <xen/iommu.h>
#include <xen/time.h>
#include <xen/xmalloc.h>
#include <asm/p2m.h>
#include <public/memory.h>
#include <xsm/xsm.h>

/* How long who was asked is waited for, and how long who asked waits. */
#define PATIENCE MILLISECS(100)
/* How long what was given for somebody is kept. */
#define KEEP_IT SECONDS(1)
/* For how long nobody asks a domain that did not give when it was asked. */
#define SPARE_IT SECONDS(1)
/* The most events sent, or waits ended, in one go. */
#define BATCH 4
/* The most members looked at for one donor. */
#define LOOK 16
/* Requests that have donors asked: one more for each 2 MiB, that many in a row. */
#define REQUEST_PRICE MICROSECS(50)
#define MOST_REQUESTS 200

/* Lock: B is the broker's, P the domain's page_alloc_lock. */
struct cmm_member {
    struct domain *domain;
    struct list_head all;       /* B */

    unsigned long floor;        /* P */
    unsigned long ceiling;      /* P; 0 if it is not let in */
    uint64_t allotment;         /* P: the maximum that the toolstack has set */
    long balance;               /* P */
    unsigned long pledged;      /* P: being given */

    struct list_head asked;     /* B: in broker.asked, if anything is wanted */
    unsigned long wanted;       /* B: asked of it, and not given yet */
    s_time_t asked_until;       /* B */
    s_time_t spared_until;      /* B */

    struct list_head queue;     /* B: in broker.waiting or broker.ready */
    s_time_t queued_until;      /* B */
    unsigned long lacks;        /* B: what it waits for */
    unsigned long reserved;     /* B: what is in the pool for it */

    s_time_t credit;            /* B: for requests */
    s_time_t credited;          /* B */

    struct cmm_block *spare;    /* B: so that what it gives has a place */
};

static struct {
    spinlock_t lock;
    struct list_head members;
    /* Each by when the patience with them ends. */
    struct list_head waiting, ready, asked;
    unsigned long wanted, lacks, reserved;
    unsigned long given, taken, drained;
} broker = {
    .lock = SPIN_LOCK_UNLOCKED,
    .members = LIST_HEAD_INIT(broker.members),
    .waiting = LIST_HEAD_INIT(broker.waiting),
    .ready = LIST_HEAD_INIT(broker.ready),
    .asked = LIST_HEAD_INIT(broker.asked),
};

static void send_event(const struct cmm_member *m)
{
    send_guest_global_virq(m->domain, XEN_CMM_VIRQ);
}

/*
 * Who waits.  Members are in one of two lines: those that lack something still,
 * in the order in which it is given to them, and those that have been told.
 */

static void leave_line(struct cmm_member *m)
{
    list_del_init(&m->queue);
    broker.lacks -= m->lacks;
    broker.reserved -= m->reserved;
    m->lacks = 0;
    m->reserved = 0;
}

static void end_waits(struct list_head *line, s_time_t now)
{
    unsigned int i;

    for ( i = 0; i < BATCH && !list_empty(line); i++ )
    {
        struct cmm_member *m = list_first_entry(line, struct cmm_member, queue);

        if ( m->queued_until > now )
            break;
        leave_line(m);
    }
}

/* What of the pool is nobody's yet. */
static unsigned long unreserved(void)
{
    return cmm_pool_pages() - broker.reserved;
}

static void reserve(struct cmm_member *m, unsigned long nr)
{
    m->reserved += nr;
    broker.reserved += nr;
}

/* Gives what nobody has a claim on to those who wait; is there more to do? */
static bool serve(void)
{
    unsigned int told = 0;

    while ( !list_empty(&broker.waiting) && unreserved() )
    {
        struct cmm_member *m = list_first_entry(&broker.waiting,
                                                struct cmm_member, queue);
        unsigned long nr = min(unreserved(), m->lacks);

        reserve(m, nr);
        m->lacks -= nr;
        broker.lacks -= nr;
        if ( m->lacks )
            break;

        list_move_tail(&m->queue, &broker.ready);
        m->queued_until = NOW() + KEEP_IT;
        send_event(m);
        if ( ++told == BATCH )
            return true;
    }

    return false;
}

/* Tells everybody who can be told, with the lock let go of in between. */
static void serve_all(void)
{
    bool more;

    do {
        spin_lock(&broker.lock);
        more = serve();
        spin_unlock(&broker.lock);
    } while ( more );
}

/* Who is asked. */

static void less_wanted(struct cmm_member *m, unsigned long nr)
{
    nr = min(nr, m->wanted);
    m->wanted -= nr;
    broker.wanted -= nr;
    if ( !m->wanted )
        list_del_init(&m->asked);
}

/* Gives a member that something is wanted of its time, from now on. */
static void expect(struct cmm_member *m, s_time_t now)
{
    m->asked_until = now + PATIENCE;
    list_move_tail(&m->asked, &broker.asked);
}

/* Nothing is expected any more of those who did not give. */
static void end_asks(s_time_t now)
{
    unsigned int i;

    for ( i = 0; i < BATCH && !list_empty(&broker.asked); i++ )
    {
        struct cmm_member *m = list_first_entry(&broker.asked,
                                                struct cmm_member, asked);

        if ( m->asked_until > now )
            break;
        less_wanted(m, m->wanted);
        m->spared_until = now + SPARE_IT;
    }
}

/* What a member could give, as far as can be seen without its lock. */
static unsigned long can_spare(const struct cmm_member *m, s_time_t now)
{
    const struct domain *d = m->domain;
    unsigned long keeps = m->floor + m->pledged + m->wanted;
    unsigned long has = domain_tot_pages(d);

    if ( !m->ceiling || m->spared_until > now || d->is_dying ||
         has > d->max_pages || has <= keeps )
        return 0;

    return has - keeps;
}

/* Of the next members, the one that can spare the most; others get their turn. */
static struct cmm_member *find_donor(const struct cmm_member *requester,
                                     s_time_t now)
{
    struct cmm_member *best = NULL, *seen = NULL, *m;
    unsigned long most = 0, spare;
    unsigned int i;

    for ( i = 0; i < LOOK; i++ )
    {
        m = list_first_entry(&broker.members, struct cmm_member, all);
        if ( m == seen )
            break;
        if ( !seen )
            seen = m;
        list_move_tail(&m->all, &broker.members);

        spare = m == requester ? 0 : can_spare(m, now);
        if ( spare > most )
        {
            best = m;
            most = spare;
        }
    }

    return best;
}

/* Asks donors for pages; returns of how many nobody could be asked. */
static unsigned long ask_donors(const struct cmm_member *requester,
                                unsigned long nr, s_time_t now)
{
    unsigned int i;

    for ( i = 0; nr && i < BATCH; i++ )
    {
        struct cmm_member *m = find_donor(requester, now);
        unsigned long ask;

        if ( !m )
            break;
        ask = min(nr, can_spare(m, now));
        m->wanted += ask;
        if ( list_empty(&m->asked) )
            expect(m, now);
        broker.wanted += ask;
        nr -= ask;
        send_event(m);
    }

    return nr;
}

/* Pays for a request that may have others do something. */
static bool pay(struct cmm_member *m, unsigned long nr, s_time_t now)
{
    s_time_t price = REQUEST_PRICE * (1 + nr / CMM_BLOCK_PAGES);

    m->credit = min(m->credit + (now - m->credited),
                    REQUEST_PRICE * MOST_REQUESTS);
    m->credited = now;
    if ( m->credit < price )
        return false;
    m->credit -= price;

    return true;
}

/*
 * Makes sure that a member can take @nr pages, or has others give them.  Returns
 * 0, -EAGAIN if it is to wait for the event, or another error.
 */
static int ask(struct cmm_member *m, unsigned long nr)
{
    s_time_t now = NOW();
    unsigned long more, beyond;
    int rc = -EAGAIN;

    spin_lock(&broker.lock);

    end_waits(&broker.waiting, now);
    end_waits(&broker.ready, now);
    end_asks(now);

    if ( nr <= unreserved() + m->reserved )
        rc = 0;
    else if ( !pay(m, nr, now) )
        rc = -EBUSY;
    else
    {
        leave_line(m);
        reserve(m, unreserved());
        m->lacks = nr - m->reserved;
        broker.lacks += m->lacks;
        m->queued_until = now + PATIENCE;
        list_add_tail(&m->queue, &broker.waiting);

        /* What was asked for others comes to who is in line before us. */
        more = broker.lacks > broker.wanted ? broker.lacks - broker.wanted : 0;
        beyond = min(ask_donors(m, more, now), m->lacks);
        m->lacks -= beyond;
        broker.lacks -= beyond;
        if ( !m->lacks )
        {
            /* Nobody gives anything: it may take what there is at once. */
            leave_line(m);
            rc = -ENOMEM;
        }
    }
    more = serve();

    spin_unlock(&broker.lock);

    if ( more )
        serve_all();

    return rc;
}

/*
 * GIVE.
 */

/* Makes sure that there is a block for what a member gives. */
static bool have_spare(struct cmm_member *m)
{
    struct cmm_block *block;

    if ( read_atomic(&m->spare) )
        return true;

    block = cmm_block_alloc();
    if ( !block )
        return false;

    spin_lock(&broker.lock);
    if ( !m->spare )
    {
        m->spare = block;
        block = NULL;
    }
    spin_unlock(&broker.lock);
    cmm_block_free(block);

    return true;
}

/* Sets aside what is being given, so that all vCPUs together keep to the floor. */
static int pledge(struct cmm_member *m, unsigned long nr)
{
    struct domain *d = m->domain;
    unsigned long has;
    int rc = 0;

    nrspin_lock(&d->page_alloc_lock);
    has = domain_tot_pages(d);
    if ( !m->ceiling )
        rc = -EPERM;
    else if ( has > d->max_pages || has < m->floor + m->pledged + nr )
        rc = -E2BIG;
    else
        m->pledged += nr;
    nrspin_unlock(&d->page_alloc_lock);

    return rc;
}

static void unpledge(struct cmm_member *m, unsigned long nr)
{
    struct domain *d = m->domain;

    nrspin_lock(&d->page_alloc_lock);
    m->pledged -= nr;
    nrspin_unlock(&d->page_alloc_lock);
}

/* What the toolstack has set, and what was taken; not what was given. */
static unsigned int maximum(uint64_t allotment, long balance)
{
    if ( balance < 0 && allotment < -balance )
        return 0;

    return min(allotment + balance, UINT_MAX + 0UL);
}

/* Adds to what a domain may have, and has of others. */
static void adjust_balance(struct cmm_member *m, long nr)
{
    m->balance += nr;
    m->domain->max_pages = maximum(m->allotment, m->balance);
}

/* Takes pages that nobody refers to from their domain. */
static void disown(struct cmm_member *m, struct page_info *page,
                   unsigned long nr)
{
    struct domain *d = m->domain;
    unsigned long i;
    bool last;

    nrspin_lock(&d->page_alloc_lock);
    for ( i = 0; i < nr; i++ )
    {
        page_list_del(&page[i], &d->page_list);
        page_set_owner(&page[i], NULL);
    }
    last = !domain_adjust_tot_pages(d, -nr);
    adjust_balance(m, -nr);
    m->pledged -= nr;
    nrspin_unlock(&d->page_alloc_lock);

    /* A PV domain's are still known by the frames that it gave them. */
    if ( !paging_mode_translate(d) )
        for ( i = 0; i < nr; i++ )
            set_gpfn_from_mfn(mfn_x(page_to_mfn(page + i)), INVALID_M2P_ENTRY);

    if ( last )
        put_domain(d);
}

/* Gives pages that nobody has to the heap. */
static void put_into_heap(struct page_info *page, unsigned long nr)
{
    /* It flushes no TLB for pages of which it does not see the owner. */
    cmm_pool_unstamp(page, nr);
    for ( ; nr; nr--, page++ )
        free_domheap_page(page);
}

/* Has a run of released pages become the pool's. */
static void absorb_run(struct cmm_member *m, struct page_info *page,
                       unsigned long nr)
{
    struct domain *d = m->domain;
    bool added, more = false;

    have_spare(m);
    disown(m, page, nr);
    cmm_pool_stamp(page, nr);

    spin_lock(&broker.lock);
    added = cmm_pool_add(page, nr, &m->spare);
    if ( added )
    {
        broker.given += nr;
        less_wanted(m, nr);
        if ( m->wanted )
            expect(m, NOW());
        more = serve();
    }
    spin_unlock(&broker.lock);

    if ( !added )
    {
        /* As if its balloon had given them. */
        nrspin_lock(&d->page_alloc_lock);
        adjust_balance(m, nr);
        nrspin_unlock(&d->page_alloc_lock);
        put_into_heap(page, nr);
    }
    else if ( more )
        serve_all();
}

/*
 * Has detached and pledged pages become the pool's.  A page that somebody has
 * got a reference to meanwhile, or that needs more, goes into the heap instead,
 * as if the domain's balloon had given it.
 */
static void absorb(struct cmm_member *m, mfn_t first, unsigned long nr)
{
    struct page_info *page = mfn_to_page(first);
    unsigned long i, run = 0, lost = 0;

    for ( i = 0; i < nr; i++ )
    {
        bool ours = cmm_release_page(m->domain, page + i);

        if ( ours )
            run++;
        else
            lost++;
        /* A block of the pool's is as far as a run goes. */
        if ( run && (!ours || i + 1 == nr ||
                     !((page_to_pdx(page + i) + 1) % CMM_BLOCK_PAGES)) )
        {
            absorb_run(m, page + i + ours - run, run);
            run = 0;
        }
    }

    if ( lost )
        unpledge(m, lost);
}

/* Gives frames of a list; returns how many, or why not the first. */
static int give_list(struct cmm_member *m, const xen_pfn_t *frame,
                     unsigned int nr)
{
    mfn_t mfn[CMM_CHUNK];
    unsigned int i, done, begin = 0;
    int rc = pledge(m, nr);

    /* Just above the floor, one by one. */
    if ( rc == -E2BIG && nr > 1 )
    {
        nr = 1;
        rc = pledge(m, nr);
    }
    if ( rc )
        return rc;

    done = cmm_detach_list(m->domain, frame, nr, mfn);
    if ( done < nr )
        unpledge(m, nr - done);

    for ( i = 1; i <= done; i++ )
        if ( i == done || !mfn_eq(mfn[i], mfn_add(mfn[begin], i - begin)) )
        {
            absorb(m, mfn[begin], i - begin);
            begin = i;
        }

    return done ?: -EBUSY;
}

static int give_extent(struct cmm_member *m, xen_pfn_t frame,
                       unsigned int order)
{
    unsigned long nr = 1UL << order, done;
    mfn_t first;
    int rc = pledge(m, nr);

    if ( rc )
        return rc;

    done = cmm_detach_extent(m->domain, frame, order, &first);
    if ( done < nr )
        unpledge(m, nr - done);
    if ( done )
        absorb(m, first, done);

    return done == nr ? 1 : done ? -ENOMEM : -EBUSY;
}

static int give(struct cmm_member *m, xen_pfn_t *frame, unsigned int nr,
                unsigned int order)
{
    if ( !cmm_is_ordinary_domain(m->domain) )
        return -EOPNOTSUPP;
    if ( !have_spare(m) )
        return -ENOMEM;

    return order ? give_extent(m, *frame, order) : give_list(m, frame, nr);
}

/*
 * TAKE.
 */

/* Gets an extent of the pool; what is reserved for the member counts as its own. */
static struct page_info *get_from_pool(struct cmm_member *m, unsigned int order)
{
    unsigned long nr = 1UL << order, used;
    struct page_info *page = NULL;

    spin_lock(&broker.lock);
    if ( nr > unreserved() + m->reserved )
        end_waits(&broker.ready, NOW());
    if ( nr <= unreserved() + m->reserved )
        page = cmm_pool_take(order);
    if ( page )
    {
        used = min(nr, m->reserved);
        m->reserved -= used;
        broker.reserved -= used;
        broker.taken += nr;
        if ( !m->reserved && !m->lacks )
            list_del_init(&m->queue);
    }
    spin_unlock(&broker.lock);

    return page;
}

/* An extent that was not taken after all. */
static void put_back(struct cmm_member *m, struct page_info *page,
                     unsigned long nr)
{
    bool added;

    have_spare(m);
    cmm_pool_stamp(page, nr);

    spin_lock(&broker.lock);
    added = cmm_pool_add(page, nr, &m->spare);
    broker.taken -= nr;
    if ( !added )
        broker.drained += nr;
    spin_unlock(&broker.lock);

    if ( !added )
        put_into_heap(page, nr);
}

/* Makes pages the domain's, within its limits. */
static int own(struct cmm_member *m, struct page_info *page, unsigned long nr)
{
    struct domain *d = m->domain;
    unsigned long i;
    int rc = 0;

    nrspin_lock(&d->page_alloc_lock);
    if ( !m->ceiling || d->is_dying )
        rc = -EPERM;
    else if ( domain_tot_pages(d) > d->max_pages ||
              d->max_pages + nr > m->ceiling )
        rc = -E2BIG;
    else
    {
        adjust_balance(m, nr);
        if ( domain_adjust_tot_pages(d, nr) == nr )
            get_knownalive_domain(d);
        for ( i = 0; i < nr; i++ )
        {
            page_set_owner(&page[i], d);
            smp_wmb(); /* Who gets a reference must see whose the page is. */
            page[i].count_info = PGC_allocated | 1;
            page_list_add_tail(&page[i], &d->page_list);
        }
    }
    nrspin_unlock(&d->page_alloc_lock);

    return rc;
}

/* Takes from the domain again what it cannot use. */
static void disown_again(struct cmm_member *m, mfn_t first, unsigned long nr)
{
    struct domain *d = m->domain;

    /* If somebody has got hold of it already, it stays the domain's. */
    if ( !cmm_get_ordinary_pages(d, first, nr) )
        return;

    nrspin_lock(&d->page_alloc_lock);
    m->pledged += nr;
    nrspin_unlock(&d->page_alloc_lock);
    absorb(m, first, nr);
}

static int take_extent(struct cmm_member *m, xen_pfn_t *frame,
                       unsigned int order)
{
    struct domain *d = m->domain;
    unsigned long nr = 1UL << order;
    struct page_info *page;
    mfn_t mfn;
    int rc;

    page = get_from_pool(m, order);
    if ( !page )
        return -ENOMEM;

    if ( !cmm_pool_unstamp(page, nr) )
    {
        /* The heap knows what to do with pages that are to go offline. */
        spin_lock(&broker.lock);
        broker.taken -= nr;
        broker.drained += nr;
        spin_unlock(&broker.lock);
        put_into_heap(page, nr);
        return -ENOMEM;
    }

    rc = own(m, page, nr);
    if ( rc )
    {
        put_back(m, page, nr);
        return rc;
    }

    mfn = page_to_mfn(page);
    if ( guest_physmap_add_page(d, _gfn(*frame), mfn, order) )
    {
        /* Some of it may be there.  What cannot be removed stays the domain's. */
        if ( !guest_physmap_remove_page(d, _gfn(*frame), mfn, order) )
            disown_again(m, mfn, nr);
        return -ENOMEM;
    }

    if ( !paging_mode_translate(d) )
        *frame = mfn_x(mfn);

    return 1;
}

/* Why a member may not have @nr pages more, or 0. */
static int may_take(const struct cmm_member *m, unsigned long nr)
{
    const struct domain *d = m->domain;

    /* Nothing is changed here: own() decides. */
    return !m->ceiling ? -EPERM :
           domain_tot_pages(d) > d->max_pages ||
           d->max_pages + nr > m->ceiling ? -E2BIG : 0;
}

/*
 * Both, extent by extent.
 */

/* Tells a domain that knows frames of the machine where an extent is. */
static bool tell_frame(struct xen_cmm *op, XEN_GUEST_HANDLE(xen_pfn_t) list,
                       unsigned long at, xen_pfn_t frame,
                       XEN_GUEST_HANDLE_PARAM(xen_cmm_t) arg)
{
    if ( paging_mode_translate(current->domain) )
        return false;
    if ( op->u.extents.nr > 1 )
        return __copy_to_guest_offset(list, at, &frame, 1);
    op->u.extents.frames = frame;

    return __copy_field_to_guest(arg, op, u.extents.frames);
}

static long move_extents(struct cmm_member *m, struct xen_cmm *op,
                         unsigned long start,
                         XEN_GUEST_HANDLE_PARAM(xen_cmm_t) arg)
{
    const struct xen_cmm_extents *x = &op->u.extents;
    struct domain *d = m->domain;
    XEN_GUEST_HANDLE(xen_pfn_t) list;
    xen_pfn_t frame[CMM_CHUNK];
    bool taking = op->op == XEN_CMM_take;
    unsigned long at = start;
    int rc = 0;

    if ( op->domid != DOMID_SELF || x->order > CMM_MAX_ORDER ||
         (op->flags & ~(taking ? XEN_CMM_ASK : 0)) ||
         x->nr > (UINT_MAX >> MEMOP_EXTENT_SHIFT) || start >= x->nr )
        return start ?: -EINVAL;
    /* What devices may reach does not go from hand to hand. */
    if ( is_iommu_enabled(d) || is_domain_direct_mapped(d) )
        return start ?: -EOPNOTSUPP;

    if ( taking )
        rc = may_take(m, (x->nr - start) << x->order);
    if ( !rc && taking && (op->flags & XEN_CMM_ASK) && !start )
        rc = ask(m, (unsigned long)x->nr << x->order);
    if ( rc )
        return start ?: rc;

    set_xen_guest_handle(list, (xen_pfn_t *)x->frames);
    if ( x->nr > 1 && !guest_handle_okay(list, x->nr) )
        return start ?: -EFAULT;

    while ( at < x->nr )
    {
        /* Of extents, and when taking, one; giving pages, as many as go together. */
        unsigned int nr = taking || x->order ? 1 : min(x->nr - at, CMM_CHUNK + 0UL);

        if ( at != start && hypercall_preempt_check() )
            return hypercall_create_continuation(
                __HYPERVISOR_memory_op, "lh",
                XENMEM_cmm | (at << MEMOP_EXTENT_SHIFT), arg);

        if ( x->nr == 1 )
            frame[0] = x->frames;
        else if ( __copy_from_guest_offset(frame, list, at, nr) )
            rc = -EFAULT;

        if ( !rc )
            rc = taking ? take_extent(m, frame, x->order)
                        : give(m, frame, nr, x->order);
        if ( rc <= 0 )
            break;

        if ( taking && tell_frame(op, list, at, *frame, arg) )
        {
            /* It would never know where its pages are. */
            disown_again(m, _mfn(*frame), 1UL << x->order);
            rc = -EFAULT;
            break;
        }
        at += rc;
        rc = 0;
    }

    return at ?: rc;
}

/*
 * What the control domain does.
 */

static long set_limits(struct domain *d, const struct xen_cmm_limits *limits)
{
    struct cmm_member *m = d->cmm, *new = NULL;
    int rc = 0;

    if ( limits->floor > limits->ceiling || limits->ceiling > UINT_MAX )
        return -EINVAL;
    /* Those that others depend on have what they have. */
    if ( is_control_domain(d) || is_hardware_domain(d) || is_system_domain(d) )
        return -EINVAL;

    if ( !m )
    {
        new = xzalloc(struct cmm_member);
        if ( !new )
            return -ENOMEM;
        new->domain = d;
        INIT_LIST_HEAD(&new->queue);
        INIT_LIST_HEAD(&new->asked);
        new->credited = NOW() - REQUEST_PRICE * MOST_REQUESTS;
    }

    spin_lock(&broker.lock);
    rc = cmm_pool_make();
    if ( !rc && !d->cmm )
    {
        list_add(&new->all, &broker.members);
        smp_wmb(); /* Who sees it does not take the lock. */
        d->cmm = new;
        new = NULL;
    }
    m = d->cmm;
    if ( m )
    {
        leave_line(m);
        less_wanted(m, m->wanted);
        m->spared_until = 0;
    }
    spin_unlock(&broker.lock);
    xfree(new);
    if ( rc )
        return rc;

    nrspin_lock(&d->page_alloc_lock);
    if ( !m->ceiling && !m->balance )
        m->allotment = d->max_pages;
    m->floor = limits->floor;
    m->ceiling = limits->ceiling;
    nrspin_unlock(&d->page_alloc_lock);

    return 0;
}

static void tell_of_member(struct cmm_member *m, struct xen_cmm_member *out)
{
    struct domain *d = m->domain;

    nrspin_lock(&d->page_alloc_lock);
    out->floor = m->floor;
    out->ceiling = m->ceiling;
    out->has = domain_tot_pages(d);
    out->maximum = d->max_pages;
    out->balance = m->balance;
    nrspin_unlock(&d->page_alloc_lock);

    spin_lock(&broker.lock);
    out->wanted = m->wanted;
    out->lacks = m->lacks;
    out->reserved = m->reserved;
    spin_unlock(&broker.lock);
}

static void tell_of_pool(struct xen_cmm_pool *out)
{
    spin_lock(&broker.lock);
    out->pages = cmm_pool_pages();
    out->reserved = broker.reserved;
    out->given = broker.given;
    out->taken = broker.taken;
    out->drained = broker.drained;
    spin_unlock(&broker.lock);
}

/* Gives to the heap what nobody waits for, which scrubs it. */
static long drain(unsigned long nr, unsigned long start,
                  XEN_GUEST_HANDLE_PARAM(xen_cmm_t) arg)
{
    unsigned long at = start;

    if ( nr > (UINT_MAX >> MEMOP_EXTENT_SHIFT) )
        return start ?: -EINVAL;

    while ( at < nr )
    {
        struct page_info *page;
        unsigned int order;

        if ( at != start && hypercall_preempt_check() )
            return hypercall_create_continuation(
                __HYPERVISOR_memory_op, "lh",
                XENMEM_cmm | (at << MEMOP_EXTENT_SHIFT), arg);

        spin_lock(&broker.lock);
        end_waits(&broker.ready, NOW());
        page = cmm_pool_take_any(min(nr - at, unreserved()), &order);
        if ( page )
            broker.drained += 1UL << order;
        spin_unlock(&broker.lock);
        if ( !page )
            break;

        put_into_heap(page, 1UL << order);
        at += 1UL << order;
    }

    return at;
}

/*
 * The hypercall.
 */

static long domain_op(struct xen_cmm *op, unsigned long start,
                      XEN_GUEST_HANDLE_PARAM(xen_cmm_t) arg)
{
    struct domain *d = current->domain;
    struct cmm_member *m = d->cmm;
    long rc;

    if ( !m || !m->ceiling )
        return start ?: -EPERM;

    switch ( op->op )
    {
    case XEN_CMM_give:
    case XEN_CMM_take:
        rc = xsm_memory_adjust_reservation(XSM_TARGET, d, d);
        return rc ? (start ?: rc) : move_extents(m, op, start, arg);

    case XEN_CMM_wanted:
        return read_atomic(&m->wanted);

    default:
        ASSERT_UNREACHABLE();
        return -EINVAL;
    }
}

static long control_op(struct xen_cmm *op, unsigned long start,
                       XEN_GUEST_HANDLE_PARAM(xen_cmm_t) arg)
{
    struct domain *d = op->domid == DOMID_SELF ? current->domain : NULL;
    long rc = 0;
    bool locked = false;

    if ( !d )
    {
        d = rcu_lock_domain_by_id(op->domid);
        if ( !d )
            return -ESRCH;
        locked = true;
    }

    /* Who may see to it that a domain gets memory may see to it that it does not. */
    if ( op->op != XEN_CMM_query || d != current->domain )
        rc = xsm_claim_pages(XSM_PRIV, d);

    if ( !rc )
        switch ( op->op )
        {
        case XEN_CMM_query:
            if ( !d->cmm || (d == current->domain && !d->cmm->ceiling) )
            {
                rc = -EPERM;
                break;
            }
            tell_of_member(d->cmm, &op->u.member);
            rc = copy_to_guest(arg, op, 1) ? -EFAULT : 0;
            break;

        case XEN_CMM_limits:
            rc = d->is_dying ? -ESRCH : set_limits(d, &op->u.limits);
            break;

        case XEN_CMM_drain:
            rc = drain(op->u.pages, start, arg);
            break;

        case XEN_CMM_pool:
            tell_of_pool(&op->u.pool);
            rc = copy_to_guest(arg, op, 1) ? -EFAULT : 0;
            break;

        default:
            rc = -EOPNOTSUPP;
            break;
        }

    if ( locked )
        rcu_unlock_domain(d);

    return rc;
}

long cmm_broker_op(unsigned long start, XEN_GUEST_HANDLE_PARAM(xen_cmm_t) arg)
{
    struct xen_cmm op;

    if ( copy_from_guest(&op, arg, 1) )
        return start ?: -EFAULT;

    switch ( op.op )
    {
    case XEN_CMM_give:
    case XEN_CMM_take:
        return domain_op(&op, start, arg);

    case XEN_CMM_wanted:
        return start ? -EINVAL : domain_op(&op, start, arg);

    case XEN_CMM_drain:
        return control_op(&op, start, arg);

    default:
        return start ? -EINVAL : control_op(&op, start, arg);
    }
}

uint64_t cmm_maximum(const struct domain *d, uint64_t pages)
{
    return d->cmm ? maximum(pages, d->cmm->balance) : pages;
}

uint64_t cmm_set_maximum(struct domain *d, uint64_t pages)
{
    if ( d->cmm )
        d->cmm->allotment = pages;

    return cmm_maximum(d, pages);
}

void cmm_domain_destroy(struct domain *d)
{
    struct cmm_member *m = d->cmm;

    if ( !m )
        return;

    spin_lock(&broker.lock);
    leave_line(m);
    less_wanted(m, m->wanted);
    list_del(&m->all);
    spin_unlock(&broker.lock);

    d->cmm = NULL;
    cmm_block_free(m->spare);
    xfree(m);
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
