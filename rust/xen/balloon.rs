// SPDX-License-Identifier: GPL-2.0

//! The stock balloon driver's books.
//!
//! The balloon driver owns the size the toolstack gives the domain. Whoever moves memory on top of
//! that leaves its books alone, except to hand over what it cannot settle itself.
//!
//! C header: [`include/xen/balloon.h`](srctree/include/xen/balloon.h)

use crate::{
    bindings, frames,
    memory::{
        Extents,
        Hollow, //
    },
};
use core::ptr::NonNull;
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// How often, and how far apart, to look whether the balloon driver has done its work: for a second.
const SETTLE_TRIES: u32 = 100;
const SETTLE_PAUSE: Delta = Delta::from_millis(10);

/// Whether the balloon driver is content: the domain has the size its toolstack wants.
///
/// A domain that starts with its memory populated on demand must not be touched before.
pub fn is_settled() -> bool {
    excess() <= 0
}

/// The size the balloon driver believes the domain to have, in pages: its toolstack's share,
/// without what was borrowed or lent.
pub fn baseline() -> usize {
    // SAFETY: As in `excess`.
    unsafe { (&raw const bindings::balloon_stats.current_pages).read_volatile() }
}

/// Gives hollow pages to the balloon driver, whose they become. May sleep.
///
/// # Safety
///
/// The caller must own the `1 << order` pages at `page`, which must be hollow.
pub(crate) unsafe fn adopt(page: NonNull<bindings::page>, order: u32) {
    // SAFETY: By the safety requirements.
    unsafe { bindings::xen_helper_pages_make_single(page.as_ptr(), order) };

    // What is returned there counts as having been on loan.
    //
    // SAFETY: As in `adjust_current`.
    unsafe {
        add(
            &raw mut bindings::balloon_stats.target_unpopulated,
            1 << order,
        )
    };
    for i in 0..1usize << order {
        let mut page = page.as_ptr().wrapping_add(i);
        // SAFETY: By the safety requirements; `page` is an array of one.
        unsafe { bindings::xen_free_ballooned_pages(1, &mut page) };
    }
}

/// Makes a domain's balance the balloon driver's business, for a driver that goes away before it
/// could settle.
///
/// What was borrowed (`balance` > 0) counts as the domain's own from now on, and the balloon driver
/// gives it back when it can. What was lent counts as ballooned out: its frames must have been
/// dropped, and the balloon driver gets memory for them when Xen lets it.
pub fn hand_over(balance: i64) {
    adjust_current(balance);
}

/// Takes a balance back that was [handed over](hand_over), as far as it is still there. May sleep.
///
/// Returns what is: frames that lack memory are in `frames`. What was lent is lent again, all of it,
/// for Dom0 may owe it still. As far as the balloon driver has filled the domain up meanwhile, it gives
/// that back to Xen first; what it cannot give back soon is not lent any more.
pub fn take_over(balance: i64, frames: &mut Extents<Hollow>) -> Result<i64> {
    let excess = excess();
    if balance >= 0 {
        let left = balance.min(excess).max(0);
        adjust_current(-left);
        return Ok(left);
    }

    let lacking = balance.max(excess).min(0);
    frames::reclaim_from_balloon(lacking.unsigned_abs() as usize, frames)?;
    // These frames count apart from the size: they are no longer missing from it.
    adjust_current(-balance);
    let made_up = lacking - balance;
    if made_up == 0 {
        return Ok(balance);
    }
    let kept = wait_for_balloon().min(made_up);
    adjust_current(-kept);
    Ok(balance + kept)
}

/// Waits until the domain has no more than its toolstack wants, or the balloon driver seems to have no
/// luck. Returns by how many pages it has more.
fn wait_for_balloon() -> i64 {
    for _ in 0..SETTLE_TRIES {
        if excess() <= 0 {
            break;
        }
        fsleep(SETTLE_PAUSE);
    }
    excess().max(0)
}

/// By how many pages the domain is larger than its toolstack wants, by the balloon driver's books.
fn excess() -> i64 {
    // SAFETY: A racy look at numbers that change any time. Nothing depends on their being exact.
    unsafe {
        let current = (&raw const bindings::balloon_stats.current_pages).read_volatile();
        let target = (&raw const bindings::balloon_stats.target_pages).read_volatile();
        current as i64 - target as i64
    }
}

fn adjust_current(pages: i64) {
    // SAFETY: The books are there as long as the kernel is. Giving it no frame is how the balloon driver
    // is told to look: to set the target it has already could undo what the toolstack sets meanwhile.
    unsafe {
        add(
            &raw mut bindings::balloon_stats.current_pages,
            pages as isize,
        );
        bindings::xen_free_ballooned_pages(0, core::ptr::null_mut());
    }
}

/// Adds to one of the balloon driver's numbers in one go, and not between its reading and its writing.
///
/// Its own lock is out of reach. It adds in one instruction, too, on this architecture, though not one
/// that locks the bus: on another CPU, one of the two could be lost within that instruction.
///
/// # Safety
///
/// `number` must be one of `balloon_stats`.
unsafe fn add(number: *mut c_ulong, pages: isize) {
    // SAFETY: By the safety requirements. The balloon driver's accesses are not atomic to the compiler
    // that made them, which has come to its end.
    unsafe { Atomic::<isize>::from_ptr(number.cast()) }.add(pages, Relaxed);
}
