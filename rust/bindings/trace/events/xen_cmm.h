/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the two halves of coordinated memory management do, step by step.
 *
 * Each module defines its own half's events, and says which by XEN_CMM_FRONT or
 * XEN_CMM_BACK. Sizes are in pages, times in ns. What is common to events of both
 * halves is a message's id: id, and in Dom0 the domain it is to or from, find the
 * other half's event.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xen_cmm

#if !defined(_TRACE_XEN_CMM_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_XEN_CMM_H

#include <linux/tracepoint.h>

#ifndef _TRACE_XEN_CMM_NAMES
#define _TRACE_XEN_CMM_NAMES

/* As the files last_reason and answers have it: rust/cmm/client/reason.rs. */
#define xen_cmm_reason(number)			\
	__print_symbolic(number,		\
		{ 0,		"granted" },	\
		{ 1,		"no-donor" },	\
		{ 2,		"ceiling" },	\
		{ 3,		"rate-limit" },	\
		{ 4,		"deadline" },	\
		{ 5,		"shutting-down" }, \
		{ 6,		"cancelled" },	\
		{ 0xffffffff,	"lost" },	\
		{ 0xfffffffe,	"above-target" })

/* What the driver returns when there was no answer, or nothing was asked. */
#define xen_cmm_errno(number)			\
	__print_symbolic(number,		\
		{ 4,	"EINTR" },		\
		{ 11,	"EAGAIN" },		\
		{ 16,	"EBUSY" },		\
		{ 19,	"ENODEV" },		\
		{ 71,	"EPROTO" },		\
		{ 110,	"ETIMEDOUT" },		\
		{ 122,	"EDQUOT" })

/* Who asks: rust/cmm/protocol/up.rs. */
#define xen_cmm_asker(number)			\
	__print_symbolic(number,		\
		{ 0,	"manual" },		\
		{ 1,	"automatic" },		\
		{ 2,	"emergency" })

/* How much somebody is to put itself out: rust/cmm/protocol/down.rs. */
#define xen_cmm_urgency(number)			\
	__print_symbolic(number,		\
		{ 0,	"background" },		\
		{ 1,	"normal" },		\
		{ 2,	"urgent" })

/* What Dom0 wants of a domain. This and what follows: rust/xen/trace.rs. */
#define xen_cmm_kind(number)			\
	__print_symbolic(number,		\
		{ 0,	"reclaim" },		\
		{ 1,	"give" },		\
		{ 2,	"revoke" })

/* By what a wish was met. */
#define xen_cmm_way(number)			\
	__print_symbolic(number,		\
		{ 0,	"nothing" },		\
		{ 1,	"read-ahead" },		\
		{ 2,	"credit" },		\
		{ 3,	"dom0" })

/* What the domain does by itself. */
#define xen_cmm_step(number)			\
	__print_symbolic(number,		\
		{ 0,	"ask" },		\
		{ 1,	"ask-own" },		\
		{ 2,	"give-back" })

#endif /* _TRACE_XEN_CMM_NAMES */

#ifdef XEN_CMM_FRONT

/* Somebody in this domain wishes for memory. */
TRACE_EVENT(cmm_front_request,
	TP_PROTO(u64 pages, u64 deadline_us, u32 asker),
	TP_ARGS(pages, deadline_us, asker),
	TP_STRUCT__entry(
		__field(u64, pages)
		__field(u64, deadline_us)
		__field(u32, asker)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->deadline_us = deadline_us;
		__entry->asker = asker;
	),
	TP_printk("pages=%llu deadline_us=%llu asker=%s", __entry->pages,
		  __entry->deadline_us, xen_cmm_asker(__entry->asker))
);

/* What came of that; id is that of the request, if Dom0 was asked. */
TRACE_EVENT(cmm_front_answer,
	TP_PROTO(u32 id, u32 way, u64 pages, u64 got, u32 reason, u32 error, u64 ns),
	TP_ARGS(id, way, pages, got, reason, error, ns),
	TP_STRUCT__entry(
		__field(u64, pages)
		__field(u64, got)
		__field(u64, ns)
		__field(u32, id)
		__field(u32, way)
		__field(u32, reason)
		__field(u32, error)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->got = got;
		__entry->ns = ns;
		__entry->id = id;
		__entry->way = way;
		__entry->reason = reason;
		__entry->error = error;
	),
	TP_printk("id=%u way=%s pages=%llu got=%llu reason=%s ns=%llu", __entry->id,
		  xen_cmm_way(__entry->way), __entry->pages, __entry->got,
		  __entry->error ? xen_cmm_errno(__entry->error) :
				   xen_cmm_reason(__entry->reason),
		  __entry->ns)
);

/* Of what was borrowed, so much was to go back, and so much went. */
TRACE_EVENT(cmm_front_release,
	TP_PROTO(u64 pages, u64 given),
	TP_ARGS(pages, given),
	TP_STRUCT__entry(
		__field(u64, pages)
		__field(u64, given)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->given = given;
	),
	TP_printk("pages=%llu given=%llu", __entry->pages, __entry->given)
);

/* Dom0 wants something, and this domain begins to do it. */
TRACE_EVENT(cmm_front_demand,
	TP_PROTO(u32 id, u32 kind, u64 pages, u32 urgency),
	TP_ARGS(id, kind, pages, urgency),
	TP_STRUCT__entry(
		__field(u64, pages)
		__field(u32, id)
		__field(u32, kind)
		__field(u32, urgency)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->id = id;
		__entry->kind = kind;
		__entry->urgency = urgency;
	),
	TP_printk("id=%#x kind=%s pages=%llu urgency=%s", __entry->id,
		  xen_cmm_kind(__entry->kind), __entry->pages,
		  xen_cmm_urgency(__entry->urgency))
);

/* It has been done, for so many of the pages. */
TRACE_EVENT(cmm_front_gave,
	TP_PROTO(u32 id, u32 kind, u64 pages, u64 moved, u64 ns),
	TP_ARGS(id, kind, pages, moved, ns),
	TP_STRUCT__entry(
		__field(u64, pages)
		__field(u64, moved)
		__field(u64, ns)
		__field(u32, id)
		__field(u32, kind)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->moved = moved;
		__entry->ns = ns;
		__entry->id = id;
		__entry->kind = kind;
	),
	TP_printk("id=%#x kind=%s pages=%llu moved=%llu ns=%llu", __entry->id,
		  xen_cmm_kind(__entry->kind), __entry->pages, __entry->moved,
		  __entry->ns)
);

/* The kernel was about to kill a process. */
TRACE_EVENT(cmm_front_rescue,
	TP_PROTO(u64 got, u32 reason, u32 error, u64 ns),
	TP_ARGS(got, reason, error, ns),
	TP_STRUCT__entry(
		__field(u64, got)
		__field(u64, ns)
		__field(u32, reason)
		__field(u32, error)
	),
	TP_fast_assign(
		__entry->got = got;
		__entry->ns = ns;
		__entry->reason = reason;
		__entry->error = error;
	),
	TP_printk("got=%llu reason=%s ns=%llu", __entry->got,
		  __entry->error ? xen_cmm_errno(__entry->error) :
				   xen_cmm_reason(__entry->reason),
		  __entry->ns)
);

/* The domain is about to ask, or to give back, by itself: rate is in pages a second. */
TRACE_EVENT(cmm_front_auto,
	TP_PROTO(u32 step, u64 pages, u64 free, u64 available, u64 wanted, u64 rate),
	TP_ARGS(step, pages, free, available, wanted, rate),
	TP_STRUCT__entry(
		__field(u64, pages)
		__field(u64, free)
		__field(u64, available)
		__field(u64, wanted)
		__field(u64, rate)
		__field(u32, step)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->free = free;
		__entry->available = available;
		__entry->wanted = wanted;
		__entry->rate = rate;
		__entry->step = step;
	),
	TP_printk("step=%s pages=%llu free=%llu available=%llu wanted=%llu rate=%llu",
		  xen_cmm_step(__entry->step), __entry->pages, __entry->free,
		  __entry->available, __entry->wanted, __entry->rate)
);

/* The domain has settled: what it had borrowed, or lent if that is negative, and has still. */
TRACE_EVENT(cmm_front_settle,
	TP_PROTO(s64 before, s64 left),
	TP_ARGS(before, left),
	TP_STRUCT__entry(
		__field(s64, before)
		__field(s64, left)
	),
	TP_fast_assign(
		__entry->before = before;
		__entry->left = left;
	),
	TP_printk("before=%lld left=%lld", __entry->before, __entry->left)
);

#endif /* XEN_CMM_FRONT */

#ifdef XEN_CMM_BACK

/* A domain asks. */
TRACE_EVENT(cmm_back_request,
	TP_PROTO(u32 dom, u32 id, u64 pages, u64 deadline_us, u32 asker),
	TP_ARGS(dom, id, pages, deadline_us, asker),
	TP_STRUCT__entry(
		__field(u64, pages)
		__field(u64, deadline_us)
		__field(u32, dom)
		__field(u32, id)
		__field(u32, asker)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->deadline_us = deadline_us;
		__entry->dom = dom;
		__entry->id = id;
		__entry->asker = asker;
	),
	TP_printk("dom=%u id=%u pages=%llu deadline_us=%llu asker=%s", __entry->dom,
		  __entry->id, __entry->pages, __entry->deadline_us,
		  xen_cmm_asker(__entry->asker))
);

/* It is answered. */
TRACE_EVENT(cmm_back_grant,
	TP_PROTO(u32 dom, u32 id, u64 pages, u32 reason),
	TP_ARGS(dom, id, pages, reason),
	TP_STRUCT__entry(
		__field(u64, pages)
		__field(u32, dom)
		__field(u32, id)
		__field(u32, reason)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->dom = dom;
		__entry->id = id;
		__entry->reason = reason;
	),
	TP_printk("dom=%u id=%u pages=%llu reason=%s", __entry->dom, __entry->id,
		  __entry->pages, xen_cmm_reason(__entry->reason))
);

/* Dom0 asks a domain to give, to take what it lent, or to return credit. */
TRACE_EVENT(cmm_back_ask,
	TP_PROTO(u32 dom, u32 id, u32 kind, u64 pages, u32 urgency),
	TP_ARGS(dom, id, kind, pages, urgency),
	TP_STRUCT__entry(
		__field(u64, pages)
		__field(u32, dom)
		__field(u32, id)
		__field(u32, kind)
		__field(u32, urgency)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->dom = dom;
		__entry->id = id;
		__entry->kind = kind;
		__entry->urgency = urgency;
	),
	TP_printk("dom=%u id=%#x kind=%s pages=%llu urgency=%s", __entry->dom, __entry->id,
		  xen_cmm_kind(__entry->kind), __entry->pages,
		  xen_cmm_urgency(__entry->urgency))
);

/*
 * It has answered: whom is the domain whose request that is for, or the domain itself
 * if it is for none.
 */
TRACE_EVENT(cmm_back_answer,
	TP_PROTO(u32 dom, u32 id, u64 pages, u64 moved, u32 whom, u64 ns),
	TP_ARGS(dom, id, pages, moved, whom, ns),
	TP_STRUCT__entry(
		__field(u64, pages)
		__field(u64, moved)
		__field(u64, ns)
		__field(u32, dom)
		__field(u32, id)
		__field(u32, whom)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->moved = moved;
		__entry->ns = ns;
		__entry->dom = dom;
		__entry->id = id;
		__entry->whom = whom;
	),
	TP_printk("dom=%u id=%#x pages=%llu moved=%llu whom=%u ns=%llu", __entry->dom,
		  __entry->id, __entry->pages, __entry->moved, __entry->whom,
		  __entry->ns)
);

DECLARE_EVENT_CLASS(cmm_back_moved,
	TP_PROTO(u32 dom, u32 id, u64 pages),
	TP_ARGS(dom, id, pages),
	TP_STRUCT__entry(
		__field(u64, pages)
		__field(u32, dom)
		__field(u32, id)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->dom = dom;
		__entry->id = id;
	),
	TP_printk("dom=%u id=%u pages=%llu", __entry->dom, __entry->id, __entry->pages)
);

/* A domain took so much of what it was granted. */
DEFINE_EVENT(cmm_back_moved, cmm_back_took,
	TP_PROTO(u32 dom, u32 id, u64 pages),
	TP_ARGS(dom, id, pages)
);

/* It took so much on credit. */
DEFINE_EVENT(cmm_back_moved, cmm_back_drew,
	TP_PROTO(u32 dom, u32 id, u64 pages),
	TP_ARGS(dom, id, pages)
);

/* It gave so much back, unasked. */
DEFINE_EVENT(cmm_back_moved, cmm_back_release,
	TP_PROTO(u32 dom, u32 id, u64 pages),
	TP_ARGS(dom, id, pages)
);

/* What Xen lets a domain have. */
TRACE_EVENT(cmm_back_cap,
	TP_PROTO(u32 dom, u64 from, u64 to),
	TP_ARGS(dom, from, to),
	TP_STRUCT__entry(
		__field(u64, from)
		__field(u64, to)
		__field(u32, dom)
	),
	TP_fast_assign(
		__entry->from = from;
		__entry->to = to;
		__entry->dom = dom;
	),
	TP_printk("dom=%u from=%llu to=%llu", __entry->dom, __entry->from, __entry->to)
);

/* A domain has cost more than its share, and is not listened to for so long. */
TRACE_EVENT(cmm_back_shut_out,
	TP_PROTO(u32 dom, u64 ns),
	TP_ARGS(dom, ns),
	TP_STRUCT__entry(
		__field(u64, ns)
		__field(u32, dom)
	),
	TP_fast_assign(
		__entry->ns = ns;
		__entry->dom = dom;
	),
	TP_printk("dom=%u ns=%llu", __entry->dom, __entry->ns)
);

#endif /* XEN_CMM_BACK */

#endif /* _TRACE_XEN_CMM_H */

/* Outside of what guards the rest: it reads this file again. */
#include <trace/define_trace.h>
