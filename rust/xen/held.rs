// SPDX-License-Identifier: GPL-2.0

//! Pages that are held so that nobody uses them up.

use crate::{
    bindings,
    extents::{
        Allocated,
        Extents,
        MAX_ORDER, //
    }, //
};
use core::ptr::NonNull;

/// Pages that nobody gets while they are held, and the page allocator has back after that. They are
/// not zeroed, so they go nowhere else.
///
/// # Examples
///
/// ```
/// use xen::held::Held;
///
/// /// Does something that uses memory up, so that `pages` of it are left after that.
/// fn leaving(pages: usize, something: impl FnOnce()) -> bool {
///     let held = Held::reclaim(pages);
///     if held.pages() < pages {
///         return false;
///     }
///     something();
///     true
/// }
/// ```
#[derive(Default)]
pub struct Held(Extents<Allocated>);

impl Held {
    /// Holds up to `pages` pages, which are reclaimed if they are not free: without retries, reserves
    /// or the OOM killer. May sleep.
    pub fn reclaim(pages: usize) -> Self {
        let mut held = Extents::new();
        let mut order = MAX_ORDER;
        while held.pages() < pages {
            order = order.min((pages - held.pages()).ilog2());
            match allocate(order) {
                // SAFETY: The pages have just been allocated for us, as an extent of this order, which
                // is `MAX_ORDER` at most.
                Some(page) => unsafe { held.push(page, order) },
                None if order == 0 => break,
                None => order -= 1,
            }
        }
        Self(held)
    }

    /// How many are held.
    pub fn pages(&self) -> usize {
        self.0.pages()
    }

    /// Lets pages go as long as more than `pages` are held after that.
    pub fn shrink_to(&mut self, pages: usize) {
        while let Some((page, order)) = self.0.pop() {
            let mut extent = Extents::<Allocated>::new();
            // SAFETY: `pop` gave us the extent, which goes on as it was.
            unsafe { extent.push(page, order) };
            if self.pages() < pages {
                self.0.append(&mut extent);
                return;
            }
        }
    }
}

/// Single pages are worth reclaiming for.
fn allocate(order: u32) -> Option<NonNull<bindings::page>> {
    // SAFETY: Constants of C's.
    let flags = unsafe {
        match order {
            0 => bindings::xen_helper_gfp_hold | bindings::GFP_KERNEL,
            _ => bindings::xen_helper_gfp_hold,
        }
    };
    // SAFETY: The flags are those of a context that may sleep, as this is.
    NonNull::new(unsafe { bindings::alloc_pages(flags, order) })
}
