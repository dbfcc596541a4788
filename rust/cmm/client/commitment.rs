// SPDX-License-Identifier: GPL-2.0

//! What its processes were promised keeps a domain from becoming smaller.
//!
//! A kernel that never promises more memory than it has (`vm.overcommit_memory=2`) refuses its
//! processes everything, a fork even, once it has less than it has promised. It says only whether it
//! would promise so much more. That takes its time, and if not, it complains in its log: so what it
//! said is remembered.

use crate::time::{Nanos, SECOND};

/// How long what it said counts: swap may come or go, and the rule be changed.
const PROMISE_VALID: Nanos = SECOND;
const REFUSAL_VALID: Nanos = 10 * SECOND;

/// The kernel would have promised so much more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promise {
    /// What it would have promised in all, less what was given away since.
    limit: u64,
    until: Nanos,
}

impl Promise {
    /// The kernel, which had promised `committed` pages, would promise `more`.
    pub fn new(more: u64, committed: u64, now: Nanos) -> Self {
        Self {
            limit: committed.saturating_add(more),
            until: now.saturating_add(PROMISE_VALID),
        }
    }

    /// Whether it would promise `more` still, as far as is known, having promised `committed` by now.
    pub fn covers(&self, more: u64, committed: u64, now: Nanos) -> bool {
        now < self.until && committed.saturating_add(more) <= self.limit
    }

    /// The domain has given so many pages: the kernel would promise less by that, at most.
    pub fn gave(&mut self, pages: u64) {
        self.limit = self.limit.saturating_sub(pages);
    }
}

/// The kernel refused to promise more, or nothing is known of that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    committed: u64,
    until: Nanos,
}

impl Refusal {
    /// It refused nothing.
    pub(super) const fn none() -> Self {
        Self {
            committed: 0,
            until: 0,
        }
    }

    /// It had promised `committed` pages, and would not promise as many more as were to be given and
    /// kept.
    pub(super) fn new(committed: u64, now: Nanos) -> Self {
        Self {
            committed,
            until: now.saturating_add(REFUSAL_VALID),
        }
    }

    /// Until when that counts, if it does `now`.
    pub(super) fn ends_at(&self, now: Nanos) -> Option<Nanos> {
        (now < self.until).then_some(self.until)
    }

    /// How much can be given by what is known of that, in pages, when so many are `committed` now:
    /// as many as have been returned since.
    pub(super) fn room(&self, committed: u64, now: Nanos) -> u64 {
        if now < self.until {
            self.committed.saturating_sub(committed)
        } else {
            u64::MAX
        }
    }
}
