// SPDX-License-Identifier: GPL-2.0

//! Waiting for an event without going idle.
//!
//! For x86: no other architecture halts a CPU and takes interrupts again in one step.

use crate::{
    bindings,
    event_channel::{
        EventChannel,
        Handler, //
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
/// It may outlive the channel, and then waits for the next interrupt.
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
#[derive(Clone, Copy)]
pub struct Halter {
    irq: u32,
}

impl<T: Handler> EventChannel<T> {
    /// What waits for an event of this channel without going idle.
    pub fn halter(&self) -> Halter {
        Halter { irq: self.irq() }
    }
}

impl Halter {
    /// Waits for an event, unless `ready` says that what it would bring is there already. Returns
    /// `false`, having waited for nothing, if this CPU has something else to do meanwhile.
    ///
    /// `ready` is called with interrupts off. To be called by a task that may sleep.
    pub fn halt_unless(&self, ready: impl FnOnce() -> bool) -> bool {
        // SAFETY: May be called in any context; the flags are given back below.
        let flags = unsafe { bindings::xen_helper_irq_save() };
        // SAFETY: Interrupts are off, which is all that is asked: a number of no interrupt has no
        // data, and one that is being freed is not while they are off.
        let may_halt = unsafe { bindings::xen_helper_may_halt(self.irq) };
        if may_halt && !ready() {
            // SAFETY: Interrupts are off, and a task that may sleep had them on before: to take
            // them again surprises nobody.
            unsafe { bindings::xen_helper_halt() };
        }
        // SAFETY: `flags` are from above, when interrupts were on: a task may have been moved to
        // another CPU since, where they are on, too.
        unsafe { bindings::xen_helper_irq_restore(flags) };
        may_halt
    }
}
