// SPDX-License-Identifier: GPL-2.0

//! The kernel's own mappings of pages that get other memory, or lose theirs, in a PV domain.
//!
//! A PV kernel has its page tables written by Xen. Its exported functions issue a hypercall a page.
//! Here it is one for an extent, whose entries lie side by side in one table: that takes a good
//! third less. In any other domain there is nothing to do.
//!
//! C headers: [`include/xen/mem-reservation.h`](srctree/include/xen/mem-reservation.h),
//! [`arch/x86/include/asm/xen/page.h`](srctree/arch/x86/include/asm/xen/page.h)

use super::p2m::{
    note_frames,
    NO_FRAME, //
};
use crate::{
    bindings,
    domain,
    extents::MAX_EXTENT, //
};
use core::ptr::NonNull;
use kernel::prelude::*;
use pin_init::{
    init_array_from_fn,
    init_zeroed, //
};

/// Work space for changing the mappings of an extent.
pub(crate) struct Mappings {
    updates: [bindings::mmu_update; MAX_EXTENT],
    pages: [*mut bindings::page; MAX_EXTENT],
}

// SAFETY: The pointers are scratch space: none is used after the call that has stored it.
unsafe impl Send for Mappings {}

impl Mappings {
    /// Work space that says nothing yet.
    pub(crate) fn new() -> impl Init<Self> {
        init!(Self {
            updates <- init_array_from_fn(|_| bindings::mmu_update::default()),
            pages <- init_zeroed(),
        })
    }

    /// Maps `frames` at the pages from `first` on, at most [`MAX_EXTENT`].
    ///
    /// # Safety
    ///
    /// The frames must be this domain's, got for these pages, which must be the caller's and mapped
    /// nowhere.
    pub(crate) unsafe fn map(
        &mut self,
        first: NonNull<bindings::page>,
        frames: &mut [bindings::xen_pfn_t],
    ) {
        if !domain::is_pv() {
            return;
        }
        // SAFETY: By the safety requirements the pages are the caller's, and the frames were got
        // for them: that is what both functions ask for.
        let mapped = unsafe {
            note_frames(first, frames.iter().copied())
                && self.write_entries(first, frames.iter().copied())
        };
        if !mapped {
            self.list_pages(first, frames.len());
            // SAFETY: `self.pages` lists as many pages as there are frames. By the safety
            // requirements the pages are the caller's, and the frames were got for them. What has
            // been done already is done again, to the same end.
            unsafe {
                bindings::xen_helper_map_frames(
                    frames.len() as c_ulong,
                    self.pages.as_mut_ptr(),
                    frames.as_mut_ptr(),
                );
            }
        }
    }

    /// Removes the mappings of `count` pages from `first` on, at most [`MAX_EXTENT`]. TLBs may have
    /// them still.
    ///
    /// # Safety
    ///
    /// The pages must be the caller's, and nobody may use them.
    pub(crate) unsafe fn unmap(&mut self, first: NonNull<bindings::page>, count: usize) {
        if !domain::is_pv() {
            return;
        }
        let nothing = core::iter::repeat_n(NO_FRAME, count);
        // SAFETY: By the safety requirements the pages are the caller's, and nobody uses them: that
        // is what both functions ask for where there is to be no frame.
        let unmapped =
            unsafe { self.write_entries(first, nothing.clone()) && note_frames(first, nothing) };
        if !unmapped {
            self.list_pages(first, count);
            // SAFETY: `self.pages` lists `count` pages. By the safety requirements they are the
            // caller's, and nobody uses them. What has been done already is done again, to the same
            // end.
            unsafe { bindings::xen_helper_unmap_pages(count as c_ulong, self.pages.as_mut_ptr()) };
        }
    }

    /// Writes the page table's entries of pages from `first` on; [`NO_FRAME`] stands for none.
    ///
    /// Returns `false` if they do not lie side by side, or Xen refuses.
    ///
    /// # Safety
    ///
    /// As for [`Mappings::map`] and [`Mappings::unmap`].
    unsafe fn write_entries(
        &mut self,
        first: NonNull<bindings::page>,
        frames: impl ExactSizeIterator<Item = bindings::xen_pfn_t>,
    ) -> bool {
        let count = frames.len();
        // SAFETY: By the safety requirements the pages are the caller's, so they are valid and in
        // the direct map.
        let table = unsafe { bindings::xen_helper_entries(first.as_ptr(), count as c_ulong) };
        if table == 0 {
            return false;
        }
        for ((update, frame), entry) in self.updates.iter_mut().zip(frames).zip(0u64..) {
            // The command MMU_NORMAL_PT_UPDATE is 0.
            update.ptr = table + entry * size_of::<bindings::pteval_t>() as u64;
            update.val = if frame == NO_FRAME {
                0
            } else {
                // SAFETY: Computes an entry from a number, in any context.
                unsafe { bindings::xen_helper_entry_of(frame) }
            };
        }
        // SAFETY: The first `count` of `updates` have just been written. By the safety requirements
        // the entries are those of the caller's pages, which nobody uses; Xen checks what it writes
        // there.
        let result =
            unsafe { bindings::xen_helper_mmu_update(self.updates.as_mut_ptr(), count as c_int) };
        result == 0
    }

    /// Lists the pages of an extent at the beginning of `self.pages`.
    fn list_pages(&mut self, first: NonNull<bindings::page>, count: usize) {
        for (i, entry) in self.pages.iter_mut().take(count).enumerate() {
            *entry = first.as_ptr().wrapping_add(i);
        }
    }
}
