// SPDX-License-Identifier: GPL-2.0

//! The ways to get memory from the own kernel, beside each other.

use crate::{malloc, memory, options::Options, record::Record, samples::Samples};

/// The size of a huge page.
const HUGE_PAGE_KB: u64 = 2048;

/// Measures the ways to get memory from the own kernel.
pub fn measure(options: &Options) -> Result<(), String> {
    memory::no_huge_pages()?;
    for (size_kb, runs) in options.plan() {
        let mmap = malloc::measure(size_kb, runs)?;
        let malloc = mmap.percentile(50);
        let print = |path: &str, samples: &Samples| {
            println!("{}", Record::new(options, path, size_kb, samples, malloc));
        };
        print("mmap", &mmap);
        let allocated = memory::series(memory::allocate_and_touch, size_kb, runs)?;
        print("malloc", &allocated);
        if size_kb >= HUGE_PAGE_KB {
            let huge =
                memory::with_huge_pages(|| memory::series(memory::map_and_touch, size_kb, runs))?;
            match huge {
                Some(huge) => print("huge", &huge),
                None => eprintln!("this kernel has no huge pages here"),
            }
        }
    }
    Ok(())
}
