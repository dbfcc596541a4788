// SPDX-License-Identifier: GPL-2.0

//! How urgent the calling thread is.
//!
//! C header: [`include/linux/sched.h`](srctree/include/linux/sched.h)

use crate::bindings;
use core::marker::PhantomData;

/// While it lives, an interrupt's thread is one thread among others (`SCHED_NORMAL`).
///
/// Such a thread goes before all that is not real-time. That is right for what takes microseconds,
/// and would keep everything else from its CPU where it has much to do.
///
/// # Invariants
///
/// Made in, and not sent out of, the thread of an interrupt.
///
/// # Examples
///
/// In [`Handler::handle_threaded`](crate::event_channel::Handler::handle_threaded):
///
/// ```
/// use xen::out_of_tree::priority::NormalPriority;
///
/// fn zero(pages: &mut [[u8; 4096]]) {
///     let _patience = (pages.len() > 2048).then(NormalPriority::begin);
///     for page in pages {
///         page.fill(0);
///     }
/// }
/// ```
pub struct NormalPriority(PhantomData<*mut ()>);

impl NormalPriority {
    /// For the calling thread, which must be an interrupt's.
    pub fn begin() -> Self {
        // SAFETY: The calling thread is there as long as it runs, and may change its own priority
        // wherever it may sleep.
        unsafe { bindings::sched_set_normal(bindings::xen_helper_current(), 0) };
        // INVARIANT: The caller is the thread of an interrupt; the pointer is not `Send`.
        Self(PhantomData)
    }
}

impl Drop for NormalPriority {
    fn drop(&mut self) {
        // SAFETY: The calling thread is there as long as it runs. By the type invariants it is an
        // interrupt's, which the kernel made so.
        unsafe { bindings::sched_set_fifo(bindings::xen_helper_current()) };
    }
}
