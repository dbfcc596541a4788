// SPDX-License-Identifier: GPL-2.0

//! The comparator: `mmap` and first touch of the same size in the same guest.

use crate::{
    memory,
    options::Options,
    record::{self, Record},
    samples::Samples,
};

/// Measures it.
pub fn measure(size_kb: u64, runs: usize) -> Result<Samples, String> {
    memory::series(memory::map_and_touch, size_kb, runs)
}

/// Its median in ns: what the results of `--malloc` say, or what is measured now.
pub fn median(options: &Options, size_kb: u64, runs: usize) -> Result<u64, String> {
    if options.malloc.is_some() {
        return Ok(Known::read(options)?.median(&options.guest, size_kb));
    }
    memory::no_huge_pages()?;
    Ok(measure(size_kb, runs)?.percentile(50))
}

/// What the results of `--malloc` say of it.
pub struct Known(Vec<Record>);

impl Known {
    /// Reads the file of `--malloc`, if there is such an option.
    pub fn read(options: &Options) -> Result<Self, String> {
        record::read(options.malloc.as_slice()).map(Self)
    }

    /// The median in the guest, in ns; 0 if the results do not say.
    pub fn median(&self, guest: &str, size_kb: u64) -> u64 {
        self.0
            .iter()
            .find(|record| record.guest == guest && record.size_kb == size_kb)
            .map_or(0, |record| record.malloc)
    }
}
