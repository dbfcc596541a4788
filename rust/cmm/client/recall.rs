// SPDX-License-Identifier: GPL-2.0

//! The request for what is deferred, for which nobody waits.

use crate::time::{Nanos, SECOND};

/// How long to wait before what is deferred is recalled again; twice as long each time that nothing
/// came, up to a minute.
const PAUSE: Nanos = SECOND;
const LONGEST_PAUSE: Nanos = 64 * SECOND;

/// When it is made, and whether it has been.
#[derive(Debug)]
pub(super) struct Recall {
    /// Its serial, and its connection.
    open: Option<(u32, u32)>,
    /// Not before.
    next: Nanos,
    pause: Nanos,
}

impl Recall {
    /// There was none.
    pub(super) const fn new() -> Self {
        Self {
            open: None,
            next: 0,
            pause: PAUSE,
        }
    }

    /// Whether it is time for one.
    pub(super) fn is_due(&self, now: Nanos) -> bool {
        self.open.is_none() && now >= self.next
    }

    /// When it is, if somebody looks then; `None` as long as there is one.
    pub(super) fn due_at(&self) -> Option<Nanos> {
        let next = Some(self.next).filter(|next| *next < Nanos::MAX);
        next.filter(|_| self.open.is_none())
    }

    /// One is made, unless it could not be.
    pub(super) fn begin(&mut self, open: Option<(u32, u32)>, now: Nanos) {
        self.open = open;
        self.next = now.saturating_add(self.pause);
        self.pause = LONGEST_PAUSE.min(2 * self.pause);
    }

    /// The serial and the connection of that which was made.
    pub(super) fn open(&self) -> Option<(u32, u32)> {
        self.open
    }

    /// It has come to its end.
    pub(super) fn end(&mut self, granted: u64) {
        self.open = None;
        if granted > 0 {
            self.pause = PAUSE;
        }
    }

    /// There is to be no other.
    pub(super) fn stop(&mut self) {
        self.next = Nanos::MAX;
    }

    /// There may be others again.
    pub(super) fn go_on(&mut self) {
        self.next = 0;
    }
}
