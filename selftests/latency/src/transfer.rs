// SPDX-License-Identifier: GPL-2.0

//! Memory from another domain: requests of each size, beside malloc.

use crate::{knobs::Knobs, malloc, options::Options, record::Record, samples::Samples};

/// Asks for memory of each size, and prints how long it took beside malloc.
pub fn measure(options: &Options) -> Result<(), String> {
    let mut knobs = Knobs::open()?;
    if options.row {
        knobs.fetch_ahead()?;
    }
    let once = if options.row { Knobs::row } else { Knobs::once };
    for (size_kb, runs) in options.plan() {
        let malloc = malloc::median(options, size_kb, runs)?;
        let mut samples = Samples::default();
        once(&mut knobs, size_kb, options)?;
        for _ in 0..runs {
            samples.push(once(&mut knobs, size_kb, options)?);
        }
        let record = Record::new(options, &options.path, size_kb, &samples, malloc);
        println!("{record}");
        if options.parts {
            print!("{}", knobs.parts()?);
        }
    }
    Ok(())
}
