// SPDX-License-Identifier: GPL-2.0
/*
 * lent: a file from the lab's Dom0 to a DomU, through memory that the DomU grants. By its console
 * it would take xenconsoled a hundred times as long, 80 bytes at a time.
 *
 *   lent wait SIZE FILE   in the DomU: prints the references of the grants, and leaves a process
 *                         behind that writes FILE once somebody has opened FILE.come for writing
 *   lent fill DOMID FILE  in Dom0: reads references, and puts FILE where they are
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xen/gntalloc.h>

/* Xen's, which the next header takes for granted. */
typedef uint32_t grant_ref_t;
typedef uint16_t domid_t;
#include <xen/gntdev.h>

#define PAGE		4096
/* What xen-gntalloc has at most. */
#define MOST		1024

static void die(const char *what)
{
	fprintf(stderr, "lent: %s: ", what);
	perror(NULL);
	exit(1);
}

static char *map(int fd, uint64_t offset, size_t pages)
{
	char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

static void write_file(const char *path, const char *from, size_t size)
{
	FILE *file = fopen(path, "w");

	if (!file || fwrite(from, 1, size, file) != size || fclose(file) != 0)
		die(path);
}

static void wait_for(size_t size, const char *path)
{
	struct ioctl_gntalloc_alloc_gref *request = calloc(1, sizeof(*request) + MOST * sizeof(uint32_t));
	size_t pages = (size + PAGE - 1) / PAGE, i;
	int fd = open("/dev/xen/gntalloc", O_RDWR);
	char come[256], *at;

	if (fd < 0 || !request)
		die("/dev/xen/gntalloc");
	request->flags = GNTALLOC_FLAG_WRITABLE;
	request->count = pages;
	if (pages > MOST || ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, request) != 0)
		die("grants");
	at = map(fd, request->index, pages);
	snprintf(come, sizeof(come), "%s.come", path);
	if (mkfifo(come, 0600) != 0)
		die(come);
	for (i = 0; i < pages; i++)
		printf("%u\n", request->gref_ids_flex[i]);
	fflush(stdout);
	if (fork() != 0)
		return;
	/* Until somebody opens it, too. */
	if (open(come, O_RDONLY) < 0)
		die(come);
	write_file(path, at, size);
	unlink(come);
}

static void fill(uint32_t domid, const char *path)
{
	struct ioctl_gntdev_map_grant_ref *request = calloc(1, sizeof(*request) + MOST * sizeof(*request->refs));
	int fd = open("/dev/xen/gntdev", O_RDWR), file = open(path, O_RDONLY);
	size_t size = 0;
	ssize_t n;
	char *at;

	if (fd < 0 || !request)
		die("/dev/xen/gntdev");
	if (file < 0)
		die(path);
	while (request->count < MOST && scanf("%u", &request->refs[request->count].ref) == 1)
		request->refs[request->count++].domid = domid;
	if (ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, request) != 0)
		die("grants");
	at = map(fd, request->index, request->count);
	while ((n = read(file, at + size, request->count * PAGE - size)) > 0)
		size += n;
	if (n < 0 || size == 0)
		die(path);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "wait") == 0) {
		wait_for(strtoul(argv[2], NULL, 0), argv[3]);
	} else if (argc == 4 && strcmp(argv[1], "fill") == 0) {
		fill(strtoul(argv[2], NULL, 0), argv[3]);
	} else {
		fputs("Usage: lent wait SIZE FILE | lent fill DOMID FILE\n", stderr);
		return 2;
	}
	return 0;
}
