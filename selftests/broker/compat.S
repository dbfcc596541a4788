/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A 32-bit PVH kernel that asks Xen for XENMEM_cmm, and powers off if the answer is
 * -ENOSYS; if not, it says that it has crashed.
 */
#define MEMORY_OP	12
#define SCHED_OP	29
#define XENMEM_CMM	63
#define SHUTDOWN	2
#define CRASH		3
#define ENOSYS		38
#define HYPERCALLS	0x40000002

	.section .note.Xen, "a", @note
	.long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long _start

	.text
	.globl _start
_start:
	mov $stack, %esp
	mov $HYPERCALLS, %eax
	cpuid
	mov %ebx, %ecx
	mov $page, %eax
	xor %edx, %edx
	wrmsr
	mov $XENMEM_CMM, %ebx
	mov $request, %ecx
	call page + MEMORY_OP * 32
	cmp $-ENOSYS, %eax
	je 1f
	movl $CRASH, reason
1:	mov $SHUTDOWN, %ebx
	mov $reason, %ecx
	call page + SCHED_OP * 32
2:	hlt
	jmp 2b

	.data
	.balign 4096
page:	.fill 4096
	.fill 1024
stack:
request:
	.fill 128
reason:	.long 0
