// SPDX-License-Identifier: GPL-2.0

//! What a domain could have given when it began to borrow: it gets along with as little again.
//!
//! To ask the kernel takes longer than to free a page. So what was seen lately counts, and what has
//! moved since; and what was seen of a domain that has slept since is old.

use super::news::INTERVAL;
use crate::time::Nanos;

/// How long what was seen counts: until somebody should have looked again.
const LATELY: Nanos = 2 * INTERVAL;

/// What is known of that, in pages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Givable {
    /// What it could have given when it began to borrow.
    before: u64,
    /// What it had of its own then.
    own: u64,
    /// What it could give by now, if anybody has looked, and when that was.
    now: Option<(u64, Nanos)>,
}

impl Givable {
    /// Nobody has looked.
    pub const fn new() -> Self {
        Self {
            before: 0,
            own: 0,
            now: None,
        }
    }

    /// What it could have given when it began to borrow, had it had no more of its `own` than now; 0 if
    /// it never did borrow. What its toolstack has taken since is not to be had again.
    pub fn before(&self, own: u64) -> u64 {
        self.before.saturating_sub(self.own.saturating_sub(own))
    }

    /// It could give so much `then`; or nobody looks any more, if that is 0.
    pub fn found(&mut self, pages: u64, then: Nanos) {
        self.now = (pages > 0).then_some((pages, then));
    }

    /// It got so many more since, or fewer if that is negative.
    pub fn moved(&mut self, pages: i64) {
        self.now = self
            .now
            .map(|(now, then)| (now.saturating_add_signed(pages), then));
    }

    /// It begins to borrow, when it has so much of its `own`. If nobody has looked lately, `look` says
    /// what it can give.
    pub fn begin(&mut self, own: u64, now: Nanos, look: impl FnOnce() -> u64) {
        let seen = self
            .now
            .filter(|(_, then)| now.saturating_sub(*then) <= LATELY);
        self.before = seen.map_or_else(look, |(pages, _)| pages);
        self.own = own;
    }
}
