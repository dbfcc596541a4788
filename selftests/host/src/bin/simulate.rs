// SPDX-License-Identifier: GPL-2.0

//! Runs both halves: the coordinator, and the clients of a crowd of simulated domains.

use std::env;
use std::panic;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use cmm_host_tests::chronicle::Chronicle;
use cmm_host_tests::crowd::{Crowd, Plan};

const USAGE: &str = "\
Usage: simulate [--seed N] [--domains N] [--events N] [--out DIRECTORY]

Lets the coordinator serve the clients of a crowd of domains: well-behaved, slow,
half-stuck, stuck, greedy, dying, and with every other seed lying ones. What must
always hold is checked after every event. The same numbers give the same run.

  --seed N         decides everything (default: by the clock)
  --domains N      how many domains, 2 to 20000 (default: 1000)
  --events N       how many events the coordinator handles (default: 1000000)
  --out DIRECTORY  write there who had how much memory when, as tables
";

struct Arguments {
    plan: Plan,
    out: Option<PathBuf>,
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut arguments = Arguments {
        plan: Plan {
            seed: clock.map_or(1, |time| u64::from(time.subsec_nanos())),
            domains: 1_000,
            events: 1_000_000,
        },
        out: None,
    };
    while let Some(option) = words.next() {
        if option == "--help" || option == "-h" {
            return Ok(None);
        }
        let value = words.next().ok_or(format!("{option} needs a value"))?;
        let number = |least: u64, most: u64| match value.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(format!(
                "{option} takes a number from {least} to {most}, not '{value}'"
            )),
        };
        match option.as_str() {
            "--seed" => arguments.plan.seed = number(0, u64::MAX)?,
            "--domains" => arguments.plan.domains = number(2, 20_000)? as u16,
            "--events" => arguments.plan.events = number(1, u64::MAX)?,
            "--out" => arguments.out = Some(PathBuf::from(value)),
            _ => return Err(format!("no option {option}; see simulate --help")),
        }
    }
    Ok(Some(arguments))
}

fn main() -> ExitCode {
    let Arguments { plan, out } = match parse(env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("simulate: error: {error}");
            return ExitCode::from(2);
        }
    };
    let Plan {
        seed,
        domains,
        events,
    } = plan;
    println!("seed {seed}: {domains} domains, {events} events");
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        report(info);
        eprintln!(
            "simulate: error: a rule is broken. This shows it again:\n    \
             make simulate SEED={seed} DOMAINS={domains} EVENTS={events}"
        );
    }));

    let start = Instant::now();
    let mut crowd = Crowd::new(plan);
    let mut chronicle = Chronicle::new(&crowd);
    crowd.run(|crowd| chronicle.watch(crowd));
    let (lived, virtual_seconds) = (start.elapsed(), crowd.sim.world.now / 1_000_000_000);
    crowd.finish();
    let world = &crowd.sim.world;
    println!(
        "all rules kept for {virtual_seconds} s of the simulated clock, in {:.1} s: {} messages sent, {} GiB moved, \
         {} domains disconnected",
        lived.as_secs_f64(),
        world.sent,
        world.granted >> 18,
        world.disconnected.len()
    );
    if let Some(directory) = out {
        if let Err(error) = chronicle.write(&directory, &crowd) {
            eprintln!(
                "simulate: error: cannot write to {}: {error}",
                directory.display()
            );
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
