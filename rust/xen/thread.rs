// SPDX-License-Identifier: GPL-2.0

//! How urgent the calling thread is.
//!
//! C header: [`include/linux/sched.h`](srctree/include/linux/sched.h)

use crate::bindings;
use core::marker::PhantomData;

/// While it lives, an interrupt's thread is one thread among others.
///
/// Such a thread goes before all that is not real-time. That is right for what takes microseconds, and
/// would keep everything else from its CPU where it has much to do.
///
/// # Invariants
///
/// Made in, and not sent out of, the thread of an interrupt.
pub struct AmongOthers(PhantomData<*mut ()>);

impl AmongOthers {
    /// For the calling thread, which must be an interrupt's.
    pub fn begin() -> Self {
        // SAFETY: May be called in any thread that may sleep.
        unsafe { bindings::sched_set_normal(bindings::xen_helper_current(), 0) };
        Self(PhantomData)
    }
}

impl Drop for AmongOthers {
    fn drop(&mut self) {
        // SAFETY: As above. By the type invariants this is how the kernel made the thread.
        unsafe { bindings::sched_set_fifo(bindings::xen_helper_current()) };
    }
}
