// SPDX-License-Identifier: GPL-2.0
/*
 * holder DOMID READY STOP REF...: maps a domain's grants, makes the file READY, and
 * keeps them mapped until there is a file STOP.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

struct grant {
	uint32_t domid;
	uint32_t ref;
};

struct map_grant {
	uint32_t count;
	uint32_t pad;
	uint64_t index;
	struct grant grant;
};

#define MAP_GRANT _IOC(_IOC_NONE, 'G', 0, sizeof(struct map_grant))
#define PAGE 4096

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	int fd, ready, i;

	if (argc < 5) {
		fprintf(stderr, "Usage: holder DOMID READY STOP REF...\n");
		return 2;
	}
	fd = open("/dev/xen/gntdev", O_RDWR);
	if (fd < 0)
		fail("/dev/xen/gntdev");
	for (i = 4; i < argc; i++) {
		struct map_grant map = {
			.count = 1,
			.grant = { strtoul(argv[1], NULL, 10), strtoul(argv[i], NULL, 10) },
		};
		volatile char *page;

		if (ioctl(fd, MAP_GRANT, &map))
			fail("MAP_GRANT_REF");
		page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, map.index);
		if (page == MAP_FAILED)
			fail("mmap");
		page[0] = 1;
	}
	ready = open(argv[2], O_CREAT | O_WRONLY, 0644);
	if (ready < 0)
		fail(argv[2]);
	close(ready);
	while (access(argv[3], F_OK))
		usleep(100000);
	return 0;
}
