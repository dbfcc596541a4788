// SPDX-License-Identifier: GPL-2.0

//! The stock balloon driver's stock of page frames without memory, and its books.
//!
//! A domain booted with less memory than it may have keeps the difference as page frames in the
//! balloon. Who gets memory from elsewhere borrows frames from there and brings them back, so that
//! the balloon driver's idea of the domain's size stays right.
//!
//! C header: [`include/xen/balloon.h`](srctree/include/xen/balloon.h)

use crate::{
    bindings,
    memory::{
        push_run,
        Extents,
        Hollow,
        MAX_EXTENT, //
    },
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// The page frames in the balloon, which can be borrowed.
pub fn stock() -> usize {
    // SAFETY: A racy look at numbers that change any time; nothing depends on their being exact.
    unsafe { (&raw const bindings::balloon_stats.balloon_low).read_volatile() as usize }
}

/// Whether the balloon driver is content: the domain has the size its toolstack wants.
///
/// A domain that starts with its memory populated on demand must not be touched before.
pub fn is_settled() -> bool {
    // SAFETY: As in `stock`.
    unsafe {
        let current = (&raw const bindings::balloon_stats.current_pages).read_volatile();
        let target = (&raw const bindings::balloon_stats.target_pages).read_volatile();
        current <= target
    }
}

/// The size the balloon driver believes the domain to have, in pages: its toolstack's share,
/// without what was borrowed or lent.
pub fn baseline() -> usize {
    // SAFETY: As in `stock`.
    unsafe { (&raw const bindings::balloon_stats.current_pages).read_volatile() as usize }
}

/// Borrows `pages` page frames, as large extents where neighbours are found. May sleep.
///
/// Gets fewer if the balloon has fewer: asked for more, the balloon driver would *shrink* the
/// domain to make some.
pub fn borrow_frames(pages: usize, to: &mut Extents<Hollow>) -> Result<usize> {
    let want = pages.min(stock());
    let mut list = KVVec::with_capacity(want, GFP_KERNEL)?;
    list.resize(want, core::ptr::null_mut::<bindings::page>(), GFP_KERNEL)?;
    if want == 0 {
        return Ok(0);
    }

    // SAFETY: `list` has room for `want` pages.
    to_result(unsafe {
        bindings::xen_alloc_ballooned_pages(want as c_uint, list.as_mut_ptr())
    })?;

    // The map of pages is virtually contiguous, so neighbours in it are neighbours in memory.
    //
    // SAFETY: `list` holds `want` pointers.
    unsafe { bindings::xen_helper_sort_pages(list.as_mut_ptr(), want as c_ulong) };
    let mut start = 0;
    while start < want {
        let mut end = start + 1;
        while end < want && list[end] == list[end - 1].wrapping_add(1) {
            end += 1;
        }
        // SAFETY: The balloon gave us these pages, which are hollow and in a row.
        unsafe { push_neighbours(to, list[start], end - start) };
        start = end;
    }
    Ok(want)
}

/// Pushes `count` pages in a row as extents aligned as Xen wants them.
///
/// # Safety
///
/// The caller must own the pages, which must be hollow.
unsafe fn push_neighbours(to: &mut Extents<Hollow>, first: *mut bindings::page, count: usize) {
    // SAFETY: The page is valid.
    let pfn = unsafe { bindings::xen_helper_page_to_pfn(first) } as usize;
    let skew = pfn % MAX_EXTENT;

    // Count from the extent's beginning, so that the alignment of what is pushed is that of the
    // frame numbers. The pages before `first` are not ours, and are not touched.
    let mut start = skew;
    let end = skew + count;
    while start < end {
        let stop = (start / MAX_EXTENT + 1) * MAX_EXTENT;
        if let Some(base) = NonNull::new(first.wrapping_sub(skew)) {
            // SAFETY: By the safety requirements; `start` is not before `skew`.
            unsafe { push_hollow(to, base, start, stop.min(end)) };
        }
        start = stop;
    }
}

/// # Safety
///
/// The caller must own pages `start..end` counted from `base`, which must be hollow.
unsafe fn push_hollow(
    to: &mut Extents<Hollow>,
    base: NonNull<bindings::page>,
    start: usize,
    end: usize,
) {
    for i in start..end {
        // SAFETY: By the safety requirements. The balloon driver takes the mark off what it lends.
        unsafe { bindings::xen_helper_pages_set_hollow(base.as_ptr().wrapping_add(i), 0) };
    }
    // SAFETY: By the safety requirements.
    unsafe { push_run(to, base, start, end) };
}

/// Brings `pages` frames back, or as many as there are; returns their number. May sleep.
pub fn return_frames(pages: usize, from: &mut Extents<Hollow>) -> usize {
    // Dropping hollow extents is what brings them back.
    from.take(pages).pages()
}

/// Gives hollow pages to the balloon driver, whose they become.
///
/// # Safety
///
/// The caller must own the `1 << order` pages at `page`, which must be hollow. May sleep.
pub(crate) unsafe fn adopt(page: NonNull<bindings::page>, order: u32) {
    // SAFETY: By the safety requirements.
    unsafe { bindings::xen_helper_pages_make_single(page.as_ptr(), order) };

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

/// Takes a balance back that was [handed over](hand_over), as far as it is still there.
///
/// Returns what is: frames that lack memory are in `frames`.
pub fn take_over(balance: i64, frames: &mut Extents<Hollow>) -> Result<i64> {
    // SAFETY: As in `stock`.
    let (current, target) = unsafe {
        (
            (&raw const bindings::balloon_stats.current_pages).read_volatile() as i64,
            (&raw const bindings::balloon_stats.target_pages).read_volatile() as i64,
        )
    };

    let left = if balance > 0 {
        balance.min(current - target).max(0)
    } else {
        let lacking = balance.max(current - target).min(0);
        -(borrow_frames(lacking.unsigned_abs() as usize, frames)? as i64)
    };
    // Borrowed frames count apart from the size; these are no longer missing from it.
    adjust_current(-left);
    Ok(left)
}

fn adjust_current(pages: i64) {
    // SAFETY: The balloon driver itself changes this without more care, in its one thread. A
    // change lost in a race would be made up for at the next `xl mem-set`. Setting the target it
    // has already is how it is told to look.
    unsafe {
        let current = &raw mut bindings::balloon_stats.current_pages;
        let target = (&raw const bindings::balloon_stats.target_pages).read_volatile();
        current.write_volatile(current.read_volatile().saturating_add_signed(pages as isize));
        bindings::balloon_set_new_target(target);
    }
}
