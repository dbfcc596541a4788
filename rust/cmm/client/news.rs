// SPDX-License-Identifier: GPL-2.0

//! What Dom0 was last told of how the domain fares, and what is news after that.

use crate::time::{Nanos, MILLISECOND};

/// How often there is to be a [tick](super::Client::tick) while anything runs. Dom0's view of a domain is that old at most,
/// or of when something ran last.
pub const INTERVAL: Nanos = 100 * MILLISECOND;

/// A change worth reporting: 1 MiB, or a part of what was reported. Less makes no difference to who
/// is asked for how much.
const CHANGE: u64 = 256;
const CHANGE_PART: u64 = 64;

/// Whether Dom0 should be told that the domain has `available` pages to give, having been told
/// `reported`.
pub fn is_worth_telling(available: u64, reported: u64) -> bool {
    available.abs_diff(reported) > CHANGE.max(reported / CHANGE_PART)
}

/// What was last reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    available: u64,
    /// How often the balance had changed.
    moves: u32,
    /// In which connection; `None` if Dom0 waits to hear anything.
    epoch: Option<u32>,
}

impl News {
    /// Dom0 was told nothing.
    pub(super) const fn new() -> Self {
        Self {
            available: 0,
            moves: 0,
            epoch: None,
        }
    }

    /// Dom0 was told that so many pages are available, in this connection.
    pub(super) const fn told(available: u64, moves: u32, epoch: u32) -> Self {
        Self {
            available,
            moves,
            epoch: Some(epoch),
        }
    }

    /// Dom0 wants to know how it is, even if it is as before.
    pub(super) fn expect(&mut self) {
        self.epoch = None;
    }

    /// Dom0 counts down what this domain gives, and not up all that it gets: after either, it wants
    /// to know, even if in the end nothing has changed.
    pub(super) fn is_any(&self, available: u64, moves: u32, epoch: u32) -> bool {
        self.epoch != Some(epoch)
            || self.moves != moves
            || is_worth_telling(available, self.available)
    }
}
