// SPDX-License-Identifier: GPL-2.0

//! What a domain can give without hurting itself.

use crate::protocol::Urgency;

/// Pages that are always kept, whatever the kernel calls available: 16 MiB, and a part of the
/// whole.
const KEEP: u64 = 4_096;
const KEEP_PART: u64 = 64;

/// Pages that are kept by a domain in which nothing runs, and the least by any other: 4 MiB.
const KEEP_FROZEN: u64 = 1_024;

/// The most that a donor holds while it gives: 64 MiB.
const HOLD_MOST: u64 = 16_384;

/// What a kernel says of its memory, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What it manages (`MemTotal`).
    pub total: u64,
    /// What it could have for processes without swapping (`MemAvailable`), as it estimates.
    pub available: u64,
    /// What of that is free now (`MemFree`).
    pub free: u64,
    /// What of that is free for movable pages only (`CmaFree`): none that could be given are.
    pub movable_only: u64,
    /// The page cache, most of which counts as available.
    pub cache: u64,
    /// What control groups protect from being reclaimed (`memory.min`, `memory.low`), page cache or
    /// not.
    pub protected: u64,
}

impl Memory {
    /// What it could have for somebody who gives it away. Nobody says how much of the cache is
    /// protected: all of it that can be.
    pub fn givable(&self) -> u64 {
        self.available
            .saturating_sub(self.movable_only)
            .saturating_sub(self.protected.min(self.cache))
    }
}

/// What a domain can give of its memory.
pub fn spare(memory: &Memory) -> u64 {
    memory.givable().saturating_sub(keeps(memory))
}

/// What a domain may give, and what it keeps then, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// So much, at most.
    pub spare: u64,
    /// So much is left available.
    pub keeps: u64,
}

/// What a domain that has `borrowed` so much may give when Dom0 demands it. What it has borrowed is not its own: if that is
/// urgent, for its lender wants it or somebody would have a process killed, it keeps a quarter of what a donor keeps.
pub fn on_demand(memory: &Memory, borrowed: u64, urgency: Urgency) -> Bound {
    let own = Bound {
        spare: spare(memory),
        keeps: keeps(memory),
    };
    let keeps = KEEP_FROZEN.max(own.keeps / 4);
    let recalled = Bound {
        spare: memory.givable().saturating_sub(keeps).min(borrowed),
        keeps,
    };
    if urgency == Urgency::Urgent && recalled.spare > own.spare {
        recalled
    } else {
        own
    }
}

/// As [`spare`], of what the domain asked for itself, when it could have given `before`.
pub fn spare_borrowed(memory: &Memory, before: u64) -> u64 {
    memory
        .givable()
        .saturating_sub(keeps_borrowed(memory, before))
}

/// What a donor keeps, besides what it has promised its processes.
pub fn keeps(memory: &Memory) -> u64 {
    KEEP.max(memory.total / KEEP_PART)
}

/// As [`keeps`], of who gives back what it asked for, when it could have given `before`. Whoever got
/// along with less than a donor keeps gets along with it again: half of it, since what is available
/// moves all the time.
pub fn keeps_borrowed(memory: &Memory, before: u64) -> u64 {
    keeps(memory).min(KEEP_FROZEN.max(before / 2))
}

/// What a donor that `keeps` so much holds while it gives `pages`, so that this is left: none if it is
/// free anyway. What a kernel could reclaim it only estimates, and may be much too high: names of files
/// that are in use, or pages of the page cache that a pipe has. So a donor that must reclaim what it
/// gives does not rely on that for what it keeps.
pub fn holds(memory: &Memory, pages: u64, keeps: u64) -> u64 {
    let holds = keeps.min(HOLD_MOST);
    let free = memory.free.saturating_sub(memory.movable_only);
    if free >= pages.saturating_add(holds) {
        0
    } else {
        holds
    }
}

/// What a domain whose processes are all frozen can give of `givable` pages.
pub fn spare_frozen(givable: u64) -> u64 {
    givable.saturating_sub(KEEP_FROZEN)
}
