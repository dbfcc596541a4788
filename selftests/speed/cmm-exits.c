// SPDX-License-Identifier: GPL-2.0
/*
 * What instructions take that Xen does for a PVH domain. Each is run as it is, and
 * with two prefixes that mean nothing: it is longer then, and if Xen is told
 * another length, the domain goes on in the middle of an instruction.
 *
 * Loading the module runs it and prints a line an instruction, with the ns that it
 * takes at least, as it is and with prefixes:
 *	cmm-exits: INSTRUCTION NS NS
 */
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <asm/msr-index.h>
#include <xen/interface/xen.h>
#include <xen/xen.h>

#undef pr_fmt
#define pr_fmt(fmt) "cmm-exits: " fmt

#define TIMES		20
#define PREFIXES	".byte 0x2e, 0x48\n\t"	/* segment CS, REX.W */

/* What the instruction finds in these registers; it may leave there what it likes. */
struct registers {
	unsigned long ax, cx, dx, di;
};

/* How often the instruction behind was executed. */
static unsigned int reached;

#define DEFINE_RUN(name, text)								\
static void name(struct registers *r)							\
{											\
	asm volatile(text "\n\tincl %[reached]"						\
		     : "+a"(r->ax), "+c"(r->cx), "+d"(r->dx), "+D"(r->di),		\
		       [reached] "+m"(reached)						\
		     : "S"(0) : "rbx", "cc", "memory");					\
}

#define DEFINE_RUNS(name, text)								\
DEFINE_RUN(run_##name, text)								\
DEFINE_RUN(run_long_##name, PREFIXES text)

DEFINE_RUNS(vmmcall, "vmmcall")
DEFINE_RUNS(cpuid, "cpuid")
DEFINE_RUNS(rdmsr, "rdmsr")
DEFINE_RUNS(wrmsr, "wrmsr")
DEFINE_RUNS(wbinvd, "wbinvd")
DEFINE_RUNS(hlt, "hlt")

struct exit {
	const char *name;
	void (*run)(struct registers *r);
	void (*run_long)(struct registers *r);
	struct registers registers;
	bool waits;	/* for an interrupt */
};

/* The second argument of the hypercall, in RSI, is always nothing. */
static const struct exit exits[] = {
	{ "vmmcall", run_vmmcall, run_long_vmmcall, { .ax = __HYPERVISOR_xen_version } },
	{ "cpuid", run_cpuid, run_long_cpuid },
	{ "rdmsr", run_rdmsr, run_long_rdmsr, { .cx = MSR_IA32_APICBASE } },
	{ "wrmsr", run_wrmsr, run_long_wrmsr, { .cx = MSR_IA32_MCG_STATUS } },
	{ "wbinvd", run_wbinvd, run_long_wbinvd },
	{ "hlt", run_hlt, run_long_hlt, .waits = true },
};

static u64 least(const struct exit *exit, void (*run)(struct registers *r))
{
	u64 best = U64_MAX, begin;
	unsigned int i;

	for (i = 0; i < TIMES; i++) {
		struct registers registers = exit->registers;

		if (!exit->waits)
			local_irq_disable();
		begin = ktime_get_ns();
		run(&registers);
		best = min(best, ktime_get_ns() - begin);
		if (!exit->waits)
			local_irq_enable();
	}
	return best;
}

static int __init cmm_exits_init(void)
{
	const struct exit *exit;
	u64 plain, longer;

	if (!xen_pvh_domain())
		return -ENODEV;

	for (exit = exits; exit < exits + ARRAY_SIZE(exits); exit++) {
		reached = 0;
		plain = least(exit, exit->run);
		longer = least(exit, exit->run_long);
		if (reached != 2 * TIMES) {
			pr_err("%s returned to its next instruction %u times of %u\n", exit->name,
			       reached, 2 * TIMES);
			return -EIO;
		}
		pr_info("%s %llu %llu\n", exit->name, plain, longer);
	}
	return 0;
}
module_init(cmm_exits_init);

static void __exit cmm_exits_exit(void)
{
}
module_exit(cmm_exits_exit);

MODULE_DESCRIPTION("Measures instructions that Xen does for a PVH domain");
MODULE_AUTHOR("The xen-cmm authors");
MODULE_LICENSE("GPL");
