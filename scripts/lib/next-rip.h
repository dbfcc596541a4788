/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The address of the next instruction, for a hypervisor in QEMU's emulation of AMD's virtualisation
 * ("next RIP save"; AMD64 Architecture Programmer's Manual, volume 2, 15.7.1 and 15.20). A part of
 * svm_helper.c: emulator-inside puts it there.
 */

QEMU_BUILD_BUG_ON(offsetof(struct vmcb, control.next_rip) != 0xc8);

static bool has_next_rip(CPUX86State *env)
{
	return env->features[FEAT_SVM] & CPUID_SVM_NRIPSAVE;
}

/*
 * Called on each exit, when the state of the instruction that caused it has been restored: saves
 * the address behind it. An exit that no instruction asked for has none: that is zero.
 */
static void save_next_rip(CPUX86State *env, uint64_t exit_code)
{
	uint64_t next_rip = 0;

	if (!has_next_rip(env))
		return;
	switch (exit_code) {
	/* Control and debug registers, all 16 of each, read and written. */
	case SVM_EXIT_READ_CR0 ... SVM_EXIT_EXCP_BASE - 1:
	/* The exceptions that instructions are there to cause: INT3, INTO, BOUND. */
	case SVM_EXIT_EXCP_BASE + EXCP03_INT3 ... SVM_EXIT_EXCP_BASE + EXCP05_BOUND:
	/* Descriptor tables, RDTSC, CPUID, IRET, INT n, HLT, INVLPG, I/O, MSRs ... */
	case SVM_EXIT_CR0_SEL_WRITE ... SVM_EXIT_MSR:
	/* Those of virtualisation, VMMCALL among them, RDTSCP, ICEBP, WBINVD, MWAIT ... */
	case SVM_EXIT_VMRUN ... SVM_EXIT_XSETBV:
		next_rip = env->eip + env->insn_len;
	}
	x86_stq_phys(env_cpu(env), env->vm_vmcb + offsetof(struct vmcb, control.next_rip), next_rip);
}

/*
 * The event that is being injected is an instruction's, INT n, INT3 or INTO: it needs the gate's
 * permission, and returns to the address that the hypervisor has left, behind the instruction.
 * Without next RIP save, a hypervisor checks and moves RIP itself.
 */
static void trap_to_next_rip(CPUX86State *env)
{
	if (!has_next_rip(env))
		return;
	env->exception_is_int = 1;
	env->exception_next_eip = x86_ldq_phys(env_cpu(env), env->vm_vmcb +
					       offsetof(struct vmcb, control.next_rip));
}
