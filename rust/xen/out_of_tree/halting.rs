// SPDX-License-Identifier: GPL-2.0

//! Waiting for an event without going idle.
//!
//! For x86: no other architecture halts a CPU and takes interrupts again in one step.

use crate::{
    bindings,
    event_channel::{
        EventChannel,
        Handler,
        Notifier, //
    }, //
};

/// Waits for an event of an [`EventChannel`] with the CPU halted.
///
/// A CPU that has nothing to do but wait goes idle: it stops its tick, halts, and undoes all that
/// when the event comes, which for a short wait costs more than what it waits for. Here the task
/// itself halts it, as the idle task would. Any interrupt ends that, a tick at the latest.
///
/// To wait in Xen (`SCHEDOP_poll`) would do as well in a PV domain. In a PVH domain, Xen would have
/// to search page tables for what it is to wait for, and the event, coming while interrupts are
/// off, would take another VM exit to be delivered.
///
/// It may outlive the channel, and then does not wait.
///
/// # Examples
///
/// ```
/// use kernel::sync::atomic::{Acquire, Atomic};
/// use xen::out_of_tree::halting::Halter;
///
/// /// Waits a little, as long as nobody else wants this CPU; then one should sleep.
/// fn linger(halter: &Halter, answered: &Atomic<u32>) -> bool {
///     let is_answered = || answered.load(Acquire) != 0;
///     for _ in 0..10 {
///         if is_answered() {
///             return true;
///         }
///         if !halter.halt_unless(is_answered) {
///             break;
///         }
///     }
///     false
/// }
/// ```
#[derive(Clone)]
pub struct Halter {
    notifier: Notifier,
}

impl<T: Handler> EventChannel<T> {
    /// What waits for an event of this channel without going idle.
    pub fn halter(&self) -> Halter {
        Halter {
            notifier: self.notifier(),
        }
    }
}

impl Halter {
    /// Waits for an event, unless `ready` says that what it would bring is there already. Returns
    /// `false`, having waited for nothing, if this CPU has something else to do meanwhile, or has
    /// no tick to end a wait that is in vain, or the caller may not sleep: whoever has interrupts
    /// off does not find them on.
    ///
    /// `ready` is called with interrupts off.
    pub fn halt_unless(&self, ready: impl FnOnce() -> bool) -> bool {
        // SAFETY: May be called in any context; what it begins is ended below, in this one.
        if !unsafe { bindings::xen_helper_begin_halt() } {
            return false;
        }
        // SAFETY: The number is that of a channel's interrupt as long as this lasts, and interrupts
        // are off.
        let may_halt = |irq| unsafe { bindings::xen_helper_may_halt(irq) };
        let may_halt = self.notifier.with_irq(may_halt).unwrap_or(false);
        let halts = may_halt && !ready();
        // SAFETY: It has been begun above, in this context, which may sleep: to take interrupts
        // surprises nobody.
        unsafe { bindings::xen_helper_end_halt(halts) };
        may_halt
    }
}
