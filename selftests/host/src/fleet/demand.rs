// SPDX-License-Identifier: GPL-2.0

//! What a domain would use over time if it had all it needs.

use std::cmp::Ordering;

use cmm::coordinator::{Nanos, MICROSECOND, MILLISECOND, SECOND};
use cmm_bursts::shapes::{Generator, Shape};

use crate::random::Random;

/// Pages in a MiB.
pub const MIB: u64 = 256;

/// Of the domains that the bursts are scaled by: 2 GiB.
pub const SIZE: u64 = 2_048 * MIB;

/// From this moment on it rises to `goal`, so fast; or falls to it at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// When.
    pub from: Nanos,
    /// In pages.
    pub goal: u64,
    /// In pages a second.
    pub rate: f64,
    /// This is where a burst begins, or its end.
    pub begins: bool,
}

/// Bursts of a working set between two sizes, in percent of the domain's, that last and pause for so
/// many seconds in the mean.
#[derive(Clone, Copy, Debug)]
pub struct Bursts {
    /// What is used between bursts.
    pub base: u64,
    /// What is used in the highest; the others are half as high at least.
    pub peak: u64,
    /// Seconds between bursts.
    pub calm: u64,
    /// Seconds that they last.
    pub burst: u64,
}

/// Programs use memory so fast in a burst, in MiB a second: recordings show 100 MiB/s to 1 GiB/s.
const SLOWEST: f64 = 100.0;
const FASTEST: f64 = 1_000.0;

/// A time between two changes, however short chance would have it.
const SHORTEST: Nanos = 50 * MILLISECOND;

/// The kernel and what always runs, beside what was recorded: 96 MiB.
const ALWAYS: u64 = 96 * MIB;

impl Bursts {
    /// The demand of a domain of that size for so long.
    pub fn demand(&self, size: u64, end: Nanos, mut random: Random) -> Vec<Segment> {
        let of = |percent: u64| size * percent / 100;
        let (base, height) = (of(self.base), of(self.peak - self.base));
        let at = |from, goal, rate, begins| Segment {
            from,
            goal,
            rate,
            begins,
        };
        let mut segments = vec![at(0, base, 0.0, false)];
        let mut time = random.range(0, 2 * SECOND);
        while time < end {
            let part = 0.5 + 0.5 * random.fraction();
            let rate = SLOWEST * (FASTEST / SLOWEST).powf(random.fraction()) * MIB as f64;
            let goal = base + (height as f64 * part) as u64;
            segments.push(at(time, goal, rate, true));
            time += span(self.burst, &mut random);
            segments.push(at(time, base, rate, true));
            time += span(self.calm, &mut random);
        }
        segments
    }
}

fn span(seconds: u64, random: &mut Random) -> Nanos {
    let stretch = -(1.0 - random.fraction()).ln();
    let span = (seconds * SECOND) as f64 * stretch;
    SHORTEST.max(span as Nanos)
}

/// The demand of a domain that runs one of the recorded programs for so long.
pub fn recorded(shapes: &[Shape], name: &str, end: Nanos, seed: u64) -> Vec<Segment> {
    let mut segments = vec![Segment {
        from: 0,
        goal: ALWAYS,
        rate: 0.0,
        begins: false,
    }];
    let Some(points) = Generator::new(shapes, name, seed) else {
        return segments;
    };
    // Each point is where a step ends; a burst begins with the first step up after one down.
    let (mut time, mut need, mut rises) = (0, ALWAYS, false);
    for point in points.take_while(|point| point.time * MICROSECOND < end) {
        let (from, goal) = (point.time * MICROSECOND, ALWAYS + point.need);
        match goal.cmp(&need) {
            Ordering::Greater => {
                let took = (from - time).max(MILLISECOND);
                segments.push(Segment {
                    from: time,
                    goal,
                    rate: (goal - need) as f64 * SECOND as f64 / took as f64,
                    begins: !rises,
                });
            }
            Ordering::Less => segments.push(Segment {
                from,
                goal,
                rate: 0.0,
                begins: true,
            }),
            Ordering::Equal => {}
        }
        rises = goal > need || (rises && goal == need);
        (time, need) = (from, goal);
    }
    segments
}

/// What would be used at moments so far apart, in pages.
fn levels(segments: &[Segment], end: Nanos, step: Nanos) -> Vec<f64> {
    let mut level = 0.0_f64;
    let mut next = 0;
    let mut levels = Vec::with_capacity((end / step) as usize);
    let (mut goal, mut rate) = (0.0, 0.0);
    for time in (0..end).step_by(step as usize) {
        while let Some(segment) = segments.get(next).filter(|segment| segment.from <= time) {
            (goal, rate) = (segment.goal as f64, segment.rate);
            if goal < level || rate == 0.0 {
                level = goal;
            }
            next += 1;
        }
        levels.push(level);
        level = goal.min(level + rate * step as f64 / SECOND as f64);
    }
    levels
}

/// What all of them would use together, each 5 ms.
pub fn total(all: &[Vec<Segment>], end: Nanos) -> Vec<f64> {
    const STEP: Nanos = 5 * MILLISECOND;
    let mut sums = vec![0.0; (end / STEP) as usize];
    for segments in all {
        for (sum, level) in sums.iter_mut().zip(levels(segments, end, STEP)) {
            *sum += level;
        }
    }
    sums
}

/// The mean of these.
pub fn mean(totals: &[f64]) -> f64 {
    totals.iter().sum::<f64>() / totals.len().max(1) as f64
}

/// What of it a host of so many pages could not meet, in percent, if memory were wherever it is
/// needed, at once.
pub fn unavoidable(totals: &[f64], pages: u64) -> f64 {
    let lacking: f64 = totals.iter().map(|sum| (sum - pages as f64).max(0.0)).sum();
    lacking * 100.0 / totals.iter().sum::<f64>().max(1.0)
}
