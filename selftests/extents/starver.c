// SPDX-License-Identifier: GPL-2.0
/*
 * starver DOMID [BYTES]: prints the size of what Xen has for a domain's page tables, in
 * bytes, and sets it. Less than is in use leaves none to spare, and is no failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define HYPERVISOR_DOMCTL	36
#define GET_POOL		85
#define SET_POOL		86

struct domctl {
	uint32_t cmd;
	uint32_t version;
	uint16_t domid;
	uint16_t pad[3];
	union {
		uint64_t bytes;
		uint8_t room[128];
	} u;
};

struct hypercall {
	uint64_t op;
	uint64_t arg[5];
};

#define HYPERCALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct hypercall))

static struct domctl *op;

/* The interface has a version, which has to be the right one. */
static int domctl(int fd, uint32_t cmd, unsigned long domid, uint64_t bytes)
{
	struct hypercall call = { HYPERVISOR_DOMCTL, { (uintptr_t)op } };
	uint32_t version;
	int status = -1;

	for (version = 0x15; version < 0x20 && status; version++) {
		memset(op, 0, sizeof(*op));
		op->cmd = cmd;
		op->version = version;
		op->domid = domid;
		op->u.bytes = bytes;
		status = ioctl(fd, HYPERCALL, &call);
		if (status && errno != EACCES)
			break;
	}
	return status;
}

int main(int argc, char **argv)
{
	unsigned long domid;
	int fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);

	if (argc < 2 || fd < 0) {
		fprintf(stderr, "Usage, in Dom0: starver DOMID [BYTES]\n");
		return 2;
	}
	op = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	domid = strtoul(argv[1], NULL, 10);
	if (op == MAP_FAILED || domctl(fd, GET_POOL, domid, 0)) {
		perror("starver: the size");
		return 1;
	}
	printf("%llu\n", (unsigned long long)op->u.bytes);
	if (argc > 2 && domctl(fd, SET_POOL, domid, strtoull(argv[2], NULL, 10)) && errno != ENOMEM) {
		perror("starver: setting it");
		return 1;
	}
	return 0;
}
