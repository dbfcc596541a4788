// SPDX-License-Identifier: GPL-2.0

//! Extents: runs of 2^order pages, by whether there is memory behind them.
//!
//! [`Allocated`] pages are ordinary ones, taken from the page allocator. [`Unpopulated`] ones are page
//! frames without memory behind them: nobody may touch them, and nobody may forget them. [`Populated`]
//! ones have got memory from Xen, and are not the page allocator's yet: it gets them when they are
//! dropped.

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

/// Whether there is memory behind pages.
pub trait Condition: sealed::Sealed {
    /// Disposes of an extent nobody wants.
    ///
    /// # Safety
    ///
    /// The caller must own the `1 << order` pages at `page`, which are in this condition.
    unsafe fn dispose(page: NonNull<bindings::page>, order: u32);
}

/// Ordinary pages, owned by whoever has the extent.
pub enum Allocated {}

/// Page frames without memory behind them.
pub enum Unpopulated {}

/// Pages with memory the page allocator does not know of yet.
pub enum Populated {}

impl sealed::Sealed for Allocated {}
impl sealed::Sealed for Unpopulated {}
impl sealed::Sealed for Populated {}

/// Conditions in which there is memory behind pages.
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

/// Conditions in which nobody holds references to pages, so that an extent is easily split.
pub trait Unreferenced: Condition {}

impl Unreferenced for Unpopulated {}
impl Unreferenced for Populated {}

impl Condition for Allocated {
    unsafe fn dispose(page: NonNull<bindings::page>, order: u32) {
        // SAFETY: By the safety requirements the pages are the caller's, and as the allocator gave
        // them.
        unsafe { bindings::__free_pages(page.as_ptr(), order) };
    }
}

impl Condition for Populated {
    unsafe fn dispose(page: NonNull<bindings::page>, order: u32) {
        // SAFETY: By the safety requirements the pages are the caller's, and have memory.
        unsafe {
            bindings::xen_helper_pages_clear_unpopulated(page.as_ptr(), order);
            bindings::adjust_managed_page_count(page.as_ptr(), 1 << order);
            bindings::__free_pages(page.as_ptr(), order);
        }
    }
}

impl Condition for Unpopulated {
    unsafe fn dispose(page: NonNull<bindings::page>, order: u32) {
        // SAFETY: By the safety requirements the pages are the caller's, and unpopulated.
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
pub struct Extents<C: Condition> {
    tops: [*mut bindings::page; MAX_ORDER as usize + 1],
    pages: usize,
    _condition: PhantomData<C>,
}

// SAFETY: The pages are owned, and may be used by any thread.
unsafe impl<C: Condition> Send for Extents<C> {}

impl<C: Condition> Extents<C> {
    /// An empty stack.
    pub const fn new() -> Self {
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
        // SAFETY: The first page is ours, and nobody else uses its link.
        unsafe { bindings::xen_helper_page_set_next(page.as_ptr(), *top) };
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
        // SAFETY: By the type invariants `page` is the first of an extent, with a link.
        *top = unsafe { bindings::xen_helper_page_next(page.as_ptr()) };
        self.pages -= 1 << order;
        Some(page)
    }

    /// Moves all of `other` here.
    pub fn append(&mut self, other: &mut Self) {
        while let Some((page, order)) = other.pop() {
            // SAFETY: `pop` gave us the pages.
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
            // SAFETY: The extent is ours.
            unsafe { taken.push(page, order) };
        }
        taken
    }

    /// Splits an extent larger than `order` into one of that order, which the caller owns.
    fn split_to(&mut self, order: u32) -> Option<(NonNull<bindings::page>, u32)> {
        let (page, found) =
            (order + 1..=MAX_ORDER).find_map(|order| Some((self.pop_order(order)?, order)))?;
        for half in order..found {
            // SAFETY: The upper half of what is left of the extent; without references, it needs no
            // care.
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
            // SAFETY: `pop` gave us the pages, in condition `C`.
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
        // SAFETY: By the safety requirements.
        unsafe { to.push(page.add(start), order) };
        start += 1 << order;
    }
}
