// SPDX-License-Identifier: GPL-2.0

//! How fast a domain's kernel runs out of memory, from what it shows at moments.
//!
//! What counts is memory that could not be had back: what processes, tmpfs and the kernel itself
//! use. Files that are read fill the page cache, which costs free memory and is no need: the cache
//! is given up for whoever needs it.

use crate::time::{Nanos, MICROSECOND, MILLISECOND, SECOND};

/// What a kernel shows of its memory at a moment, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// What it manages.
    pub total: u64,
    /// Free.
    pub free: u64,
    /// What could be used without swapping, as it estimates it itself: what is free above its
    /// watermarks, and the caches that may go.
    pub available: u64,
    /// Pages of files, which could be read again; not tmpfs, nor files that live in memory.
    pub file: u64,
    /// Other caches that it would shrink.
    pub reclaimable: u64,
    /// How often the domain's balance has changed; it may wrap.
    pub moves: u32,
}

impl Sample {
    /// What is used and cannot be had back without swapping.
    pub const fn used(&self) -> u64 {
        self.total
            .saturating_sub(self.free)
            .saturating_sub(self.file)
            .saturating_sub(self.reclaimable)
    }
}

/// Samples closer than this say nothing of the rate: counters lag behind by some pages.
const CLOSEST: Nanos = 2 * MILLISECOND;

/// What was seen longer ago than this counts as seen then.
const FARTHEST: Nanos = 10 * SECOND;

/// How long a rise must last to count in half: one program that starts is no burst.
const ATTACK: Nanos = 8 * MILLISECOND;

/// How long it counts in half after it ended: programs pause within a burst.
const DECAY: Nanos = 50 * MILLISECOND;

/// How fast memory is being used up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pressure {
    last: Option<(Sample, Nanos)>,
    /// What was used for two samples at least. A kernel that reclaims large folios has thousands of
    /// pages in none of its counters for a moment, which is no rise.
    settled: u64,
    /// Pages a second.
    rate: u64,
}

impl Pressure {
    /// Nothing has been seen yet.
    pub const fn new() -> Self {
        Self {
            last: None,
            settled: 0,
            rate: 0,
        }
    }

    /// Pages a second by which what is used grows.
    pub const fn rate(&self) -> u64 {
        self.rate
    }

    /// How many pages will be used up in this time, at this rate.
    pub fn in_time(&self, time: Nanos) -> u64 {
        times(self.rate, time, SECOND)
    }

    /// Takes a sample into account.
    pub fn see(&mut self, sample: &Sample, now: Nanos) {
        let Some((last, then)) = self.last else {
            self.begin(sample, now);
            return;
        };
        let span = now.saturating_sub(then).min(FARTHEST);
        if span < CLOSEST {
            return;
        }
        // Pages on their way to or from Xen are in none of the counters for a moment.
        if sample.moves != last.moves {
            self.begin(sample, now);
            return;
        }
        let settled = sample.used().min(last.used());
        let risen = settled.saturating_sub(self.settled);
        self.last = Some((*sample, now));
        self.settled = settled;
        let seen = times(risen, SECOND, span);
        self.rate = if seen > self.rate {
            mix(self.rate, seen, span, ATTACK)
        } else {
            mix(self.rate, seen, span, DECAY)
        };
    }

    /// What was used before is not to be compared with.
    fn begin(&mut self, sample: &Sample, now: Nanos) {
        self.last = Some((*sample, now));
        self.settled = sample.used();
    }
}

/// `value` moved towards `to`: by half if it has been so for the time `half`.
fn mix(value: u64, to: u64, span: Nanos, half: Nanos) -> u64 {
    let all = span.saturating_add(half);
    times(value, half, all).saturating_add(times(to, span, all))
}

/// `value` × `by` / `of`, of two times. In microseconds, so that it fits for whatever is possible.
fn times(value: u64, by: Nanos, of: Nanos) -> u64 {
    let (by, of) = (by / MICROSECOND, of / MICROSECOND);
    value.saturating_mul(by) / of.max(1)
}
