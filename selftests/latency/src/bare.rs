// SPDX-License-Identifier: GPL-2.0

//! The bare hypercalls: what the module cmm-bare has measured, as results.

use crate::{malloc, noise, options::Options, phases, record::Record, samples::Samples};
use std::io;

/// What the module cmm-bare does for each extent: the donor's part, and then the requester's.
const BARE_PHASES: [&str; 6] = ["allocate", "unmap", "release", "populate", "map", "free"];
const DONOR_PHASES: usize = 3;

/// A run of the module's: the size, and the ns of each phase.
struct Bare {
    size_kb: u64,
    phases: [u64; BARE_PHASES.len()],
}

impl Bare {
    /// Reads the last words of a line, if they are numbers.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().rev();
        let mut phases = [0; BARE_PHASES.len()];
        for nanos in phases.iter_mut().rev() {
            *nanos = words.next()?.parse().ok()?;
        }
        let size_kb = words.next()?.parse().ok()?;
        Some(Self { size_kb, phases })
    }
}

/// Reads "null N P50 P90 P99 MAX": hypercalls that do nothing, in ns.
fn parse_null(line: &str) -> Option<Record> {
    let (_, numbers) = line.split_once("null ")?;
    let numbers: Vec<u64> = numbers
        .split_whitespace()
        .map_while(|number| number.parse().ok())
        .collect();
    let [n, p50, p90, p99, max] = numbers[..] else {
        return None;
    };
    Some(Record {
        path: "hypercall".into(),
        n: n as usize,
        p50,
        p90,
        p99,
        max,
        ..Record::default()
    })
}

/// Turns the lines of the module cmm-bare on stdin, "SIZE_KB" and the ns of each phase, into results:
/// the bound, its phases, and what allocating memory costs in the kernel.
pub fn results(options: &Options) -> Result<(), String> {
    let text = io::read_to_string(io::stdin()).map_err(|why| format!("cannot read: {why}"))?;
    let runs: Vec<Bare> = text.lines().filter_map(Bare::parse).collect();
    let known = malloc::Known::read(options)?;
    let null = text.lines().find_map(parse_null);
    let mut quiet = null.ok_or("cmm-bare has measured no hypercall")?;
    quiet.case = noise::CASE.into();
    quiet.guest = options.guest.clone();
    quiet.sched = options.sched.clone();
    println!("{quiet}");

    for &size_kb in &options.sizes {
        let of_size = || runs.iter().filter(|run| run.size_kb == size_kb);
        let samples = |of: fn(&Bare) -> u64| {
            let mut samples = Samples::default();
            of_size().for_each(|run| samples.push(of(run)));
            samples
        };
        if of_size().next().is_none() {
            continue;
        }
        let malloc = known.median(&options.guest, size_kb);
        let both = samples(|run| run.phases.iter().sum());
        let requester = samples(|run| run.phases[DONOR_PHASES..].iter().sum());
        let mut record = Record::new(options, "bare", size_kb, &both, malloc);
        record.requester = Some(requester.percentile(50));
        println!("{record}");

        let allocated = samples(|run| run.phases[0]);
        let mut record = Record::new(options, "kernel", size_kb, &allocated, malloc);
        record.case = "own".into();
        println!("{record}");

        for (i, phase) in BARE_PHASES.iter().enumerate() {
            let mut samples = Samples::default();
            of_size().for_each(|run| samples.push(run.phases[i]));
            let mut record = Record::new(options, "bare", size_kb, &samples, malloc);
            record.case = phases::CASE.into();
            record.part = Some((*phase).into());
            println!("{record}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{parse_null, Bare};

    #[test]
    fn lines_of_the_module() {
        let run = Bare::parse("[ 1.5] cmm-bare: 4 1 2 3 4 5 6").unwrap();
        assert_eq!((run.size_kb, run.phases), (4, [1, 2, 3, 4, 5, 6]));
        assert!(Bare::parse("cmm-bare: done").is_none());
        let null = "cmm-bare: null 1000 1 2 3 4";
        assert!(Bare::parse(null).is_none());
        assert_eq!(
            parse_null(null).map(|null| (null.n, null.max)),
            Some((1000, 4))
        );
    }
}
