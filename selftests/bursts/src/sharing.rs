// SPDX-License-Identifier: GPL-2.0

//! How much memory a host saves if bursts share it: the sum of peaks beside the peak of sums.

use crate::random::Random;
use crate::series::Series;

/// How far apart the sums are taken, in µs.
const STEP: u64 = 20_000;

/// For how long they are, in µs.
const SPAN: u64 = 300_000_000;

/// What so many domains need, in pages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shared {
    /// If each has its own peak.
    pub sum_of_peaks: u64,
    /// If all have together what all need at any moment.
    pub peak_of_sums: u64,
    /// What all need in the mean.
    pub mean: f64,
}

impl Shared {
    /// What is saved, in percent of the sum of peaks.
    pub fn saved(&self) -> f64 {
        100.0 - self.peak_of_sums as f64 * 100.0 / self.sum_of_peaks.max(1) as f64
    }
}

/// What `domains` need that each play one of these over and over, each from a moment of its own that
/// the seed says, and rest after it for `rests` times as long with what it needed at first.
pub fn share(all: &[Series], domains: usize, rests: u64, seed: u64) -> Shared {
    let mut random = Random::new(seed);
    let mut sums = vec![0_u64; (SPAN / STEP) as usize];
    let mut sum_of_peaks = 0;
    for _ in 0..domains {
        let series = &all[random.range(0, all.len() as u64) as usize];
        let round = series.end.max(1) * (1 + rests);
        let offset = random.range(0, round);
        sum_of_peaks += series.peak();
        for (i, sum) in (0..).zip(&mut sums) {
            let time = (offset + i * STEP) % round;
            *sum += series.at(if time < series.end { time } else { 0 });
        }
    }
    Shared {
        sum_of_peaks,
        peak_of_sums: sums.iter().copied().max().unwrap_or(0),
        mean: sums.iter().sum::<u64>() as f64 / sums.len() as f64,
    }
}
