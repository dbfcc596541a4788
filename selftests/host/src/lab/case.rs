// SPDX-License-Identifier: GPL-2.0

//! Four domains of the lab, and what each would use over time: the same whoever manages, and the same in the
//! simulator.

use cmm::coordinator::Nanos;

use crate::fleet::demand::{mean, total, Bursts, Segment, MIB};
use crate::random::Random;

/// How many.
pub const DOMAINS: usize = 4;

/// For how long they play, if nobody says otherwise.
pub const SECONDS: u64 = 12;

/// What each has at first.
pub const SIZE: u64 = 256 * MIB;

/// What each may have.
pub const CEILING: u64 = 512 * MIB;

/// What they share.
pub const HOST: u64 = DOMAINS as u64 * SIZE;

/// What a program cannot have of a domain's memory in which nothing else runs: it is killed when it has the rest.
pub const ALWAYS: u64 = 100 * MIB;

/// What is left free of the largest domain at the highest peak: what the kernel needs for the rest of its pages grows.
const ROOM: u64 = 32 * MIB;

/// The steepest, in pages a second: the lab's domains share a CPU, on which a page takes 4 to 7 us to be touched.
const STEEPEST: f64 = (300 * MIB) as f64;

/// In percent of the size, and in seconds, before it is scaled to the load.
const LOADS: [(u32, Bursts); 3] = [
    (70, bursts(20, 150, 2)),
    (85, bursts(30, 140, 2)),
    (95, bursts(40, 140, 1)),
];

const fn bursts(base: u64, peak: u64, calm: u64) -> Bursts {
    Bursts {
        base,
        peak,
        calm,
        burst: 1,
    }
}

/// What they share is wanted to so many percent in the mean.
pub fn loads() -> impl Iterator<Item = u32> {
    LOADS.into_iter().map(|(load, _)| load)
}

/// What each would use; `None` if that load is not played.
pub fn demands(load: u32, seed: u64, end: Nanos) -> Option<Vec<Vec<Segment>>> {
    let (_, bursts) = LOADS.iter().find(|(played, _)| *played == load)?;
    let random = |dom| Random::new(seed * 1_000_003 + dom);
    let demand = |dom| bursts.demand(SIZE, end, random(dom));
    let raw: Vec<_> = (0..DOMAINS as u64).map(demand).collect();
    let wanted = HOST as f64 * f64::from(load) / 100.0;
    // What is higher takes longer to rise to: so the mean does not grow as the height does.
    let mut scale = 1.0;
    let mut all = scaled(&raw, scale);
    for _ in 0..8 {
        let always = (DOMAINS as u64 * ALWAYS) as f64;
        scale *= (wanted - always) / (mean(&total(&all, end)) - always);
        all = scaled(&raw, scale);
    }
    Some(all)
}

/// What always runs, and so many times what is to run besides.
fn scaled(raw: &[Vec<Segment>], scale: f64) -> Vec<Vec<Segment>> {
    let most = CEILING - ALWAYS - ROOM;
    let goal = |goal: u64| ALWAYS + ((goal as f64 * scale) as u64).min(most);
    let one = |segment: &Segment| Segment {
        goal: goal(segment.goal),
        rate: segment.rate.min(STEEPEST),
        ..*segment
    };
    let domain = |segments: &Vec<Segment>| segments.iter().map(one).collect();
    raw.iter().map(domain).collect()
}
