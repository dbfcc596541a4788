// SPDX-License-Identifier: GPL-2.0

//! Runs of 2^order pages, and whether there is memory behind them.
//!
//! An [`Extents`] holds such runs in one of three conditions. [`Allocated`] pages are ordinary
//! ones, taken from the page allocator. [`Unpopulated`] ones are page frames without memory behind
//! them: nobody may touch them, and nobody may forget them. [`Populated`] ones have got memory from
//! Xen, and are not the page allocator's yet: it gets them when they are dropped. What turns one
//! into the other ([`crate::memory`]) consumes what it turns, so that a page cannot be in two
//! conditions at once.

use crate::{
    balloon,
    bindings, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

/// The order of the largest extents: 2 MiB, the most a DomU may ask for at once.
pub const MAX_ORDER: u32 = 9;

/// The pages of the largest extent.
pub const MAX_EXTENT: usize = 1 << MAX_ORDER;

mod sealed {
    pub trait Sealed {}
}

/// Whether there is memory behind pages. [`Extents`] has an example of its use.
pub trait Condition: sealed::Sealed {
    /// Disposes of an extent nobody wants.
    ///
    /// # Safety
    ///
    /// The caller must own the `1 << order` pages at `page`, which are in this condition.
    unsafe fn dispose(page: NonNull<bindings::page>, order: u32);
}

/// Ordinary pages, owned by whoever has the extent. [`Extents`] has an example of its use.
pub enum Allocated {}

/// Page frames without memory behind them. [`Extents`] has an example of its use.
pub enum Unpopulated {}

/// Pages with memory the page allocator does not know of yet. [`Extents`] has an example of its
/// use.
pub enum Populated {}

impl sealed::Sealed for Allocated {}
impl sealed::Sealed for Unpopulated {}
impl sealed::Sealed for Populated {}

/// Conditions in which there is memory behind pages.
/// [`Workspace::release`](crate::memory::Workspace::release) has an example of its use.
pub trait Present: Condition {
    /// Whether the kernel counts the pages as its own.
    const COUNTED: bool;
}

impl Present for Allocated {
    const COUNTED: bool = true;
}

impl Present for Populated {
    const COUNTED: bool = false;
}

/// Conditions in which an extent is easily split: what references its pages have matters to nobody.
/// [`Extents`] has an example of its use.
pub trait Unreferenced: Condition {}

impl Unreferenced for Unpopulated {}
impl Unreferenced for Populated {}

impl Condition for Allocated {
    unsafe fn dispose(page: NonNull<bindings::page>, order: u32) {
        // SAFETY: By the safety requirements the pages are the caller's, who gives them away, and
        // are as the allocator gave them, as an extent of this order.
        unsafe { bindings::__free_pages(page.as_ptr(), order) };
    }
}

impl Condition for Populated {
    /// The page allocator puts a block of a huge page's order on a list of the CPU's own, for the next huge page. There it
    /// counts as free nowhere, and is of no use to whoever lacks a single page: a process may be killed beside many. Half a
    /// block is free at once.
    unsafe fn dispose(page: NonNull<bindings::page>, order: u32) {
        if order == MAX_ORDER {
            let half = order - 1;
            // SAFETY: By the safety requirements the caller owns both halves, which it gives away.
            unsafe {
                Self::dispose(page, half);
                Self::dispose(page.add(1 << half), half);
            }
            return;
        }
        // SAFETY: By the safety requirements the pages are the caller's, so that nobody else has a
        // reference to one, and have memory: they may be what the allocator expects of pages.
        unsafe { bindings::xen_helper_pages_clear_unpopulated(page.as_ptr(), order) };
        // SAFETY: These pages are added to the allocator's in the next step.
        unsafe { bindings::adjust_managed_page_count(page.as_ptr(), 1 << order) };
        // SAFETY: By the safety requirements the pages are the caller's, who gives them away. The
        // first has the one reference to all of them.
        unsafe { bindings::__free_pages(page.as_ptr(), order) };
    }
}

impl Condition for Unpopulated {
    unsafe fn dispose(page: NonNull<bindings::page>, order: u32) {
        // SAFETY: By the safety requirements the pages are the caller's, who gives them away, and
        // unpopulated.
        unsafe { balloon::adopt(page, order) };
    }
}

/// A stack of extents for each order, threaded through the pages themselves, so that keeping them
/// takes no memory.
///
/// # Invariants
///
/// `tops[order]` is the first page of an extent of that order, or null; its link leads to the next.
/// The extents are owned, in condition `C`, and have `pages` pages together.
///
/// # Examples
///
/// ```
/// use xen::{
///     extents::{Allocated, Extents, Populated, Unpopulated},
///     memory::Effort,
/// };
///
/// /// Some pages that are free, in extents of 64 KiB.
/// fn some(pages: usize) -> Extents<Allocated> {
///     let mut some = Extents::new();
///     while some.pages() < pages && some.allocate(4, Effort::FreeOnly) {}
///     some
/// }
///
/// /// Gives up to a half to the page allocator.
/// fn halve(fresh: &mut Extents<Populated>) {
///     drop(fresh.take(fresh.pages() / 2));
/// }
///
/// /// Puts two lots of frames together.
/// fn join(frames: &mut Extents<Unpopulated>, more: &mut Extents<Unpopulated>) {
///     frames.append(more);
/// }
/// ```
pub struct Extents<C: Condition> {
    tops: [*mut bindings::page; MAX_ORDER as usize + 1],
    pages: usize,
    _condition: PhantomData<C>,
}

// SAFETY: The pages are owned, and belong to no thread.
unsafe impl<C: Condition> Send for Extents<C> {}

impl<C: Condition> Extents<C> {
    /// An empty stack.
    pub const fn new() -> Self {
        // INVARIANT: There are no extents.
        Self {
            tops: [core::ptr::null_mut(); MAX_ORDER as usize + 1],
            pages: 0,
            _condition: PhantomData,
        }
    }

    /// The number of pages in all extents.
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pages == 0
    }

    /// Adds an extent.
    ///
    /// # Safety
    ///
    /// The caller must own the `1 << order` pages at `page`, in condition `C`, and gives them away.
    /// `order` must be [`MAX_ORDER`] at most.
    pub unsafe fn push(&mut self, page: NonNull<bindings::page>, order: u32) {
        let top = &mut self.tops[order as usize];
        // SAFETY: By the safety requirements the page is ours now, and nobody else uses its link.
        unsafe { bindings::xen_helper_page_set_next(page.as_ptr(), *top) };
        // INVARIANT: The extent is given to us, is of this order and in condition `C`, and its link
        // leads to what was the first.
        *top = page.as_ptr();
        self.pages += 1 << order;
    }

    /// Takes one of the largest extents out; the caller owns it.
    pub fn pop(&mut self) -> Option<(NonNull<bindings::page>, u32)> {
        (0..=MAX_ORDER)
            .rev()
            .find_map(|order| Some((self.pop_order(order)?, order)))
    }

    /// Takes an extent of this order out; the caller owns it.
    fn pop_order(&mut self, order: u32) -> Option<NonNull<bindings::page>> {
        let top = &mut self.tops[order as usize];
        let page = NonNull::new(*top)?;
        // INVARIANT: The extent is the caller's from now on; its link leads to the next, which is
        // the first now.
        //
        // SAFETY: By the type invariants `page` is the first of an extent of ours, with a link.
        *top = unsafe { bindings::xen_helper_page_next(page.as_ptr()) };
        self.pages -= 1 << order;
        Some(page)
    }

    /// Moves all of `other` here.
    pub fn append(&mut self, other: &mut Self) {
        while let Some((page, order)) = other.pop() {
            // SAFETY: `pop` gave us the pages, in condition `C`, and we give them away.
            unsafe { self.push(page, order) };
        }
    }
}

impl<C: Unreferenced> Extents<C> {
    /// Takes extents of `pages` pages at most: the largest that fit, and pieces of a larger one
    /// only when there are no others.
    pub fn take(&mut self, pages: usize) -> Self {
        let mut taken = Self::new();

        while taken.pages < pages {
            let most = (pages - taken.pages).ilog2().min(MAX_ORDER);
            let fits = (0..=most)
                .rev()
                .find_map(|order| Some((self.pop_order(order)?, order)));
            let Some((page, order)) = fits.or_else(|| self.split_to(most)) else {
                break;
            };
            // SAFETY: `pop_order` or `split_to` gave us the pages, in condition `C`, and we give
            // them away.
            unsafe { taken.push(page, order) };
        }
        taken
    }

    /// Splits an extent larger than `order` into one of that order, which the caller owns.
    fn split_to(&mut self, order: u32) -> Option<(NonNull<bindings::page>, u32)> {
        let (page, found) =
            (order + 1..=MAX_ORDER).find_map(|order| Some((self.pop_order(order)?, order)))?;
        for half in order..found {
            // SAFETY: `pop_order` gave us the extent, in condition `C`. This is the upper half of
            // what is left of it, which without references is an extent as any other.
            unsafe { self.push(page.add(1 << half), half) };
        }
        Some((page, order))
    }
}

impl<C: Condition> Default for Extents<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Condition> Drop for Extents<C> {
    fn drop(&mut self) {
        while let Some((page, order)) = self.pop() {
            // SAFETY: `pop` gave us the pages, in condition `C`, and nobody has them after this.
            unsafe { C::dispose(page, order) };
        }
    }
}

/// The order of the largest aligned extent that begins at `start` and ends by `end`.
fn run_order(start: usize, end: usize) -> u32 {
    let aligned = if start == 0 {
        MAX_ORDER
    } else {
        start.trailing_zeros().min(MAX_ORDER)
    };
    aligned.min((end - start).checked_ilog2().unwrap_or(0))
}

/// Pushes pages `start..end` of an extent, as extents as large as their alignment permits.
///
/// # Safety
///
/// The caller must own these pages of the extent at `page`, in condition `C`.
pub(crate) unsafe fn push_run<C: Condition>(
    to: &mut Extents<C>,
    page: NonNull<bindings::page>,
    mut start: usize,
    end: usize,
) {
    while start < end {
        let order = run_order(start, end);
        // SAFETY: By the safety requirements these pages are the caller's, who gives them away, in
        // condition `C`. They lie in one extent, so that a page follows another in the map of
        // pages.
        unsafe { to.push(page.add(start), order) };
        start += 1 << order;
    }
}
