// SPDX-License-Identifier: GPL-2.0

//! Sections of code in which a PV domain is not saved.

use crate::{
    bindings,
    domain, //
};
use core::marker::PhantomData;

/// A section of code that has frames in its hands which are not in the kernel's own tables, or no
/// more.
///
/// In a PV domain these are machine frames, and a domain that is saved gets others when it is
/// restored: those that the kernel's tables name are replaced, and those in somebody's hands are
/// not. It is saved while all its CPUs are kept by one thread each that preempts whatever runs. So
/// nothing may preempt this one, which lasts for a few hypercalls; and it does not sleep, for page
/// frames that are given away or get memory have their entry in the p2m already, so that none need
/// be allocated.
///
/// Elsewhere frames are guest frames, which stay, and there is nothing to do.
///
/// # Invariants
///
/// If `is_pv`, the thread that it was made in has preemption disabled once for it.
pub(crate) struct FrameSection {
    is_pv: bool,
    /// To be ended by the thread that began it.
    _not_send: PhantomData<*mut ()>,
}

impl FrameSection {
    pub(crate) fn begin() -> Self {
        let is_pv = domain::is_pv();
        if is_pv {
            // SAFETY: May be called in any context, as often as one likes; undone by `drop`.
            unsafe { bindings::xen_helper_preempt_disable() };
        }
        // INVARIANT: It is disabled in a PV domain, in this thread.
        Self {
            is_pv,
            _not_send: PhantomData,
        }
    }
}

impl Drop for FrameSection {
    fn drop(&mut self) {
        if self.is_pv {
            // SAFETY: By the type invariants preemption is disabled, in this thread: the section
            // cannot be sent to another.
            unsafe { bindings::xen_helper_preempt_enable() };
        }
    }
}
