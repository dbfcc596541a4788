// SPDX-License-Identifier: GPL-2.0
/*
 * A front-end that misbehaves, in user space. It offers a page and an event
 * channel to Dom0 and prints "RING-REF EVENT-CHANNEL"; who runs it publishes
 * them in xenstore. Once /run/go exists it breaks the protocol in the way its
 * argument names, and keeps the page until it is killed.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* As in <xen/gntalloc.h> and <xen/evtchn.h>. */
struct gntalloc_alloc_gref {
	uint16_t domid;
	uint16_t flags;
	uint32_t count;
	uint64_t index;
	uint32_t gref;
};
#define GNTALLOC_FLAG_WRITABLE	1
#define GNTALLOC_ALLOC_GREF	_IOC(_IOC_NONE, 'G', 5, sizeof(struct gntalloc_alloc_gref))
#define EVTCHN_BIND_UNBOUND_PORT _IOC(_IOC_NONE, 'E', 2, sizeof(uint32_t))
#define EVTCHN_NOTIFY		_IOC(_IOC_NONE, 'E', 4, sizeof(uint32_t))

/* The lane to Dom0: see Documentation/protocol.rst. */
#define UP_PRODUCER	0
#define DOWN_CONSUMER	192
#define UP_SLOTS	2048
#define MESSAGE		64

enum { REQUEST = 1, RELEASE, OFFERED, TOOK, STATS };

static uint8_t *page;
static uint32_t produced;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void set_index(unsigned int offset, uint32_t value)
{
	__atomic_store_n((uint32_t *)(page + offset), value, __ATOMIC_RELEASE);
}

static uint8_t *send(uint32_t kind, uint32_t id, uint64_t first)
{
	uint8_t *slot = page + UP_SLOTS + (produced % 32) * MESSAGE;

	memset(slot, 0, MESSAGE);
	memcpy(slot, &kind, 4);
	memcpy(slot + 4, &id, 4);
	memcpy(slot + 8, &first, 8);
	produced++;
	return slot;
}

static void index_ahead(void) { produced = 33; }
static void index_behind(void) { produced = (uint32_t)-1; }
static void consumer_ahead(void) { set_index(DOWN_CONSUMER, 1000); send(REQUEST, 1, 1); }
static void unknown_kind(void) { send(99, 1, 1); }
static void kind_zero(void) { send(0, 1, 1); }
static void padding(void) { send(RELEASE, 1, 1)[MESSAGE - 1] = 1; }
static void no_pages(void) { send(REQUEST, 1, 0); }
static void absurd_pages(void) { send(REQUEST, 1, 1ULL << 40); }
static void all_pages(void) { send(REQUEST, 1, ~0ULL); }
static void id_zero(void) { send(REQUEST, 0, 1); }
static void foreign_id(void) { send(REQUEST, 0x80000001, 1); }
static void offered_unasked(void) { send(OFFERED, 0x80000001, 1); }
static void took_unasked(void) { send(TOOK, 0x80000001, 1); }
static void release_unfreed(void) { send(RELEASE, 1, 1024); }

static const struct {
	const char *name;
	void (*commit)(void);
} crimes[] = {
	{ "index-ahead", index_ahead },
	{ "index-behind", index_behind },
	{ "consumer-ahead", consumer_ahead },
	{ "unknown-kind", unknown_kind },
	{ "kind-zero", kind_zero },
	{ "padding", padding },
	{ "no-pages", no_pages },
	{ "absurd-pages", absurd_pages },
	{ "all-pages", all_pages },
	{ "id-zero", id_zero },
	{ "foreign-id", foreign_id },
	{ "offered-unasked", offered_unasked },
	{ "took-unasked", took_unasked },
	{ "release-unfreed", release_unfreed },
};

static void (*find(const char *name))(void)
{
	for (size_t i = 0; i < sizeof(crimes) / sizeof(crimes[0]); i++)
		if (!strcmp(name, crimes[i].name))
			return crimes[i].commit;
	fprintf(stderr, "badfront: no crime called %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	struct gntalloc_alloc_gref grant = { .flags = GNTALLOC_FLAG_WRITABLE, .count = 1 };
	uint32_t remote = 0;
	int gntalloc, evtchn, port;
	void (*commit)(void);

	if (argc != 2) {
		fprintf(stderr, "Usage: badfront CRIME\n");
		return 2;
	}
	commit = find(argv[1]);

	gntalloc = open("/dev/xen/gntalloc", O_RDWR);
	if (gntalloc < 0 || ioctl(gntalloc, GNTALLOC_ALLOC_GREF, &grant))
		die("gntalloc");
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, gntalloc, grant.index);
	if (page == MAP_FAILED)
		die("mmap");
	memset(page, 0, 4096);

	evtchn = open("/dev/xen/evtchn", O_RDWR);
	if (evtchn < 0)
		die("evtchn");
	port = ioctl(evtchn, EVTCHN_BIND_UNBOUND_PORT, &remote);
	if (port < 0)
		die("bind");
	printf("%u %d\n", grant.gref, port);
	fflush(stdout);

	while (access("/run/go", F_OK))
		usleep(100000);
	commit();
	set_index(UP_PRODUCER, produced);
	remote = port;
	if (ioctl(evtchn, EVTCHN_NOTIFY, &remote))
		die("notify");
	for (;;)
		pause();
}
