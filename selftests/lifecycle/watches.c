// SPDX-License-Identifier: GPL-2.0
/*
 * Sets watches of xenstore's until the domain may set no more, prints how many
 * those were, and keeps them. With the argument "on" it tries on and on, so that
 * any place is taken that somebody leaves.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As in <xen/io/xs_wire.h>. */
#define XS_WATCH	4

struct xsd_sockmsg {
	uint32_t type;
	uint32_t req_id;
	uint32_t tx_id;
	uint32_t len;
};

#define MOST		100000

/* Everybody may watch that, and nobody writes it. */
static const char node[] = "domid";

static int watch(int store, unsigned int number)
{
	struct {
		struct xsd_sockmsg header;
		char body[64];
	} message = { .header = { .type = XS_WATCH } };
	int token;

	memcpy(message.body, node, sizeof(node));
	token = snprintf(message.body + sizeof(node), sizeof(message.body) - sizeof(node),
			 "%u", number);
	message.header.len = sizeof(node) + token + 1;
	return write(store, &message, sizeof(message.header) + message.header.len) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	int goes_on = argc > 1 && !strcmp(argv[1], "on");
	int store = open("/dev/xen/xenbus", O_RDWR);
	unsigned int set = 0;
	int err = 0;

	if (store < 0) {
		perror("/dev/xen/xenbus");
		return 1;
	}
	while (!err && set < MOST) {
		err = watch(store, set);
		if (!err)
			set++;
	}
	printf("%u watches, then: %s\n", set, strerror(-err));
	fflush(stdout);
	while (goes_on)
		watch(store, set++);
	for (;;)
		pause();
}
