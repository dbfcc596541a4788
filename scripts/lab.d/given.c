// SPDX-License-Identifier: GPL-2.0
/*
 * given: prints what the host has given to the lab's Dom0 under a name, and waits for that if
 * it is not there yet.
 *
 * It is in QEMU's fw_cfg, which is read from Dom0's own instructions: the exact clock then says
 * the same each time. The kernel's driver of it does so by DMA, which a PV domain cannot.
 *
 * Waiting keeps the CPU busy. Were it idle, the exact clock would be far ahead before the host
 * has looked up; and the host may stop the machine meanwhile, and have it go on elsewhere,
 * without the guests' noticing.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <time.h>

/* QEMU's docs/specs/fw_cfg.rst: the registers, the directory's key, and an entry of it. */
#define SELECTOR	0x510
#define DATA		0x511
#define DIRECTORY	0x19

struct entry {
	uint32_t size;
	uint16_t key;
	uint16_t reserved;
	char name[56];
};

#define ROUND_NS	200000000L
/* So long that only a host that is very busy takes longer to stop the machine. */
#define ROUNDS		300

static void read_all(void *to, size_t size)
{
	insb(DATA, to, size);
}

/* Finds NAME; what is read next is what is in it. Returns its size, or -1. */
static long find(const char *name)
{
	struct entry entry;
	uint32_t count;

	outw(DIRECTORY, SELECTOR);
	read_all(&count, sizeof(count));
	for (count = __builtin_bswap32(count); count > 0; count--) {
		read_all(&entry, sizeof(entry));
		entry.name[sizeof(entry.name) - 1] = 0;
		if (strcmp(entry.name, name) == 0) {
			outw(__builtin_bswap16(entry.key), SELECTOR);
			return __builtin_bswap32(entry.size);
		}
	}
	return -1;
}

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void spin(void)
{
	long end = now_ns() + ROUND_NS;

	while (now_ns() < end)
		;
}

int main(int argc, char **argv)
{
	long size, round;
	char *all;

	if (argc != 2) {
		fputs("Usage: given NAME\n", stderr);
		return 2;
	}
	if (iopl(3) != 0) {
		perror("given: iopl");
		return 1;
	}
	for (round = 0; (size = find(argv[1])) < 0; round++) {
		if (round == ROUNDS) {
			fprintf(stderr, "given: nobody gives %s\n", argv[1]);
			return 1;
		}
		spin();
	}
	all = malloc(size + 1);
	if (!all) {
		perror("given");
		return 1;
	}
	/* Xen, which reads for us, has lost what it had read when it meets a page that is not there. */
	memset(all, 0xff, size);
	read_all(all, size);
	if (fwrite(all, 1, size, stdout) != (size_t)size || fflush(stdout) != 0) {
		perror("given");
		return 1;
	}
	return 0;
}
