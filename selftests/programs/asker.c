// SPDX-License-Identifier: GPL-2.0
/*
 * asker: a program that asks for memory by /dev/cmm, in a DomU.
 *
 * It does what the lines of its input say, one after the other, and prints what came
 * of each, or the error, until they end. What it holds then it does not give back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xen_cmm.h"

static const char usage[] =
	"Usage: asker <COMMANDS     in a DomU\n"
	"\n"
	"ask KIB US     asks for so much by then; prints what came, and the reason's number\n"
	"blind KIB      asks where the answer cannot be written; prints the error\n"
	"give KIB       gives back; prints how much went back\n"
	"held           prints what it holds\n"
	"poll MS        waits until memory runs short; prints 1 if it does, and 0 if not\n"
	"alarm MS       has a signal come after that\n"
	"odd            gives commands that there are not, and one with a bad address; prints the errors\n"
	"die            is killed\n";

static int result(int status)
{
	if (status < 0)
		printf("error %s\n", strerrorname_np(errno));
	return status;
}

static void ask(int device, unsigned long long kib, unsigned long long us)
{
	struct cmm_ask ask = { .wanted_kb = kib, .deadline_us = us };

	if (result(ioctl(device, CMM_ASK, &ask)) == 0)
		printf("%llu %llu\n", ask.got_kb, ask.reason);
}

static void ask_blindly(int device, unsigned long long kib)
{
	struct cmm_ask *ask = mmap(NULL, sizeof(*ask), PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ask == MAP_FAILED)
		return;
	ask->wanted_kb = kib;
	mprotect(ask, sizeof(*ask), PROT_READ);
	result(ioctl(device, CMM_ASK, ask));
}

static void give(int device, unsigned long long kib)
{
	struct cmm_give_back give = { .wanted_kb = kib };

	if (result(ioctl(device, CMM_GIVE_BACK, &give)) == 0)
		printf("%llu\n", give.given_kb);
}

static void held(int device)
{
	__u64 kib;

	if (result(ioctl(device, CMM_HELD, &kib)) == 0)
		printf("%llu\n", kib);
}

static void wait_for_pressure(int device, int ms)
{
	struct pollfd waits = { .fd = device, .events = POLLPRI };

	if (result(poll(&waits, 1, ms)) >= 0)
		printf("%d\n", !!(waits.revents & POLLPRI));
}

static void odd(int device)
{
	result(ioctl(device, _IO(0xd5, 1), 0));
	result(ioctl(device, _IOWR(0xd5, 99, struct cmm_ask), 0x10));
	result(ioctl(device, _IOWR(0xd5, 1, char[9000]), 0x10));
	result(ioctl(device, _IOWR(0xd5, 1, char[31]), 0x10));
	result(ioctl(device, CMM_ASK, 0x10));
	result(ioctl(device, CMM_HELD, 0x10));
}

static void ignore(int number) { (void)number; }

static void set_alarm(unsigned int ms)
{
	struct sigaction action = { .sa_handler = ignore };

	sigaction(SIGALRM, &action, NULL);
	ualarm(ms * 1000, 0);
}

int main(int argc, char *argv[])
{
	unsigned long long first, second;
	char line[100], word[20];
	int device;

	if (argc > 1) {
		fputs(usage, strcmp(argv[1], "--help") ? stderr : stdout);
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	device = open(CMM_DEVICE, O_RDWR);
	if (device < 0) {
		result(device);
		return 1;
	}
	setlinebuf(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		first = second = 0;
		if (sscanf(line, "%19s %llu %llu", word, &first, &second) < 1)
			continue;
		if (!strcmp(word, "ask"))
			ask(device, first, second);
		else if (!strcmp(word, "blind"))
			ask_blindly(device, first);
		else if (!strcmp(word, "give"))
			give(device, first);
		else if (!strcmp(word, "held"))
			held(device);
		else if (!strcmp(word, "poll"))
			wait_for_pressure(device, first);
		else if (!strcmp(word, "alarm"))
			set_alarm(first);
		else if (!strcmp(word, "odd"))
			odd(device);
		else if (!strcmp(word, "die"))
			kill(getpid(), SIGKILL);
		else
			fputs(usage, stderr);
	}
	return 0;
}
