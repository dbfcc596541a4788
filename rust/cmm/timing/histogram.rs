// SPDX-License-Identifier: GPL-2.0

//! How often each phase of a transfer took how long.

use super::stopwatch::{Phase, Stopwatch};
use core::fmt;

/// Times are counted by powers of two: below 256 ns, below 512 ns, ..., and a second or more.
const BUCKETS: usize = 24;
const FIRST_BITS: u32 = 8;

/// A histogram for each phase.
#[derive(Clone, Copy, Debug, Default)]
pub struct Histograms([[u32; BUCKETS]; Phase::ALL.len()]);

impl Histograms {
    /// Counts the phases of a part of a transfer.
    pub fn add(&mut self, stopwatch: &Stopwatch) {
        for (phase, span) in stopwatch.phases() {
            self.count(phase, span.spent);
        }
    }

    /// Counts a phase.
    pub fn count(&mut self, phase: Phase, nanos: u32) {
        let buckets = self.0.get_mut(phase as usize);
        if let Some(count) = buckets.and_then(|buckets| buckets.get_mut(bucket(nanos))) {
            *count = count.saturating_add(1);
        }
    }

    /// Shows a line for each phase that has been: whose part it belongs to, its name, and how often it took less than
    /// each power of two ns, for those powers for which that ever happened, as "<NS:TIMES". What took longer than the
    /// last but one is in the last.
    pub fn show(&self, f: &mut fmt::Formatter<'_>, who: &str) -> fmt::Result {
        for ((_, name), buckets) in Phase::ALL.iter().zip(&self.0) {
            if buckets.iter().all(|count| *count == 0) {
                continue;
            }
            write!(f, "{who} {name}")?;
            for (i, count) in buckets.iter().enumerate() {
                if *count > 0 {
                    write!(f, " <{}:{count}", 1u64 << (FIRST_BITS as usize + i))?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Which bucket counts a time.
fn bucket(nanos: u32) -> usize {
    let bits = u32::BITS - nanos.leading_zeros();
    (bits.saturating_sub(FIRST_BITS) as usize).min(BUCKETS - 1)
}
