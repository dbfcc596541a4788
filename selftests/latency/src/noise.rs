// SPDX-License-Identifier: GPL-2.0

//! How quiet the machine is: the same work over and over, which would take the same time each time
//! if nothing else happened.

use crate::{
    options::Options,
    record::{of_case, Record},
    samples::Samples,
};
use std::{hint::black_box, time::Instant};

/// The case of records of noise.
pub const CASE: &str = "noise";

const ROUNDS: usize = 1000;
const STEPS: u32 = 10_000;

/// How long an empty loop takes.
pub fn empty_loop() -> Samples {
    let mut samples = Samples::default();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for step in 0..STEPS {
            black_box(step);
        }
        samples.push(begin.elapsed().as_nanos() as u64);
    }
    samples
}

/// Prints how much the time of the same work varies.
pub fn print_table(records: &[Record]) {
    let of_case = of_case(records, CASE);
    if of_case.is_empty() {
        return;
    }
    println!("\nHow quiet the machine was: the same work over and over, in ns:\n");
    println!(
        "{:5} {:10} {:>6} {:>10} {:>10} {:>10}",
        "guest", "what", "n", "p50", "p99", "max"
    );
    for r in of_case {
        println!(
            "{:5} {:10} {:>6} {:>10} {:>10} {:>10}",
            r.guest, r.path, r.n, r.p50, r.p99, r.max
        );
    }
}

pub fn print(options: &Options) -> Result<(), String> {
    let mut record = Record::new(options, "loop", 0, &empty_loop(), 0);
    record.case = CASE.into();
    println!("{record}");
    Ok(())
}
