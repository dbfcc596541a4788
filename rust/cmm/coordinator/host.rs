// SPDX-License-Identifier: GPL-2.0

//! What the shell does for the coordinator.

use crate::protocol::{Down, Violation};
use crate::DomId;

/// What Xen says about a domain, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Reservation {
    /// What it has (`tot_pages`).
    pub current: u64,
    /// What it may have (`max_pages`), its cap.
    pub maximum: u64,
}

/// What a domain is doing, which tells how soon it can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It runs.
    Running,
    /// It sleeps until an event comes.
    Blocked,
    /// It would run, and waits for a CPU: an event does not make it run any sooner.
    Waiting,
    /// Its toolstack does not let it run.
    Paused,
}

/// The domain does not exist any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The lane down is full. For a `Limits` this is patience, for anything else it is a violation.
    Full,
    /// The front-end broke the protocol of the ring.
    Violation(Violation),
    /// There is no connection to this domain.
    Gone,
}

/// Carries out what the coordinator decides, in order, while [`handle`](super::Coordinator::handle) runs.
///
/// The coordinator may be called under a spinlock: no method may sleep.
pub trait Host {
    /// Puts a message in the lane down to `dom`, leaving free the slots that [`Down::leaves_free`] says.
    ///
    /// The shell sends one event to each domain that was sent something, when `handle` has returned.
    ///
    /// # Errors
    ///
    /// The message was not sent, and why.
    fn send(&mut self, dom: DomId, message: &Down) -> Result<(), SendError>;

    /// What Xen says about `dom`, or said when it was asked before while the same event was handled, unless the cap has
    /// been set since; `None` if it does not exist any more.
    fn reservation(&mut self, dom: DomId) -> Option<Reservation>;

    /// What Xen has free and nobody has claimed, in pages; `None` if it does not say.
    fn free_pages(&mut self) -> Option<u64>;

    /// What `dom` is doing, or was when its reservation was last asked for while the same event was handled; `None` if
    /// it does not exist any more.
    fn activity(&mut self, dom: DomId) -> Option<Activity>;

    /// Lets `dom`, which waits for a CPU, run as soon as if an event had woken it.
    ///
    /// There is nothing to be taken back: it lasts until the domain sleeps, or has run for a while.
    fn boost(&mut self, dom: DomId);

    /// Sets the cap of `dom` (`XEN_DOMCTL_max_mem`).
    ///
    /// # Errors
    ///
    /// The domain does not exist any more.
    fn set_maximum(&mut self, dom: DomId, pages: u64) -> Result<(), Gone>;

    /// Ends the connection to `dom`, which the coordinator treats as detached from now on.
    ///
    /// The shell stops serving the ring, and need not report a [`Detach`](super::Event::Detach) for it.
    fn disconnect(&mut self, dom: DomId, why: Violation);
}
