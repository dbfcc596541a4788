// SPDX-License-Identifier: GPL-2.0

//! What a domain could have given when it began to borrow: it gets along with as little again.
//!
//! To ask the kernel takes longer than to free a page. So what was seen lately counts, and what has
//! moved since.

/// What is known of that, in pages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Givable {
    /// What it could have given when it began to borrow.
    before: u64,
    /// What it had of its own then.
    own: u64,
    /// What it could give by now, if anybody has looked.
    now: Option<u64>,
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

    /// It can give so much now; or nobody looks any more, if that is 0.
    pub fn found(&mut self, pages: u64) {
        self.now = (pages > 0).then_some(pages);
    }

    /// It got so many more since, or fewer if that is negative.
    pub fn moved(&mut self, pages: i64) {
        self.now = self.now.map(|now| now.saturating_add_signed(pages));
    }

    /// It begins to borrow, when it has so much of its `own`. If nobody has looked, `look` says what it
    /// can give.
    pub fn begin(&mut self, own: u64, look: impl FnOnce() -> u64) {
        self.before = self.now.unwrap_or_else(look);
        self.own = own;
    }
}
