// SPDX-License-Identifier: GPL-2.0

//! What a domain could have given when it began to borrow: it gets along with as little again.
//!
//! To ask the kernel takes longer than to free a page. So what was seen lately counts, and what has
//! moved since; and what was seen of a domain that has slept since is old.

use super::news::INTERVAL;
use crate::time::Nanos;

/// How long what was seen counts: until somebody should have looked again.
const LATELY: Nanos = 2 * INTERVAL;

/// What a look has shown, in pages.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// What it could give, and what it had of its own.
    givable: u64,
    own: u64,
    then: Nanos,
}

/// What is known of that, in pages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Givable {
    /// What it could have given when it began to borrow.
    before: u64,
    /// What it had of its own then.
    own: u64,
    /// What was seen last, if anybody has looked, and what has moved since.
    seen: Option<Seen>,
}

impl Givable {
    /// Nobody has looked.
    pub const fn new() -> Self {
        Self {
            before: 0,
            own: 0,
            seen: None,
        }
    }

    /// What it could have given when it began to borrow, had it had no more of its `own` than now; 0 if
    /// it never did borrow. What its toolstack has taken since is not to be had again.
    pub fn before(&self, own: u64) -> u64 {
        self.before.saturating_sub(self.own.saturating_sub(own))
    }

    /// It could give so much of what it had of its `own` `then`; or nobody looks any more, if that is 0.
    pub fn found(&mut self, givable: u64, own: u64, then: Nanos) {
        let seen = Seen { givable, own, then };
        self.seen = (givable > 0).then_some(seen);
    }

    /// It got so many more since, or fewer if that is negative.
    pub fn moved(&mut self, pages: i64) {
        if let Some(seen) = &mut self.seen {
            seen.givable = seen.givable.saturating_add_signed(pages);
        }
    }

    /// It begins to borrow, when it has so much of its `own`. If nobody has looked lately, `look` says
    /// what it can give. What the toolstack has taken since somebody looked counts as well.
    pub fn begin(&mut self, own: u64, now: Nanos, look: impl FnOnce() -> u64) {
        let lately = |seen: &Seen| now.saturating_sub(seen.then) <= LATELY;
        (self.before, self.own) = match self.seen.filter(lately) {
            Some(seen) => (seen.givable, seen.own),
            None => (look(), own),
        };
    }
}
