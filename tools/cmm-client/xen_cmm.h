/* SPDX-License-Identifier: MIT */
/*
 * /dev/cmm: how a program in a DomU asks for memory of other domains.
 *
 * Each open file is an asker. What it holds goes back when it is closed, by whatever
 * end the program comes to; what the kernel cannot spare then, as soon as it can.
 * What has come is with the kernel, for whoever allocates: to ask makes room, and
 * nothing else. poll() says POLLPRI while memory runs short in the domain.
 *
 * Sizes are in KiB, and are rounded up to pages.
 */
#ifndef XEN_CMM_H
#define XEN_CMM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CMM_DEVICE "/dev/cmm"

/* Why no more came than did. There may come to be others. */
#define CMM_GRANTED		0	/* all came */
#define CMM_NO_DONOR		1	/* nobody can spare more */
#define CMM_CEILING		2	/* the domain is as large as it may be */
#define CMM_RATE_LIMIT		3	/* it has asked for too much lately */
#define CMM_DEADLINE		4	/* those asked have not answered in time */
#define CMM_SHUTTING_DOWN	5	/* Dom0's driver is being unloaded */
#define CMM_CANCELLED		6	/* nobody waited any more */
#define CMM_ABOVE_TARGET	0xfffffffeU	/* the domain has more than its toolstack wants */
#define CMM_LOST		0xffffffffU	/* it was granted, and somebody else took it */

struct cmm_ask {
	__u64 wanted_kb;
	/* How long to wait, 0 for as long as that usually takes; at most a minute. */
	__u64 deadline_us;
	/* What has come. */
	__u64 got_kb;
	/* CMM_GRANTED, or why not all came. */
	__u64 reason;
};

struct cmm_give_back {
	__u64 wanted_kb;
	/* What has gone back: less, if the kernel cannot spare it now. */
	__u64 given_kb;
};

/*
 * Asks for memory, and waits for it. EINVAL: no such size or deadline; EDQUOT: more than
 * the domain's ceiling leaves; EBUSY: eight are asking already; ENODEV: there is no
 * connection to Dom0; EINTR: a signal came, and nothing of what was asked for stays;
 * ETIMEDOUT: Dom0 says nothing.
 */
#define CMM_ASK		_IOWR(0xd5, 1, struct cmm_ask)

/* Gives back of what this asker holds. EINVAL: it holds less; ENODEV. */
#define CMM_GIVE_BACK	_IOWR(0xd5, 2, struct cmm_give_back)

/* What this asker holds. */
#define CMM_HELD	_IOR(0xd5, 3, __u64)

#endif
