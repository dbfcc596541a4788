// SPDX-License-Identifier: GPL-2.0

//! The stock balloon driver's books.
//!
//! The balloon driver owns the size the toolstack gives the domain. Whoever moves memory on top of
//! that leaves its books alone, except to give it page frames, or a balance
//! ([`handover`](crate::out_of_tree::handover)).
//!
//! C header: [`include/xen/balloon.h`](srctree/include/xen/balloon.h)

use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Whether the domain is no larger than its toolstack wants, by the balloon driver's books.
///
/// A domain that starts with its memory populated on demand must not be touched before.
pub fn is_at_target() -> bool {
    above_target() <= 0
}

/// The size the balloon driver believes the domain to have, in pages: its toolstack's share,
/// without what was borrowed or lent.
pub fn baseline() -> usize {
    // SAFETY: A racy look at a number that changes any time, and is read as a whole.
    unsafe { (&raw const bindings::balloon_stats.current_pages).read_volatile() }
}

/// Gives unpopulated pages to the balloon driver, whose they become. May sleep.
///
/// # Safety
///
/// The caller must own the `1 << order` pages at `page`, which must be unpopulated.
pub(crate) unsafe fn adopt(page: NonNull<bindings::page>, order: u32) {
    // SAFETY: By the safety requirements the pages are the caller's, who gives them away, and
    // nobody else looks at pages without memory.
    unsafe { bindings::xen_helper_pages_make_single(page.as_ptr(), order) };

    // What is returned there counts as having been on loan.
    //
    // SAFETY: It is one of `balloon_stats`.
    unsafe {
        add(
            &raw mut bindings::balloon_stats.target_unpopulated,
            1 << order,
        )
    };
    for i in 0..1usize << order {
        let mut page = page.as_ptr().wrapping_add(i);
        // SAFETY: `page` is an array of one. By the safety requirements the page is the caller's,
        // who gives it away, and has no memory: what the balloon driver keeps is alike.
        unsafe { bindings::xen_free_ballooned_pages(1, &mut page) };
    }
}

/// By how many pages the domain is larger than its toolstack wants, by the balloon driver's books.
pub fn above_target() -> i64 {
    // SAFETY: A racy look at numbers that change any time, each read as a whole. Nothing depends on
    // their being exact, or of the same moment.
    unsafe {
        let current = (&raw const bindings::balloon_stats.current_pages).read_volatile();
        let target = (&raw const bindings::balloon_stats.target_pages).read_volatile();
        current as i64 - target as i64
    }
}

/// Adds to the size the balloon driver believes the domain to have, and has it look. May sleep.
pub(crate) fn adjust_current(pages: i64) {
    // SAFETY: It is one of `balloon_stats`.
    unsafe {
        add(
            &raw mut bindings::balloon_stats.current_pages,
            pages as isize,
        )
    };
    // Giving it no frame is how it is told to look: to set the target it has already could undo
    // what the toolstack sets meanwhile.
    //
    // SAFETY: An array of none may be anywhere.
    unsafe { bindings::xen_free_ballooned_pages(0, core::ptr::null_mut()) };
}

/// Adds to one of the balloon driver's numbers in one go, and not between its reading and its
/// writing.
///
/// Its own lock is out of reach. It adds in one instruction, too, on this architecture, though not
/// one that locks the bus: on another CPU, one of the two could be lost within that instruction.
///
/// # Safety
///
/// `number` must be one of `balloon_stats`.
unsafe fn add(number: *mut c_ulong, pages: isize) {
    // SAFETY: By the safety requirements the number is aligned, and there as long as the kernel is.
    // That nobody else accesses it at the same time but atomically cannot be said: the balloon
    // driver does, under a lock that it does not export. Neither tears it, for it is a word. What
    // can happen is that one of the two additions is lost, and that is said above, and why this is
    // no part of what could go upstream in `out_of_tree`.
    unsafe { Atomic::<isize>::from_ptr(number.cast()) }.add(pages, Relaxed);
}
