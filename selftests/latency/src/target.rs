// SPDX-License-Identifier: GPL-2.0

//! The stock balloon by its own file, `target_kb`, in this domain: as a donor, then as a requester.
//!
//! `target_kb` adds both: what a balancer would need that could write the files of both domains at
//! once. `self` is a domain that balloons itself: it looks at its own need every so often, and the
//! donor has given its memory to Xen long before.

use crate::{balloon::until_noticed, malloc, options::Options, record::Record, samples::Samples};
use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

const BALLOON: &str = "/sys/devices/system/xen_memory/xen_memory0";
const STEP: Duration = Duration::from_micros(200);
const LIMIT: Duration = Duration::from_secs(60);

/// How often a domain that balloons itself looked at its need, in the driver Linux once had.
const SELF_PERIOD: Duration = Duration::from_secs(5);

pub fn series(options: &Options) -> Result<(), String> {
    for (size_kb, runs) in options.plan() {
        let (mut both, mut grow, mut own) = <(Samples, Samples, Samples)>::default();
        let malloc = malloc::median(options, size_kb, runs)?;
        let target = read("target_kb")?;
        for run in 0..runs {
            let shrunk = set_target(target - size_kb)?;
            sleep(options.settle);
            let grown = set_target(target)?;
            sleep(options.settle);
            both.push(shrunk + grown);
            grow.push(grown);
            // Waiting makes no difference to the work, so it need not be done.
            own.push(grown + until_noticed(Some(SELF_PERIOD), run, runs).as_nanos() as u64);
        }
        let mut record = Record::new(options, "target_kb", size_kb, &both, malloc);
        record.requester = Some(grow.percentile(50));
        println!("{record}");
        println!("{}", Record::new(options, "self", size_kb, &own, malloc));
    }
    Ok(())
}

/// Changes this domain's size; returns how many ns it took until it had that.
fn set_target(kib: u64) -> Result<u64, String> {
    let path = format!("{BALLOON}/target_kb");
    let begin = Instant::now();
    fs::write(&path, kib.to_string()).map_err(|why| format!("{path}: {why}"))?;
    while read("info/current_kb")? != kib {
        if begin.elapsed() > LIMIT {
            return Err(format!("the balloon has not reached {kib} KiB in 60 s"));
        }
        sleep(STEP);
    }
    Ok(begin.elapsed().as_nanos() as u64)
}

fn read(name: &str) -> Result<u64, String> {
    let path = format!("{BALLOON}/{name}");
    let text = fs::read_to_string(&path).map_err(|why| format!("{path}: {why}"))?;
    text.trim()
        .parse()
        .map_err(|_| format!("{path} is no number"))
}
