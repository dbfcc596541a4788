// SPDX-License-Identifier: GPL-2.0

//! Results for people: tables, and columns for plots.

use crate::{
    options::Options,
    record::{self, of_case, Record},
};

/// The case of transfers with other load beside.
const INTERFERENCE: &str = "interference";

/// Prints a line a result: case, guest, path, scheduler, hogs, size, p50, p90, p99, max, malloc, part.
pub fn columns(options: &Options) -> Result<(), String> {
    for r in record::read(&options.files)? {
        println!(
            "{} {} {} {} {} {} {} {} {} {} {} {}",
            r.case,
            r.guest,
            r.path,
            r.sched,
            r.hogs,
            r.size_kb,
            r.p50,
            r.p90,
            r.p99,
            r.max,
            r.malloc,
            r.part.as_deref().unwrap_or("-").replace(' ', "-"),
        );
    }
    Ok(())
}

/// How fast the memory comes.
fn gib_per_second(record: &Record) -> f64 {
    let gib = record.size_kb as f64 / (1 << 20) as f64;
    gib / (record.p50 as f64 / 1e9)
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

/// Each way to get memory, of each size.
pub fn print_ways(records: &[Record]) {
    println!("Times in microseconds; \"bare\" is the same work in a plain loop, without asking anybody.\n");
    println!(
        "{:5} {:11} {:>9} {:>3} {:>10} {:>10} {:>10} {:>10} {:>10} {:>8} {:>7} {:>10}",
        "guest",
        "path",
        "size KiB",
        "n",
        "p50",
        "p90",
        "p99",
        "max",
        "bare",
        "x malloc",
        "GiB/s",
        "above bare"
    );
    for record in records.iter().filter(|record| record.is_way()) {
        let bare = record::bare(records, record);
        println!(
            "{:5} {:11} {:>9} {:>3} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>10} {:>8.2} {:>7.3} {:>10}",
            record.guest,
            record.path,
            record.size_kb,
            record.n,
            micros(record.p50),
            micros(record.p90),
            micros(record.p99),
            micros(record.max),
            bare.map_or("-".into(), |bare| format!("{:.1}", micros(bare))),
            record.ratio(),
            gib_per_second(record),
            bare.map_or("-".into(), |bare| format!(
                "{:.1}",
                micros(record.p50) - micros(bare)
            )),
        );
    }
}

/// Transfers while other domains burn all CPUs.
pub fn print_interference(records: &[Record]) {
    let of_case = of_case(records, INTERFERENCE);
    if of_case.is_empty() {
        return;
    }
    println!("\nWith other domains burning the CPU, in microseconds (p99 beside the median without them):\n");
    println!(
        "{:5} {:8} {:18} {:>4} {:>9} {:>3} {:>10} {:>10} {:>10} {:>9}",
        "guest", "path", "scheduler", "hogs", "size KiB", "n", "p50", "p99", "max", "p99/idle"
    );
    for record in &of_case {
        let idle = of_case.iter().find(|idle| {
            idle.hogs == 0
                && idle.path == record.path
                && idle.guest == record.guest
                && idle.size_kb == record.size_kb
                && idle.sched == record.sched
        });
        println!(
            "{:5} {:8} {:18} {:>4} {:>9} {:>3} {:>10.1} {:>10.1} {:>10.1} {:>9}",
            record.guest,
            record.path,
            record.sched,
            record.hogs,
            record.size_kb,
            record.n,
            micros(record.p50),
            micros(record.p99),
            micros(record.max),
            idle.map_or("-".into(), |idle| format!(
                "{:.1}",
                record.p99 as f64 / idle.p50 as f64
            )),
        );
    }
}
