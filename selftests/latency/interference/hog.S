/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Burns all the CPU it gets, and does nothing else, until it is killed.
 *
 * It is the kernel of a PV domain, which is there as soon as it is created and
 * has no interrupts and no devices; and a program, for a domain that is busy.
 * Most of the loop are nops, which an emulator passes over quickly.
 */

/* An ELF note of Xen's. */
	.macro	note type, value:vararg
	.balign	4
	.long	4, 2f - 1f, \type
	.asciz	"Xen"
1:	\value
2:	.balign	4
	.endm

	.section .note.Xen, "a", @note
	note	6, .asciz "hog"		/* the guest's system */
	note	5, .asciz "xen-3.0"	/* the version of the interface */
	note	8, .asciz "generic"	/* the loader */
	note	3, .quad 0		/* where virtual addresses begin */
	note	1, .quad _start		/* the entry */

	.text
	.globl	_start
_start:
	.rept	4096
	nop
	.endr
	jmp	_start

	.section .note.GNU-stack, "", @progbits
