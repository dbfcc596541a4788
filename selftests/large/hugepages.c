// SPDX-License-Identifier: GPL-2.0
/* hugepages: uses so many of the huge pages that a domain has put aside. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SIZE (2UL << 20)

int main(int argc, char *argv[])
{
	unsigned long i, count = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	char *memory;

	if (!count) {
		fputs("Usage: hugepages COUNT\n", stderr);
		return 2;
	}
	memory = mmap(NULL, count * SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (memory == MAP_FAILED) {
		perror("hugepages");
		return 1;
	}
	for (i = 0; i < count; i++)
		memory[i * SIZE] = 1;
	printf("%lu\n", count);
	return 0;
}
