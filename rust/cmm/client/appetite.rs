// SPDX-License-Identifier: GPL-2.0

//! What this domain's bursts have been like: how high, and how steep.
//!
//! The next is expected to be like the last ones. Each burst counts for less with each that
//! follows, so that a domain that does something else from now on is soon known by that.

use crate::time::{Nanos, MILLISECOND, SECOND};

/// A burst that is lower is none, in pages: 4 MiB come and go with any program.
const LOWEST: u64 = 1_024;

/// What has not risen for so long has ended.
const PAUSE: Nanos = 500 * MILLISECOND;

/// Powers of two that are told apart: up to 2^32 pages, or pages a second.
const BUCKETS: usize = 32;

/// What a value counts when it is new, and the part of that it loses with each that follows.
const FRESH: u32 = 1 << 16;
const FADING: u32 = 8;

/// How often values were about so large, of late.
#[derive(Clone, Copy, Debug)]
pub struct Histogram {
    weights: [u32; BUCKETS],
}

impl Histogram {
    /// Of no value.
    pub const fn new() -> Self {
        Self {
            weights: [0; BUCKETS],
        }
    }

    /// Adds a value; those before it count for less.
    pub fn add(&mut self, value: u64) {
        for weight in &mut self.weights {
            *weight -= weight.div_ceil(FADING).min(*weight);
        }
        let bucket = value.max(1).ilog2() as usize;
        if let Some(weight) = self.weights.get_mut(bucket.min(BUCKETS - 1)) {
            *weight += FRESH;
        }
    }

    /// The value that `percent` of those larger than `above` do not exceed, rounded up to a power
    /// of two; `None` if there was none.
    pub fn quantile(&self, percent: u64, above: u64) -> Option<u64> {
        let larger = || {
            let edges = (1..=BUCKETS).map(|bits| 1_u64 << bits);
            let known = edges.zip(self.weights.iter().map(|weight| u64::from(*weight)));
            known.filter(move |(edge, _)| *edge > above)
        };
        let all: u64 = larger().map(|(_, weight)| weight).sum();
        if all == 0 {
            return None;
        }
        let wanted = (all * percent.min(100)).div_ceil(100);
        let mut sum = 0;
        let found = larger().find(|(_, weight)| {
            sum += weight;
            *weight > 0 && sum >= wanted
        });
        found.map(|(edge, _)| edge)
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// A burst under way.
#[derive(Clone, Copy, Debug)]
struct Burst {
    /// What was used before.
    base: u64,
    began: Nanos,
    peak: u64,
    peaked: Nanos,
}

/// What is known of this domain's bursts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Appetite {
    heights: Histogram,
    rates: Histogram,
    burst: Option<Burst>,
}

impl Appetite {
    /// There was none yet.
    pub const fn new() -> Self {
        Self {
            heights: Histogram::new(),
            rates: Histogram::new(),
            burst: None,
        }
    }

    /// So many pages are used.
    pub fn see(&mut self, used: u64, now: Nanos) {
        let Some(burst) = &mut self.burst else {
            self.burst = Some(Burst {
                base: used,
                began: now,
                peak: used,
                peaked: now,
            });
            return;
        };
        if used > burst.peak {
            if burst.peak == burst.base {
                burst.began = burst.peaked;
            }
            burst.peak = used;
            burst.peaked = now;
        } else if burst.peak == burst.base {
            // It has not begun: what is used falls, or stays.
            burst.base = used;
            burst.peak = used;
            burst.peaked = now;
        } else if now.saturating_sub(burst.peaked) > PAUSE {
            let height = burst.peak - burst.base;
            if height >= LOWEST {
                let took = burst.peaked.saturating_sub(burst.began).max(MILLISECOND);
                self.heights.add(height);
                self.rates.add(height.saturating_mul(SECOND) / took);
            }
            self.burst = None;
        }
    }

    /// How many pages the burst under way will need still: as the last ones that came so far. One
    /// that is higher than any before it is expected to double.
    pub fn remaining(&self) -> u64 {
        let height = self.burst.map_or(0, |burst| burst.peak - burst.base);
        match self.heights.quantile(80, height) {
            Some(expected) => expected - height,
            None => height,
        }
    }

    /// How steep bursts are, in pages a second; 0 if there was none.
    pub fn rate(&self) -> u64 {
        self.rates.quantile(90, 0).unwrap_or(0)
    }
}
