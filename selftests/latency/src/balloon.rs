// SPDX-License-Identifier: GPL-2.0

//! The stock balloon, as a balancer in Dom0 uses it: shrink one domain, then let the other grow.
//!
//! Three balancers: `balloon` knows at once that there is need, writes the targets itself and looks
//! every 200 µs, which is better than any there is; `mem-set` does the same with `xl mem-set`;
//! `polling` notices the need only when it next looks.

use crate::{
    malloc::Known,
    options::Options,
    record::Record,
    samples::Samples,
    xen::{Hypervisor, Store},
};
use std::{
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

const STEP: Duration = Duration::from_micros(200);
const LIMIT: Duration = Duration::from_secs(60);

struct Pair {
    store: Store,
    hypervisor: Hypervisor,
    donor: u16,
    requester: u16,
    tool: bool,
}

pub fn series(options: &Options) -> Result<(), String> {
    let known = Known::read(options)?;
    let mut pair = Pair {
        store: Store::open()?,
        hypervisor: Hypervisor::open()?,
        donor: options.donor.ok_or("balloon wants --donor ID")?,
        requester: options.requester.ok_or("balloon wants --requester ID")?,
        tool: options.tool,
    };
    for (size_kb, runs) in options.plan() {
        let mut samples = Samples::default();
        for run in 0..runs {
            let (donor, requester) = (pair.donor, pair.requester);
            let begin = Instant::now();
            sleep(until_noticed(options.period, run, runs));
            pair.shift(donor, requester, size_kb)?;
            samples.push(begin.elapsed().as_nanos() as u64);
            pair.shift(requester, donor, size_kb)?;
            sleep(options.settle);
        }
        let malloc = known.median(&options.guest, size_kb);
        let path = match (options.period, options.tool) {
            (Some(_), _) => "polling",
            (None, true) => "mem-set",
            (None, false) => "balloon",
        };
        let record = Record::new(options, path, size_kb, &samples, malloc);
        println!("{record}");
    }
    Ok(())
}

/// How long a balancer takes to notice the need of a run: need comes at evenly spread moments of
/// its period.
pub fn until_noticed(period: Option<Duration>, run: usize, runs: usize) -> Duration {
    let period = period.unwrap_or_default();
    period * (2 * run as u32 + 1) / (2 * runs as u32)
}

impl Pair {
    /// Moves memory; returns when it has arrived.
    fn shift(&mut self, from: u16, to: u16, size_kb: u64) -> Result<(), String> {
        let left = self.hypervisor.size(from)?.saturating_sub(size_kb);
        let target = self.store.target(from)?.saturating_sub(size_kb);
        self.set_target(from, target)?;
        self.wait(from, |size| size <= left)?;

        let reached = self.hypervisor.size(to)? + size_kb;
        let target = self.store.target(to)? + size_kb;
        self.set_target(to, target)?;
        self.wait(to, |size| size >= reached)
    }

    fn set_target(&mut self, domain: u16, kib: u64) -> Result<(), String> {
        if !self.tool {
            return self.store.set_target(domain, kib);
        }
        let (domain, size) = (domain.to_string(), format!("{kib}k"));
        match Command::new("xl")
            .args(["mem-set", &domain, &size])
            .status()
        {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("xl mem-set {domain} {size}: {status}")),
            Err(why) => Err(format!("xl: {why}")),
        }
    }

    fn wait(&self, domain: u16, done: impl Fn(u64) -> bool) -> Result<(), String> {
        let begin = Instant::now();
        while !done(self.hypervisor.size(domain)?) {
            if begin.elapsed() > LIMIT {
                return Err(format!(
                    "domain {domain} has not reached its target in 60 s"
                ));
            }
            sleep(STEP);
        }
        Ok(())
    }
}
