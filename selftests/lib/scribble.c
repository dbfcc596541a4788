// SPDX-License-Identifier: GPL-2.0
/*
 * scribble DOMAIN REF: in Dom0, fills a page that the domain has granted with noise.
 * To the domain it is a Dom0 gone mad, to Dom0 a mad domain.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* As in <xen/gntdev.h>. */
struct gntdev_map_grant_ref {
	uint32_t count;
	uint32_t pad;
	uint64_t index;
	uint32_t domid;
	uint32_t ref;
};
#define GNTDEV_MAP_GRANT_REF	_IOC(_IOC_NONE, 'G', 0, sizeof(struct gntdev_map_grant_ref))

#define PAGE	4096

int main(int argc, char **argv)
{
	struct gntdev_map_grant_ref map = { .count = 1 };
	int fd = open("/dev/xen/gntdev", O_RDWR);
	uint32_t noise = 1;
	uint32_t *page;
	int i;

	if (argc != 3) {
		fputs("Usage: scribble DOMAIN REF\n", stderr);
		return 2;
	}
	map.domid = atoi(argv[1]);
	map.ref = atoi(argv[2]);
	if (fd < 0 || ioctl(fd, GNTDEV_MAP_GRANT_REF, &map)) {
		perror("gntdev");
		return 1;
	}
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, map.index);
	if (page == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (i = 0; i < PAGE / 4; i++) {
		noise = noise * 1664525 + 1013904223;
		page[i] = noise;
	}
	return 0;
}
