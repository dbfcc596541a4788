// SPDX-License-Identifier: GPL-2.0
/*
 * A front-end that means harm. It connects like any other, and then commits the
 * crime that data/crime names in xenstore, from a thread, until its device is taken
 * away, when it removes that node. Two crimes, with a + between their names, are
 * committed at once, and in each other's way.
 *
 * What can be done with nodes alone, or from user space, is in badinput.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/string.h>
#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <xen/xenbus.h>
#include <asm/xen/hypervisor.h>

#undef pr_fmt
#define pr_fmt(fmt) "cmm-hostile: " fmt

/* The shared page: see Documentation/protocol.rst. */
#define UP_PROD		0
#define DOWN_PROD	128
#define DOWN_CONS	192
#define DOWN_SLOTS	1024
#define UP_SLOTS	2048
#define MESSAGE		64
#define OUR_IDS		0x7fffffffU
#define EMERGENCY	2

enum up { REQUEST = 1, RELEASE, OFFERED, TOOK, STATS, DREW };
enum down { GRANT = 1, RECLAIM };

static char *crimes_wanted[2];
static u8 *page;
static int ref;
static evtchn_port_t port;
static int irq;
static struct task_struct *threads[ARRAY_SIZE(crimes_wanted)];
static struct xenbus_device *device;
static u32 produced, consumed;

static void set_index(unsigned int at, u32 value)
{
	smp_store_release((u32 *)(page + at), value);
}

static u32 get_index(unsigned int at)
{
	return smp_load_acquire((u32 *)(page + at));
}

/* A message, in place but not published. */
static u64 *put(u32 kind, u32 id, u64 pages)
{
	u8 *slot = page + UP_SLOTS + (produced++ % 32) * MESSAGE;

	memset(slot, 0, MESSAGE);
	memcpy(slot, &kind, 4);
	memcpy(slot + 4, &id, 4);
	memcpy(slot + 8, &pages, 8);
	return (u64 *)slot;
}

static void publish(void)
{
	set_index(UP_PROD, produced);
	notify_remote_via_irq(irq);
}

static void say(u32 kind, u32 id, u64 pages)
{
	put(kind, id, pages);
	publish();
}

/* The next message of a kind; its id and pages. Others are passed over. */
static bool hear(u32 kind, u32 *id, u64 *pages)
{
	while (!kthread_should_stop()) {
		u8 *slot = page + DOWN_SLOTS + (consumed % 16) * MESSAGE;
		u32 found;

		if (get_index(DOWN_PROD) == consumed) {
			usleep_range(500, 1000);
			continue;
		}
		memcpy(&found, slot, 4);
		memcpy(id, slot + 4, 4);
		memcpy(pages, slot + 8, 8);
		set_index(DOWN_CONS, ++consumed);
		if (found == kind)
			return true;
	}
	return false;
}

static void swallow(void)
{
	consumed = get_index(DOWN_PROD);
	set_index(DOWN_CONS, consumed);
}

/* An index that says what is impossible, some time after all was well. */
static void set_later(unsigned int at, u32 value)
{
	msleep(100);
	set_index(at, value);
	notify_remote_via_irq(irq);
}

static void index_jumps(void)
{
	say(REQUEST, 1, 1);
	set_later(UP_PROD, 0x80000000);
}

static void index_returns(void)
{
	say(REQUEST, 1, 1);
	set_later(UP_PROD, 0);
}

static void consumer_returns(void)
{
	u32 id;
	u64 pages;

	/* Dom0 looks at the index when it has something to say. */
	say(REQUEST, 1, 1);
	if (!hear(GRANT, &id, &pages))
		return;
	set_index(DOWN_CONS, 0);
	say(REQUEST, 2, 1);
}

static void consumer_runs(void)
{
	set_index(DOWN_CONS, get_index(DOWN_PROD) + 1);
	say(REQUEST, 1, 1);
}

/* Few enough to be granted. A request stays open until its Took, which never comes. */
#define SOME	64

static void same_id_twice(void)
{
	put(REQUEST, 7, SOME);
	say(REQUEST, 7, SOME);
}

static void nine_requests(void)
{
	u32 id;

	for (id = 1; id <= 9; id++)
		put(REQUEST, id, SOME);
	publish();
}

static void reason_unknown(void)
{
	put(REQUEST, 1, 1)[3] = 3;
	publish();
}

static void stats_absurd(void)
{
	u64 *message = put(STATS, 0, ~0ULL);

	message[2] = ~0ULL;
	publish();
}

static void stats_with_id(void) { say(STATS, 1, 1); }
static void drew_uncredited(void) { say(DREW, 1, 1); }
static void release_all(void) { say(RELEASE, 1, 1 << 28); }

/* Answers to a Grant that was asked for. */
static bool granted(u32 *id, u64 *pages)
{
	say(REQUEST, 1, SOME);
	return hear(GRANT, id, pages);
}

static void took_excess(void)
{
	u32 id;
	u64 pages;

	if (granted(&id, &pages))
		say(TOOK, id, pages + 1);
}

static void took_twice(void)
{
	u32 id;
	u64 pages;

	if (!granted(&id, &pages))
		return;
	put(TOOK, id, 0);
	say(TOOK, id, 0);
}

static void offered_for_grant(void)
{
	u32 id;
	u64 pages;

	if (granted(&id, &pages))
		say(OFFERED, id, 0);
}

/* Answers to a Reclaim, for which Dom0 has to ask (take_kb). */
static void offered_excess(void)
{
	u32 id;
	u64 pages;

	if (hear(RECLAIM, &id, &pages))
		say(OFFERED, id, pages + 1);
}

static void offered_unfreed(void)
{
	u32 id;
	u64 pages;

	if (hear(RECLAIM, &id, &pages))
		say(OFFERED, id, pages);
}

static void offered_twice(void)
{
	u32 id;
	u64 pages;

	if (!hear(RECLAIM, &id, &pages))
		return;
	put(OFFERED, id, 0);
	say(OFFERED, id, 0);
}

static void took_for_reclaim(void)
{
	u32 id;
	u64 pages;

	if (hear(RECLAIM, &id, &pages))
		say(TOOK, id, 0);
}

/* Lets others' memory wait for it, and never takes it. */
static void never_takes(void)
{
	say(REQUEST, 1, 2048);
	while (!kthread_should_stop()) {
		swallow();
		msleep(20);
	}
}

/*
 * Wants all there is, in as many requests as it may have open, and calls it an
 * emergency. It says that it took what it got, and gives that back after a while.
 */
static void greedy(void)
{
	u64 pages = 0;
	u32 id;

	for (id = 1; id <= 8; id++) {
		u64 *message = put(REQUEST, id, 1 << 20);

		message[2] = 60000000;
		message[3] = EMERGENCY;
	}
	publish();
	while (!pages)
		if (!hear(GRANT, &id, &pages))
			return;
	say(TOOK, id, pages);
	msleep(5000);
	say(RELEASE, 1, pages);
}

/* Answers what it was granted with nothing, and does so again and again. */
static void flood_requests(void)
{
	u32 id = 0, answered;
	u64 pages;

	while (!kthread_should_stop()) {
		id = (id & OUR_IDS) + 1;
		say(REQUEST, id, 1 + id % 64);
		if (hear(GRANT, &answered, &pages) && pages)
			say(TOOK, answered, 0);
	}
}

/* Asks for an extent and gives it back, as fast as others can give it and have it again. */
static void turns_over(void)
{
	u32 id = 0, answered;
	u64 pages;

	while (!kthread_should_stop()) {
		id = (id & OUR_IDS) + 1;
		say(REQUEST, id, 512);
		if (!hear(GRANT, &answered, &pages) || !pages)
			continue;
		put(TOOK, answered, pages);
		say(RELEASE, 1, pages);
	}
}

/* Says that it could spare everything, as fast as it can be read. */
static void flood_stats(void)
{
	while (!kthread_should_stop()) {
		u64 *message = put(STATS, 0, 1 << 14);

		message[2] = message[3] = 1 << 15;
		publish();
		swallow();
		while (produced - get_index(64) >= 32 && !kthread_should_stop())
			cond_resched();
	}
}

/* The lane is always full, and events come as fast as they can. */
static void flood_both(void)
{
	while (!kthread_should_stop()) {
		while (produced - get_index(64) < 32) {
			u64 *message = put(STATS, 0, 1 << 14);

			message[2] = message[3] = 1 << 15;
		}
		publish();
		swallow();
		cond_resched();
	}
}

/* One message an event, and the next as soon as that has been read. */
static void flood_singles(void)
{
	while (!kthread_should_stop()) {
		if (produced == get_index(64)) {
			u64 *message = put(STATS, 0, 1 << 14);

			message[2] = message[3] = 1 << 15;
			publish();
			swallow();
		}
		cond_resched();
	}
}

/* No crime, but the CPU that one takes. */
static void busy(void)
{
	while (!kthread_should_stop())
		cond_resched();
}

static void flood_events(void)
{
	while (!kthread_should_stop()) {
		notify_remote_via_irq(irq);
		cond_resched();
	}
}

/* Asks for too much, which is answered at once, and reads no answer. */
static void never_reads(void)
{
	u32 id;

	for (id = 1; id < 100 && !kthread_should_stop(); id++) {
		say(REQUEST, id, 1 << 27);
		msleep(20);
	}
}

static void flood_xenstore(void)
{
	unsigned int i;

	for (i = 0; !kthread_should_stop(); i++) {
		xenbus_printf(XBT_NIL, device->nodename, "balance", "%d", (int)get_random_u32());
		xenbus_printf(XBT_NIL, device->nodename, "ring-ref", "%u", i);
		xenbus_printf(XBT_NIL, device->nodename, "state", "%u", i % 10);
		xenbus_printf(XBT_NIL, device->nodename, "versions", "%u", i);
	}
}

/* Each message is another one before it has been read. */
static void change_messages(void)
{
	while (!kthread_should_stop()) {
		u64 *message = put(STATS, 0, 1);
		unsigned int i;

		publish();
		for (i = 0; i < 1000; i++) {
			WRITE_ONCE(message[0], i % 2 ? STATS : get_random_u64());
			WRITE_ONCE(message[1], i % 2 ? 1 : get_random_u64());
		}
		swallow();
	}
}

/* The whole page is noise, indexes too. */
static void scribble(void)
{
	while (!kthread_should_stop()) {
		get_random_bytes(page, PAGE_SIZE);
		notify_remote_via_irq(irq);
		msleep(1);
	}
}

/* The same reference means another page, read-only, while Dom0 has it mapped. */
static void grant_anew(void)
{
	unsigned long other = get_zeroed_page(GFP_KERNEL);
	unsigned int i;

	if (!other)
		return;
	for (i = 0; i < 1000 && !kthread_should_stop(); i++) {
		gnttab_grant_foreign_access_ref(ref, 0, virt_to_gfn((void *)other), i % 2);
		say(STATS, 0, 1);
		swallow();
		usleep_range(500, 1000);
		gnttab_grant_foreign_access_ref(ref, 0, virt_to_gfn(page), 0);
	}
}

/* What is wrong already when it connects. */
static void nothing(void) { }

static const struct {
	const char *name;
	void (*commit)(void);
} crimes[] = {
	{ "index-jumps", index_jumps },
	{ "index-returns", index_returns },
	{ "consumer-returns", consumer_returns },
	{ "consumer-runs", consumer_runs },
	{ "same-id-twice", same_id_twice },
	{ "nine-requests", nine_requests },
	{ "reason-unknown", reason_unknown },
	{ "stats-with-id", stats_with_id },
	{ "stats-absurd", stats_absurd },
	{ "drew-uncredited", drew_uncredited },
	{ "release-all", release_all },
	{ "took-excess", took_excess },
	{ "took-twice", took_twice },
	{ "offered-for-grant", offered_for_grant },
	{ "offered-excess", offered_excess },
	{ "offered-unfreed", offered_unfreed },
	{ "offered-twice", offered_twice },
	{ "took-for-reclaim", took_for_reclaim },
	{ "busy", busy },
	{ "never-takes", never_takes },
	{ "greedy", greedy },
	{ "flood-requests", flood_requests },
	{ "turns-over", turns_over },
	{ "flood-stats", flood_stats },
	{ "flood-events", flood_events },
	{ "flood-both", flood_both },
	{ "flood-singles", flood_singles },
	{ "flood-xenstore", flood_xenstore },
	{ "never-reads", never_reads },
	{ "change-messages", change_messages },
	{ "scribble", scribble },
	{ "grant-anew", grant_anew },
	{ "grant-read-only", nothing },
	{ "grant-to-another", nothing },
	{ "grant-of-xenstore", nothing },
	{ "channel-of-xenstore", nothing },
	{ "claims-loan", nothing },
	{ "connects-anew", nothing },
};

/* Whether that is one of those wanted. */
static bool is(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(crimes_wanted); i++)
		if (crimes_wanted[i] && !strcmp(crimes_wanted[i], name))
			return true;
	return false;
}

static int commit(void *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(crimes); i++)
		if (!strcmp(name, crimes[i].name))
			crimes[i].commit();
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

static irqreturn_t ignore(int irq, void *unused)
{
	return IRQ_HANDLED;
}

static int read_wanted(void)
{
	char *crime = xenbus_read(XBT_NIL, "data", "crime", NULL);

	if (IS_ERR(crime))
		return PTR_ERR(crime);
	crimes_wanted[0] = crime;
	strsep(&crime, "+");
	crimes_wanted[1] = crime;
	return 0;
}

static int connect(struct xenbus_device *dev)
{
	int published;
	int err = read_wanted();

	if (err)
		return err;
	/* The reference of the xenstore ring is always the second. */
	published = is("grant-of-xenstore") ? 1 : 0;
	page = (u8 *)get_zeroed_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	produced = 0;
	consumed = 0;
	ref = gnttab_grant_foreign_access(is("grant-to-another") ? 1 : 0, virt_to_gfn(page),
					  is("grant-read-only"));
	err = ref < 0 ? ref : xenbus_alloc_evtchn(dev, &port);
	if (err)
		return err;
	irq = bind_evtchn_to_irqhandler(port, ignore, 0, "cmm-hostile", NULL);
	if (irq < 0)
		return irq;
	xenbus_printf(XBT_NIL, dev->nodename, "ring-ref", "%d", published ?: ref);
	xenbus_printf(XBT_NIL, dev->nodename, "event-channel", "%u",
		      is("channel-of-xenstore") ? xen_store_evtchn : port);
	if (is("claims-loan"))
		xenbus_printf(XBT_NIL, dev->nodename, "balance", "%d", -(1 << 20));
	xenbus_printf(XBT_NIL, dev->nodename, "versions", "1");
	return xenbus_switch_state(dev, XenbusStateInitialised);
}

static void begin(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(threads) && crimes_wanted[i]; i++) {
		threads[i] = kthread_run(commit, crimes_wanted[i], "cmm-hostile");
		if (IS_ERR(threads[i]))
			threads[i] = NULL;
	}
}

static void end(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		if (threads[i])
			kthread_stop(threads[i]);
		threads[i] = NULL;
	}
}

/*
 * Goes as soon as it has connected, and connects as soon as it may: the page is fresh
 * again, and the channel waits again for whoever binds to it.
 */
static void connect_anew(struct xenbus_device *dev, enum xenbus_state state)
{
	if (state == XenbusStateConnected)
		xenbus_switch_state(dev, XenbusStateClosed);
	if (state == XenbusStateInitWait && page) {
		memset(page, 0, PAGE_SIZE);
		xenbus_switch_state(dev, XenbusStateInitialised);
	}
}

static void hostile_changed(struct xenbus_device *dev, enum xenbus_state state)
{
	if (is("connects-anew"))
		connect_anew(dev, state);
	if (state == XenbusStateInitWait && !page) {
		int err = connect(dev);

		if (err)
			pr_err("cannot connect: %d\n", err);
	}
	if (state == XenbusStateClosing || state == XenbusStateClosed)
		xenbus_frontend_closed(dev);
	if (state == XenbusStateConnected && !threads[0] && !is("connects-anew")) {
		xenbus_switch_state(dev, XenbusStateConnected);
		begin();
	}
}

static int hostile_probe(struct xenbus_device *dev, const struct xenbus_device_id *id)
{
	device = dev;
	return 0;
}

static void hostile_remove(struct xenbus_device *dev)
{
	end();
	if (irq > 0)
		unbind_from_irqhandler(irq, NULL);
	if (page)
		gnttab_end_foreign_access(ref, virt_to_page(page));
	page = NULL;
	/* Both are in one string. */
	kfree(crimes_wanted[0]);
	crimes_wanted[0] = crimes_wanted[1] = NULL;
	xenbus_rm(XBT_NIL, "data", "crime");
}

static const struct xenbus_device_id hostile_ids[] = { { "cmm" }, { "" } };

static struct xenbus_driver hostile_driver = {
	.ids = hostile_ids,
	.probe = hostile_probe,
	.remove = hostile_remove,
	.otherend_changed = hostile_changed,
	.not_essential = true,
};

static int __init hostile_init(void)
{
	return xenbus_register_frontend(&hostile_driver);
}

static void __exit hostile_exit(void)
{
	xenbus_unregister_driver(&hostile_driver);
}

module_init(hostile_init);
module_exit(hostile_exit);
MODULE_DESCRIPTION("A front-end that means harm");
MODULE_LICENSE("GPL");
