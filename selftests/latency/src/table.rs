// SPDX-License-Identifier: GPL-2.0

//! Results for people: tables, and columns for plots.

use crate::{
    cost, limits, noise,
    options::Options,
    phases,
    record::{of_case, Record},
};
use std::{fs, process::ExitCode};

/// The case of transfers with other load beside.
const INTERFERENCE: &str = "interference";

pub fn read(options: &Options) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    for file in &options.files {
        let text = fs::read_to_string(file).map_err(|why| format!("{file}: {why}"))?;
        records.extend(text.lines().filter_map(Record::parse));
    }
    Ok(records)
}

/// Prints a line a result: case, guest, path, scheduler, hogs, size, p50, p90, p99, max, malloc, part.
pub fn columns(options: &Options) -> Result<(), String> {
    for r in read(options)? {
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

pub fn print(options: &Options) -> ExitCode {
    let records = match read(options) {
        Ok(records) => records,
        Err(what) => {
            eprintln!("cmm-latency: {what}");
            return ExitCode::FAILURE;
        }
    };
    print_all(&records);
    phases::print(&records);
    cost::print(&records);
    noise::print_table(&records);
    print_interference(&records);
    let missed = limits::print(&records);
    if options.strict && missed > 0 {
        eprintln!("cmm-latency: {missed} limits are missed or were not measured");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The bare loop's median for the same work, if this is of a transfer.
pub fn bare(records: &[Record], of: &Record) -> Option<u64> {
    if of.case != "transfer" {
        return None;
    }
    let bare = records.iter().find(|bare| {
        is_way(bare) && bare.path == "bare" && bare.guest == of.guest && bare.size_kb == of.size_kb
    })?;
    match of.path.trim_end_matches("-row") {
        "reserve" | "credit" => bare.requester,
        _ => Some(bare.p50),
    }
}

/// Whether this is of one of the ways to get memory.
fn is_way(record: &&Record) -> bool {
    record.case == "transfer" || record.case == "own"
}

/// How fast the memory comes.
fn gib_per_second(record: &Record) -> f64 {
    let gib = record.size_kb as f64 / (1 << 20) as f64;
    gib / (record.p50 as f64 / 1e9)
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

fn print_all(records: &[Record]) {
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
    for record in records.iter().filter(is_way) {
        let bare = bare(records, record);
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
fn print_interference(records: &[Record]) {
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
