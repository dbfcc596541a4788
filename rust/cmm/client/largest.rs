// SPDX-License-Identifier: GPL-2.0

//! A domain is to have no more than its toolstack lets it have at most (`maxmem`), with what it has
//! borrowed.
//!
//! Dom0 grants no more than that. But the toolstack may have the domain become larger by itself
//! (`xl mem-set`), for which it does not ask what has been borrowed. Then the domain gives back what
//! it has borrowed too much, as far as it can spare that.

use super::holdings::Holdings;
use crate::backoff::Backoff;
use crate::time::Nanos;

/// How far above what it says a toolstack lets a domain be, in pages: libxl's is 1 MiB.
const MARGIN: u64 = 256;

/// What is known of that.
#[derive(Debug)]
pub(super) struct Largest {
    pages: u64,
    /// The domain could not spare what it should have given back.
    backoff: Backoff,
}

impl Largest {
    /// Nobody has said anything.
    pub(super) const fn new() -> Self {
        Self {
            pages: u64::MAX,
            backoff: Backoff::new(),
        }
    }

    /// The toolstack has said how many pages it lets the domain have.
    pub(super) fn set(&mut self, pages: u64) {
        *self = Self {
            pages,
            ..Self::new()
        };
    }

    /// The most that the domain may have.
    pub(super) fn most(&self) -> u64 {
        self.pages.saturating_add(MARGIN)
    }

    /// What the domain has borrowed too much.
    pub(super) fn above(&self, has: &Holdings) -> u64 {
        let above = has.size().saturating_sub(self.most());
        above.min(has.borrowed())
    }

    /// Whether it is time to give some of that back.
    pub(super) fn is_due(&self, has: &Holdings, now: Nanos) -> bool {
        self.backoff.is_over(now) && self.above(has) > 0
    }

    /// When that is, if there is any.
    pub(super) fn due_at(&self, has: &Holdings) -> Option<Nanos> {
        (self.above(has) > 0).then(|| self.backoff.until())
    }

    /// So many pages of that went back.
    pub(super) fn returned(&mut self, pages: u64, now: Nanos) {
        if pages > 0 {
            self.backoff.succeed();
        } else {
            self.backoff.fail(now);
        }
    }
}
