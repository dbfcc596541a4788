// SPDX-License-Identifier: GPL-2.0

//! watcher: writes down what a domain has and uses, fifty times a second.

use std::env;
use std::fs;
use std::io;
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

const USAGE: &str = "Usage: watcher SECONDS >FILE

A line each 20 ms: seconds since it began, what the kernel has, and what of that is used and could
not be had back, in MiB.
";

const EVERY: Duration = Duration::from_millis(20);

fn field(meminfo: &str, name: &str) -> Option<f64> {
    let line = meminfo.lines().find(|line| line.starts_with(name))?;
    let kib: f64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

fn watch(duration: Duration) -> io::Result<()> {
    let began = Instant::now();
    let mut due = Duration::ZERO;
    while due < duration {
        thread::sleep(due.saturating_sub(began.elapsed()));
        let meminfo = fs::read_to_string("/proc/meminfo")?;
        let numbers = field(&meminfo, "MemTotal:").zip(field(&meminfo, "MemAvailable:"));
        let (total, available) = numbers.ok_or(io::ErrorKind::InvalidData)?;
        let at = began.elapsed().as_secs_f64();
        println!("{at:.2}\t{total:.1}\t{:.1}", total - available);
        due += EVERY;
    }
    Ok(())
}

fn main() {
    let mut arguments = env::args().skip(1);
    let seconds = arguments.next().and_then(|text| text.parse().ok());
    let (Some(seconds), None) = (seconds, arguments.next()) else {
        eprint!("{USAGE}");
        exit(2);
    };
    if let Err(error) = watch(Duration::from_secs(seconds)) {
        eprintln!("watcher: /proc/meminfo: {error}");
        exit(1);
    }
}
