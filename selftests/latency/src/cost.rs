// SPDX-License-Identifier: GPL-2.0

//! What moving memory costs in CPU time: of Dom0, of requester and donor, and of Xen.
//!
//! A command that moves memory `@` times is run twice, for few and for many times, so that what it
//! costs to run it at all is in neither. Xen's work for a domain is in that domain's time; what is
//! left is Xen's own.

use crate::{
    options::Options,
    record::{of_case, Record},
    xen::Hypervisor,
};
use std::{process::Command, time::Instant};

/// The case of records of CPU time.
pub const CASE: &str = "cpu";

const FEW: u64 = 2;
const MANY: u64 = 10;
const KB_PER_GIB: u64 = 1 << 20;

/// CPU time in ns: of the domains asked for, and of what is neither a domain nor idle.
struct Spent {
    domains: Vec<u64>,
    /// May be below 0 by what it takes to look.
    others: i64,
}

pub fn measure(options: &Options) -> Result<(), String> {
    let requester = options.requester.ok_or("cost wants --requester ID")?;
    let donor = options.donor.ok_or("cost wants --donor ID")?;
    let [size_kb] = options.sizes[..] else {
        return Err("cost wants --sizes with one size".into());
    };
    let [command] = &options.files[..] else {
        return Err("cost wants a command".into());
    };
    let meter = Meter {
        hypervisor: Hypervisor::open()?,
        domains: [0, requester, donor],
    };
    let few = meter.run(command, FEW)?;
    let many = meter.run(command, MANY)?;

    let moved_kb = (MANY - FEW) * size_kb;
    let a_gib = |few: u64, many: u64| {
        let spent = u128::from(many.saturating_sub(few));
        (spent * u128::from(KB_PER_GIB) / u128::from(moved_kb)) as u64
    };
    let print = |part: &str, nanos: u64| {
        let mut record = Record::of_part(options, &options.path, size_kb, part, nanos);
        record.case = CASE.into();
        println!("{record}");
    };
    for (i, part) in ["dom0", "requester", "donor"].iter().enumerate() {
        print(part, a_gib(few.domains[i], many.domains[i]));
    }
    let others = many.others - few.others;
    print("xen", a_gib(0, others.max(0) as u64));
    Ok(())
}

/// Prints, for each way, the CPU time that moving a GiB there and back takes.
pub fn print(records: &[Record]) {
    let of_case = of_case(records, CASE);
    if of_case.is_empty() {
        return;
    }
    println!("\nCPU time of moving a GiB there and back, in ms:\n");
    println!("{:5} {:9} {:10} {:>10}", "guest", "path", "of", "CPU ms");
    for record in of_case {
        println!(
            "{:5} {:9} {:10} {:>10.1}",
            record.guest,
            record.path,
            record.part.as_deref().unwrap_or("-"),
            record.p50 as f64 / 1e6
        );
    }
}

struct Meter {
    hypervisor: Hypervisor,
    domains: [u16; 3],
}

impl Meter {
    /// Runs the command; returns the CPU time that was spent meanwhile.
    fn run(&self, command: &str, times: u64) -> Result<Spent, String> {
        let command = command.replace('@', &times.to_string());
        let (domains, idle) = self.read()?;
        let begin = Instant::now();
        let output = Command::new("sh").args(["-c", &command]).output();
        let elapsed = begin.elapsed();
        let (domains_after, idle_after) = self.read()?;
        let output = output.map_err(|why| format!("{command}: {why}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            return Err(format!("{command}: {}: {said}", output.status));
        }

        let spent: Vec<u64> = domains_after
            .iter()
            .zip(&domains)
            .map(|(after, before)| after - before)
            .collect();
        let all = elapsed * self.hypervisor.cpus()?;
        let used = idle_after - idle + spent.iter().sum::<u64>();
        Ok(Spent {
            others: all.as_nanos() as i64 - used as i64,
            domains: spent,
        })
    }

    fn read(&self) -> Result<(Vec<u64>, u64), String> {
        let domains = self.domains.iter();
        let domains = domains.map(|domain| self.hypervisor.cpu_time(*domain));
        Ok((domains.collect::<Result<_, _>>()?, self.hypervisor.idle()?))
    }
}
