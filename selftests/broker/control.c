// SPDX-License-Identifier: GPL-2.0
/*
 * What the control domain has to say to the broker in Xen, in pages:
 *	control limits DOMID FLOOR CEILING
 *	control query DOMID	prints floor, ceiling, what it has, its maximum, balance,
 *				what is wanted of it, what it lacks, what is reserved for it
 *	control pool		prints pages, reserved, given, taken, drained
 *	control drain PAGES	prints how many
 *	control map DOMID FRAME READY STOP
 *				maps a frame, makes the file READY, and keeps it mapped
 *				until there is a file STOP
 * It ends with the errno of what Xen has refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "broker-public.h"

#define HYPERVISOR_MEMORY_OP	12
#define DOMID_SELF		0x7ff0
#define PAGE			4096

struct hypercall {
	uint64_t op;
	uint64_t arg[5];
};

#define HYPERCALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct hypercall))

struct map_batch {
	unsigned int num;
	uint16_t domid;
	uint64_t address;
	const uint64_t *frames;
	int *errors;
};

#define MAP_BATCH _IOC(_IOC_NONE, 'P', 4, sizeof(struct map_batch))

static struct xen_cmm *op;
static int privcmd;

static void fail(const char *what)
{
	int error = errno;

	perror(what);
	exit(error);
}

static int call(uint32_t number, uint16_t domid)
{
	struct hypercall hypercall = { HYPERVISOR_MEMORY_OP, { XENMEM_cmm, (uintptr_t)op } };
	int result;

	op->op = number;
	op->domid = domid;
	result = ioctl(privcmd, HYPERCALL, &hypercall);
	if (result < 0)
		fail("control");
	return result;
}

static void query(uint16_t domid)
{
	const struct xen_cmm_member *m = &op->u.member;

	call(XEN_CMM_query, domid);
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
	       m->floor, m->ceiling, m->has, m->maximum, m->balance, m->wanted, m->lacks, m->reserved);
}

static void pool(void)
{
	const struct xen_cmm_pool *p = &op->u.pool;

	call(XEN_CMM_pool, DOMID_SELF);
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
	       p->pages, p->reserved, p->given, p->taken, p->drained);
}

static void map(uint16_t domid, uint64_t frame, const char *ready, const char *stop)
{
	void *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, privcmd, 0);
	int error = 0, fd;
	struct map_batch batch = { 1, domid, (uintptr_t)page, &frame, &error };

	if (page == MAP_FAILED || ioctl(privcmd, MAP_BATCH, &batch) || error)
		fail("map");
	fd = open(ready, O_CREAT | O_WRONLY, 0644);
	if (fd < 0)
		fail(ready);
	close(fd);
	while (access(stop, F_OK))
		usleep(100000);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t number = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;

	privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	op = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	if (privcmd < 0 || op == MAP_FAILED)
		fail("/dev/xen/privcmd");
	if (!strcmp(what, "limits") && argc == 5) {
		op->u.limits.floor = strtoull(argv[3], NULL, 0);
		op->u.limits.ceiling = strtoull(argv[4], NULL, 0);
		call(XEN_CMM_limits, number);
	} else if (!strcmp(what, "query") && argc == 3) {
		query(number);
	} else if (!strcmp(what, "pool") && argc == 2) {
		pool();
	} else if (!strcmp(what, "drain") && argc == 3) {
		op->u.pages = number;
		printf("%d\n", call(XEN_CMM_drain, DOMID_SELF));
	} else if (!strcmp(what, "map") && argc == 6) {
		map(number, strtoull(argv[3], NULL, 0), argv[4], argv[5]);
	} else {
		fprintf(stderr, "Usage: see control.c\n");
		return 2;
	}
	return 0;
}
