// SPDX-License-Identifier: GPL-2.0

//! Readahead: for a domain that asks for little, again and again, more is fetched than it asks for.
//!
//! As a kernel reads ahead of whoever reads a file: the first small request fetches what it asks
//! for and no more; each further one that has to ask Dom0 fetches several times as much as the
//! last, up to a limit. What is left over is there for those that follow, which then need not ask.
//! Once the domain has asked for nothing for a while, what is left goes back, and it starts anew.

use crate::protocol::EXTENT_PAGES;
use crate::time::{Nanos, SECOND};

/// How much more each request fetches than the last that had to ask: from a page to the default
/// limit in five requests, while a domain that soon stops has little to give back.
const GROWTH: u64 = 4;

/// After how long without a request a domain has all it wants: what it keeps then, others lack.
pub const IDLE: Nanos = SECOND;

/// The limit at first, in pages: the largest extent, which costs little more than a few pages.
const DEFAULT_LIMIT: u64 = EXTENT_PAGES;

/// The highest limit, in pages: 64 MiB.
pub const MAX_READAHEAD: u64 = 16_384;

/// How much a domain reads ahead.
#[derive(Clone, Copy, Debug)]
pub struct Readahead {
    limit: u64,
    /// What the last request that had to ask fetched, in pages.
    window: u64,
    last: Nanos,
}

impl Readahead {
    /// With the limit that holds until somebody sets another.
    pub(super) const fn by_default() -> Self {
        Self::new(DEFAULT_LIMIT)
    }

    /// Nothing has been asked for yet; at most `limit` pages will be fetched for a smaller request,
    /// 0 for never more than it asks for.
    pub const fn new(limit: u64) -> Self {
        Self {
            limit,
            window: 0,
            last: 0,
        }
    }

    /// The most that is fetched for a smaller request, in pages.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Changes the limit.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
        self.window = 0;
    }

    /// A request has been met by what was read ahead.
    pub fn hit(&mut self, now: Nanos) {
        self.last = now;
    }

    /// A request for `pages` has not: returns how many to ask for, never fewer.
    pub fn miss(&mut self, pages: u64, now: Nanos) -> u64 {
        let alone = self.is_idle(now);
        self.last = now;
        if pages >= self.limit {
            return pages;
        }
        self.window = if alone {
            pages
        } else {
            self.window
                .max(pages)
                .saturating_mul(GROWTH)
                .min(self.limit)
        };
        self.window
    }

    /// When it will have asked for nothing for a while, if it asks for nothing more.
    pub(super) fn idle_at(&self) -> Nanos {
        self.last.saturating_add(IDLE + 1)
    }

    /// Whether the domain has asked for nothing for a while, so that what was read ahead should go
    /// back.
    pub fn is_idle(&self, now: Nanos) -> bool {
        self.last == 0 || now.saturating_sub(self.last) > IDLE
    }
}
