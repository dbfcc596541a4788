// SPDX-License-Identifier: GPL-2.0

//! How urgent the calling thread is.
//!
//! C header: [`include/linux/sched.h`](srctree/include/linux/sched.h)

use crate::{
    bindings,
    event_channel::Thread, //
};
use core::marker::PhantomData;

/// While it lives, a channel's thread is one thread among others (`SCHED_NORMAL`).
///
/// Such a thread goes before all that is not real-time. That is right for what takes microseconds,
/// and would keep everything else from its CPU where it has much to do. Afterwards it is what it
/// was before, by the kernel's or by the administrator's choice.
///
/// # Invariants
///
/// Made in, and not sent out of, the thread of an interrupt, which had `before` when it was made.
///
/// # Examples
///
/// In [`Handler::handle_threaded`](crate::event_channel::Handler::handle_threaded):
///
/// ```
/// use xen::{event_channel::Thread, out_of_tree::priority::NormalPriority};
///
/// fn zero(thread: &Thread<'_>, pages: &mut [[u8; 4096]]) {
///     let _patience = (pages.len() > 2048).then(|| NormalPriority::begin(thread));
///     for page in pages {
///         page.fill(0);
///     }
/// }
/// ```
///
/// Nobody else's priority is changed: who is in no channel's thread has nothing to begin it with.
///
/// ```compile_fail,E0061
/// use xen::out_of_tree::priority::NormalPriority;
///
/// fn in_a_knob() {
///     let _patience = NormalPriority::begin();
/// }
/// ```
///
/// Nor does it end in another thread.
///
/// ```compile_fail,E0277
/// use xen::out_of_tree::priority::NormalPriority;
///
/// fn send(_: impl Send) {}
///
/// fn elsewhere(patience: NormalPriority<'_>) {
///     send(patience);
/// }
/// ```
pub struct NormalPriority<'a> {
    before: bindings::xen_helper_priority,
    /// Of the thread that it was made in.
    _thread: PhantomData<&'a Thread<'a>>,
}

impl<'a> NormalPriority<'a> {
    /// For the calling thread, which is the channel's: nobody else has a [`Thread`].
    pub fn begin(_thread: &'a Thread<'a>) -> Self {
        let mut before = bindings::xen_helper_priority::default();
        // SAFETY: `before` may be written. The calling thread may change its own priority, for it
        // may sleep.
        unsafe { bindings::xen_helper_make_normal(&mut before) };
        // INVARIANT: That is what it had. What borrows a `Thread` is no more `Send` than that.
        Self {
            before,
            _thread: PhantomData,
        }
    }
}

impl Drop for NormalPriority<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the calling thread had this before. It may change its own
        // priority, for it may sleep.
        unsafe { bindings::xen_helper_restore_priority(&self.before) };
    }
}
