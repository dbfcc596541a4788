// SPDX-License-Identifier: GPL-2.0

//! Page frames without memory behind them, for memory that comes from elsewhere.
//!
//! A domain booted with less memory than it may have keeps the difference as page frames nobody
//! uses. A domain whose memory was populated on demand has them in the balloon; in any other the
//! kernel sets them aside for mapping grants (*unpopulated* pages). [`BorrowedFrames`] borrows from
//! both, and brings them back.
//!
//! C headers: [`include/xen/balloon.h`](srctree/include/xen/balloon.h),
//! [`include/xen/xen.h`](srctree/include/xen/xen.h)

use crate::{
    bindings,
    extents::{
        push_run,
        Extents,
        Unpopulated,
        MAX_EXTENT, //
    },
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*, //
};

type PageList = KVVec<*mut bindings::page>;

/// What is on loan from the balloon and from the kernel.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
/// use xen::{extents::{Extents, Unpopulated}, frames::BorrowedFrames};
///
/// /// Frames for up to 2 MiB that come from elsewhere.
/// fn some(borrowed: &mut BorrowedFrames) -> Result<Extents<Unpopulated>> {
///     let mut frames = Extents::new();
///     borrowed.borrow_frames(512, &mut frames)?;
///     Ok(frames)
/// }
///
/// /// Brings back those that are left.
/// fn bring_back(borrowed: &mut BorrowedFrames, mut frames: Extents<Unpopulated>) {
///     borrowed.return_all(&mut frames);
/// }
/// ```
pub struct BorrowedFrames {
    from_balloon: usize,
    from_kernel: usize,
    /// The kernel has no more: it makes new frames, which can only map grants.
    kernel_is_out: bool,
}

impl BorrowedFrames {
    /// Nothing is on loan yet.
    pub const fn new() -> Self {
        Self {
            from_balloon: 0,
            from_kernel: 0,
            kernel_is_out: false,
        }
    }

    /// Borrows up to `pages` frames, as large extents where neighbours are found. May sleep.
    pub fn borrow_frames(&mut self, pages: usize, to: &mut Extents<Unpopulated>) -> Result {
        let got = reclaim_from_balloon(pages, to)?;
        self.from_balloon += got;
        self.borrow_from_kernel(pages - got, to)
    }

    fn borrow_from_kernel(&mut self, pages: usize, to: &mut Extents<Unpopulated>) -> Result {
        let want = pages.min(set_aside().saturating_sub(self.from_kernel));
        if want == 0 || self.kernel_is_out {
            return Ok(());
        }

        let mut list = page_list(want)?;
        // All room first: frames could not be brought back one by one without losing some.
        let mut usable = PageList::with_capacity(want, GFP_KERNEL)?;
        // SAFETY: `list` has `want` places for pages, which are there for the call.
        to_result(unsafe {
            bindings::xen_alloc_unpopulated_pages(want as c_uint, list.as_mut_ptr())
        })?;

        // Frames that were made for grants are no part of any zone the page allocator knows.
        for page in &list {
            // SAFETY: The kernel has just given us the page, so it is valid.
            if unsafe { bindings::xen_helper_page_is_device(*page) } {
                self.kernel_is_out = true;
                return_to_kernel(&mut [*page]);
            } else {
                usable.push(*page, GFP_KERNEL)?;
            }
        }
        self.from_kernel += usable.len();
        // SAFETY: The kernel gave us these pages, which are unpopulated, and the list is not used
        // again.
        unsafe { push_all(&mut usable, to) };
        Ok(())
    }

    /// Whether some are on loan from the balloon.
    pub fn has_of_balloon(&self) -> bool {
        self.from_balloon > 0
    }

    /// Brings back up to `pages` frames to the balloon, as many as are on loan from there: it needs
    /// them when the toolstack lets the domain grow. Nobody misses the kernel's. May sleep.
    pub fn return_to_balloon(&mut self, pages: usize, from: &mut Extents<Unpopulated>) {
        let mut frames = from.take(pages.min(self.from_balloon));
        self.from_balloon -= frames.pages();
        for_each_batch(&mut frames, |batch| {
            // SAFETY: The batch is an array of as many pages. They are ours, and we give them away;
            // they are single and unpopulated, and came from there, or are as good.
            unsafe {
                bindings::xen_free_ballooned_pages(batch.len() as c_uint, batch.as_mut_ptr())
            };
        });
    }

    /// Brings back all that is on loan, as far as `from` has it. May sleep.
    pub fn return_all(&mut self, from: &mut Extents<Unpopulated>) {
        self.return_to_balloon(self.from_balloon, from);

        let mut frames = from.take(self.from_kernel);
        self.from_kernel -= frames.pages();
        // These are what it gives out next.
        self.kernel_is_out &= frames.is_empty();
        for_each_batch(&mut frames, return_to_kernel);
    }
}

impl Default for BorrowedFrames {
    fn default() -> Self {
        Self::new()
    }
}

/// The frames the kernel set aside when it booted: those of its map of memory that are not in the
/// balloon driver's books.
fn set_aside() -> usize {
    // SAFETY: A racy look at a number that changes only when memory is added, and is read as a
    // whole.
    let counted = unsafe { (&raw const bindings::balloon_stats.total_pages).read_volatile() };
    present().saturating_sub(counted)
}

/// The page frames that the kernel knows, with memory behind them or without.
pub fn present() -> usize {
    // SAFETY: Reads a counter, in any context.
    unsafe { bindings::xen_helper_present_pages() as usize }
}

/// Takes up to `pages` frames out of the balloon; returns how many. May sleep.
///
/// Asked for more than it has, the balloon driver would *shrink* the domain to make some.
pub(crate) fn reclaim_from_balloon(pages: usize, to: &mut Extents<Unpopulated>) -> Result<usize> {
    // SAFETY: A racy look at a number that changes any time, and is read as a whole: the worst is
    // as said above.
    let in_balloon = unsafe { (&raw const bindings::balloon_stats.balloon_low).read_volatile() };
    let want = pages.min(in_balloon);
    if want == 0 {
        return Ok(0);
    }

    let mut list = page_list(want)?;
    // SAFETY: `list` has `want` places for pages, which are there for the call.
    to_result(unsafe { bindings::xen_alloc_ballooned_pages(want as c_uint, list.as_mut_ptr()) })?;
    // SAFETY: The balloon driver gave us these pages, which are unpopulated, and the list is not
    // used again.
    unsafe { push_all(&mut list, to) };
    Ok(want)
}

fn page_list(len: usize) -> Result<PageList> {
    let mut list = KVVec::with_capacity(len, GFP_KERNEL)?;
    list.resize(len, core::ptr::null_mut(), GFP_KERNEL)?;
    Ok(list)
}

fn return_to_kernel(batch: &mut [*mut bindings::page]) {
    // SAFETY: The batch is an array of as many pages. Callers have them, and give them away; they
    // are single and unpopulated, and came from there, or are as good.
    unsafe { bindings::xen_free_unpopulated_pages(batch.len() as c_uint, batch.as_mut_ptr()) };
}

/// Takes extents apart, some pages at a time, in ascending order within each.
fn for_each_batch(
    extents: &mut Extents<Unpopulated>,
    mut f: impl FnMut(&mut [*mut bindings::page]),
) {
    let mut batch = [core::ptr::null_mut(); 64];

    while let Some((page, order)) = extents.pop() {
        // SAFETY: `pop` gave us the pages, so that nobody else has a reference to one, and they are
        // unpopulated.
        unsafe { bindings::xen_helper_pages_make_single(page.as_ptr(), order) };
        let count = 1usize << order;
        for start in (0..count).step_by(batch.len()) {
            let end = batch.len().min(count - start);
            for (i, entry) in batch.iter_mut().enumerate() {
                *entry = page.as_ptr().wrapping_add(start + i);
            }
            f(&mut batch[..end]);
        }
    }
}

type Run = bindings::xen_helper_run;

/// The runs of neighbours in a list.
///
/// The map of pages is virtually contiguous, so neighbours in it are neighbours in memory.
fn runs(list: &PageList) -> impl Iterator<Item = Run> + '_ {
    let neighbours = |a: &*mut bindings::page, b: &*mut _| *b == a.wrapping_add(1);
    list.chunk_by(neighbours).filter_map(|run| {
        Some(Run {
            first: *run.first()?,
            count: run.len() as c_ulong,
        })
    })
}

/// The runs in ascending order. They are few, where pages are thousands.
fn sorted_runs(list: &PageList) -> Result<KVVec<Run>> {
    let mut sorted = KVVec::with_capacity(runs(list).count(), GFP_KERNEL)?;
    for run in runs(list) {
        sorted.push_within_capacity(run).map_err(|_| ENOMEM)?;
    }
    // SAFETY: `sorted` is an array of as many elements, which nobody else uses during the call.
    unsafe { bindings::xen_helper_sort_runs(sorted.as_mut_ptr(), sorted.len() as c_ulong) };

    Ok(sorted)
}

/// Pushes pages, in any order, as extents as large as their numbers permit, or, without memory to
/// put them in order, smaller ones.
///
/// # Safety
///
/// The caller must own the pages, which must be unpopulated, and must not use the list again.
unsafe fn push_all(list: &mut PageList, to: &mut Extents<Unpopulated>) {
    // Most often they come in order, the last first.
    list.reverse();
    let mut push = |first: &Run, count: usize| {
        // SAFETY: By the safety requirements the pages of the list are the caller's, and
        // unpopulated. This is a run of them, and each is in one run only.
        unsafe { push_neighbours(to, first.first, count) }
    };
    let Ok(sorted) = sorted_runs(list) else {
        runs(list).for_each(|run| push(&run, run.count));
        return;
    };
    let touching = |a: &Run, b: &Run| b.first == a.first.wrapping_add(a.count);
    for row in sorted.chunk_by(touching) {
        if let Some(first) = row.first() {
            push(first, row.iter().map(|run| run.count).sum());
        }
    }
}

/// Pushes `count` pages in a row as extents aligned as Xen wants them.
///
/// # Safety
///
/// The caller must own the pages, which must be unpopulated.
unsafe fn push_neighbours(to: &mut Extents<Unpopulated>, first: *mut bindings::page, count: usize) {
    // SAFETY: By the safety requirements the page is the caller's, so it is valid.
    let pfn = unsafe { bindings::xen_helper_page_to_pfn(first) } as usize;
    let skew = pfn % MAX_EXTENT;

    // Count from the extent's beginning, so that the alignment of what is pushed is that of the
    // frame numbers. The pages before `first` are not ours, and are not touched.
    let mut start = skew;
    let end = skew + count;
    while start < end {
        let stop = (start / MAX_EXTENT + 1) * MAX_EXTENT;
        if let Some(base) = NonNull::new(first.wrapping_sub(skew)) {
            // SAFETY: `start` is not before `skew`, nor `stop.min(end)` behind the run: by the
            // safety requirements these pages are the caller's, and unpopulated.
            unsafe { push_unpopulated(to, base, start, stop.min(end)) };
        }
        start = stop;
    }
}

/// # Safety
///
/// The caller must own pages `start..end` counted from `base`, which must be unpopulated.
unsafe fn push_unpopulated(
    to: &mut Extents<Unpopulated>,
    base: NonNull<bindings::page>,
    start: usize,
    end: usize,
) {
    let (first, count) = (base.as_ptr().wrapping_add(start), end - start);
    // SAFETY: By the safety requirements the pages are the caller's, so that nobody else looks at
    // what is marked on them.
    unsafe { bindings::xen_helper_pages_set_unpopulated(first, count as c_ulong) };
    // SAFETY: By the safety requirements these pages of the extent at `base` are the caller's, and
    // unpopulated.
    unsafe { push_run(to, base, start, end) };
}
