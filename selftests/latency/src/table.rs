// SPDX-License-Identifier: GPL-2.0

//! The limits, and the table that holds results against them.

use crate::{options::Options, record::Record};
use std::{fs, process::ExitCode};

/// A limit: the ratio to malloc that sizes of at least `from` and at most `to` KiB may have.
struct Limit {
    what: &'static str,
    path: &'static str,
    from: u64,
    to: u64,
    pv: f64,
    pvh: f64,
}

/// The case of transfers with other load beside.
const INTERFERENCE: &str = "interference";

const LIMITS: [Limit; 6] = [
    limit(
        "warm reserve, 2 MiB and more",
        "reserve",
        2048,
        u64::MAX,
        0.3,
        0.3,
    ),
    limit("warm reserve, 64 KiB", "reserve", 64, 64, 1.0, 2.0),
    limit("credit, 64 KiB", "credit", 64, 64, 0.5, 2.0),
    limit("credit, 4 KiB", "credit", 4, 4, 1.0, 1.0),
    limit("cold, 2 MiB and more", "cold", 2048, u64::MAX, 0.6, 3.0),
    limit("cold, 64 KiB", "cold", 64, 64, 2.0, 4.0),
];

const fn limit(
    what: &'static str,
    path: &'static str,
    from: u64,
    to: u64,
    pv: f64,
    pvh: f64,
) -> Limit {
    Limit {
        what,
        path,
        from,
        to,
        pv,
        pvh,
    }
}

fn read(options: &Options) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    for file in &options.files {
        let text = fs::read_to_string(file).map_err(|why| format!("{file}: {why}"))?;
        records.extend(text.lines().filter_map(Record::parse));
    }
    Ok(records)
}

/// Prints a line a result: case, guest, path, scheduler, hogs, size, p50, p90, p99, max, malloc.
pub fn columns(options: &Options) -> Result<(), String> {
    for r in read(options)? {
        println!(
            "{} {} {} {} {} {} {} {} {} {} {}",
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
            r.malloc
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
    print_interference(&records);
    let missed = print_limits(&records);
    if options.strict && missed > 0 {
        eprintln!("cmm-latency: {missed} limits are missed or were not measured");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The bare loop's median for the same work.
fn bare(records: &[Record], of: &Record) -> Option<u64> {
    let bare = records
        .iter()
        .find(|bare| bare.path == "bare" && bare.guest == of.guest && bare.size_kb == of.size_kb)?;
    match of.path.as_str() {
        "reserve" | "credit" => bare.requester,
        _ => Some(bare.p50),
    }
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

fn print_all(records: &[Record]) {
    println!("Times in microseconds; \"bare\" is the same work in a plain loop, without asking anybody.\n");
    println!(
        "{:5} {:8} {:>9} {:>3} {:>10} {:>10} {:>10} {:>10} {:>8} {:>10}",
        "guest", "path", "size KiB", "n", "p50", "p99", "malloc", "bare", "x malloc", "above bare"
    );
    for record in records.iter().filter(|record| record.case != INTERFERENCE) {
        let bare = bare(records, record);
        println!(
            "{:5} {:8} {:>9} {:>3} {:>10.1} {:>10.1} {:>10.1} {:>10} {:>8.2} {:>10}",
            record.guest,
            record.path,
            record.size_kb,
            record.n,
            micros(record.p50),
            micros(record.p99),
            micros(record.malloc),
            bare.map_or("-".into(), |bare| format!("{:.1}", micros(bare))),
            record.ratio(),
            bare.map_or("-".into(), |bare| format!(
                "{:.1}",
                micros(record.p50) - micros(bare)
            )),
        );
    }
}

/// Transfers while other domains burn all CPUs.
fn print_interference(records: &[Record]) {
    let of_case = || records.iter().filter(|record| record.case == INTERFERENCE);
    if of_case().next().is_none() {
        return;
    }
    println!("\nWith other domains burning the CPU, in microseconds (p99 beside the median without them):\n");
    println!(
        "{:5} {:8} {:18} {:>4} {:>9} {:>3} {:>10} {:>10} {:>10} {:>9}",
        "guest", "path", "scheduler", "hogs", "size KiB", "n", "p50", "p99", "max", "p99/idle"
    );
    for record in of_case() {
        let idle = of_case().find(|idle| {
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

/// Returns how many limits are missed, or could not be looked at.
fn print_limits(records: &[Record]) -> usize {
    let mut missed = 0;
    println!("\nMedian, as a multiple of malloc + touch (the worst of the sizes):\n");
    println!(
        "{:30} {:5} {:>6} {:>9} {:>6}",
        "", "guest", "limit", "measured", "bare"
    );
    for limit in &LIMITS {
        for (guest, most) in [("pv", limit.pv), ("pvh", limit.pvh)] {
            let worst = records
                .iter()
                .filter(|record| {
                    record.case == "transfer"
                        && record.guest == guest
                        && record.path == limit.path
                        && (limit.from..=limit.to).contains(&record.size_kb)
                })
                .max_by(|a, b| a.ratio().total_cmp(&b.ratio()));
            let Some(worst) = worst else {
                println!(
                    "{:30} {guest:5} {most:>6} {:>9} {:>6} none",
                    limit.what, "-", "-"
                );
                missed += 1;
                continue;
            };
            let passed = worst.ratio() <= most;
            missed += usize::from(!passed);
            println!(
                "{:30} {guest:5} {most:>6} {:>9.2} {:>6} {} ({} KiB)",
                limit.what,
                worst.ratio(),
                bare(records, worst).map_or("-".into(), |bare| format!(
                    "{:.2}",
                    bare as f64 / worst.malloc as f64
                )),
                if passed { "PASS" } else { "FAIL" },
                worst.size_kb,
            );
        }
    }
    missed
}
