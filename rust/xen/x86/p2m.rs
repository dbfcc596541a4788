// SPDX-License-Identifier: GPL-2.0

//! The *p2m*: which machine frame is behind each page, which a PV kernel keeps itself.
//!
//! C header: [`arch/x86/include/asm/xen/page.h`](srctree/arch/x86/include/asm/xen/page.h)

use crate::bindings;
use core::ptr::NonNull;

/// The p2m's entry of a page without memory.
pub(super) const NO_FRAME: bindings::xen_pfn_t = bindings::xen_pfn_t::MAX;

/// Writes down in the p2m which frames are behind the pages from `first` on. Returns `false` if it
/// has no room for one.
///
/// # Safety
///
/// The pages must be the caller's, and nobody may use them. The frames must have been got for them,
/// or be [`NO_FRAME`].
pub(super) unsafe fn note_frames(
    first: NonNull<bindings::page>,
    mut frames: impl Iterator<Item = bindings::xen_pfn_t>,
) -> bool {
    // SAFETY: By the safety requirements the page is the caller's, and so is valid.
    let mut pfn = unsafe { bindings::xen_helper_page_to_pfn(first.as_ptr()) };
    frames.all(|frame| {
        // SAFETY: By the safety requirements the page is the caller's, who has got the frame for
        // it, so that nobody else depends on what is noted here.
        let noted = unsafe { bindings::xen_helper_set_p2m(pfn, frame) };
        pfn += 1;
        noted
    })
}
