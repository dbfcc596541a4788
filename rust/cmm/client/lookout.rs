// SPDX-License-Identifier: GPL-2.0

//! When to look how the domain fares: while something runs in it, and once after that.
//!
//! A timer that wakes nobody has the shell look while something runs. It expires in the very interrupt by which a domain
//! wakes up, before anything has run, and not any more once the domain sleeps. So what matters is what ran since somebody
//! looked: if enough did to change anything, there is another look after it, for which the domain is woken if need be.
//! Such a look itself is not enough, or there would be no end of them.

use super::news::INTERVAL;
use crate::time::{Nanos, MILLISECOND};

/// What CPUs must have worked for a look to be worth while. What wakes a domain and lets it sleep again at once takes less.
const STIRRED: Nanos = 3 * MILLISECOND;

/// How soon to look again when the domain has slept: what woke it is about to run.
const SOON: Nanos = 4 * MILLISECOND;

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// In so many ns, if anything runs then. Nothing can happen to memory while nothing does.
    pub awake: Nanos,
    /// In so many ns even if nothing runs.
    pub asleep: Option<Nanos>,
}

impl Next {
    /// Has a look in so many ns even if nothing runs, or sooner.
    pub(super) fn within(&mut self, nanos: Nanos) {
        self.asleep = Some(self.asleep.map_or(nanos, |asleep| asleep.min(nanos)));
    }
}

/// When somebody looked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookout {
    looked: Nanos,
    /// When the next look is due if something runs.
    due: Nanos,
    /// What CPUs had worked.
    busy: Nanos,
}

impl Lookout {
    /// Nobody has looked.
    pub(super) const fn new() -> Self {
        Self {
            looked: 0,
            due: 0,
            busy: 0,
        }
    }

    /// In how many ns a look is due, if something runs then: each CPU has its timer, and one look does for all.
    pub(super) fn due_in(&self, now: Nanos) -> Nanos {
        self.due.saturating_sub(now)
    }

    /// Somebody looks, when CPUs have worked for `busy` in all since the domain began.
    pub(super) fn look(&mut self, busy: Nanos, now: Nanos) -> Next {
        let has_stirred = busy.saturating_sub(self.busy) >= STIRRED;
        let has_slept = now.saturating_sub(self.looked) > 2 * INTERVAL;
        let awake = if has_slept { SOON } else { INTERVAL };
        *self = Self {
            looked: now,
            due: now.saturating_add(awake),
            busy,
        };
        Next {
            awake,
            asleep: has_stirred.then_some(INTERVAL),
        }
    }
}
