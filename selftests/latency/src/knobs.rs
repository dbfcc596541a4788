// SPDX-License-Identifier: GPL-2.0

//! The front-end's files: to ask for memory and to give it back, and how long that takes.

use crate::{options::Options, samples::Samples};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    thread::sleep,
    time::{Duration, Instant},
};

const DEVICE: &str = "/sys/bus/xen/devices/cmm-0";
const TRANSFER: &str = "/sys/kernel/debug/xen-cmm/transfer";

/// How often to measure what a call costs.
const CALLS: usize = 9;

/// How long a request may take: a minute, the most there is.
const DEADLINE_US: &str = "60000000";

/// How much a row of requests brings, and what the driver may fetch ahead in one: what it does at
/// first.
const ROW_KB: u64 = 4096;
const FETCH_AHEAD_KB: &str = "2048";

/// How long to wait until nothing is borrowed any more, in steps.
const STEP: Duration = Duration::from_millis(50);
const STEPS: usize = 600;

/// How much longer to pause after more memory: it has to get back to where it came from.
const PAUSE_US_PER_KB: u64 = 12;

/// The pauses up to `spread`, evenly: the multiples of a prime number of microseconds.
fn stagger(count: u64, spread: Duration) -> Duration {
    let spread_us = (spread.as_micros() as u64).max(1);
    Duration::from_micros(count * 7919 % spread_us)
}

/// Why there was no memory.
pub enum Refused {
    /// Nobody has any to spare.
    NoDonor,
    Other(String),
}

impl From<String> for Refused {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoDonor => "nobody has memory to spare".into(),
            Refused::Other(why) => why,
        }
    }
}

/// The way memory will come, as far as a DomU can tell: `credit`, if it has any, or else `request`,
/// from a donor or the reserve.
pub fn way() -> &'static str {
    match read("credit_kb").as_str() {
        "0" | "" => "request",
        _ => "credit",
    }
}

/// The front-end's files. Those that are turned for measuring are turned back in the end.
pub struct Knobs {
    before: [(&'static str, String); 2],
    request: File,
    release: File,
    /// How many ns the last request took.
    last: u64,
    /// How many pauses there have been.
    rests: u64,
}

impl Knobs {
    pub fn open() -> Result<Self, String> {
        let before = ["deadline_us", "fetch_ahead_kb"].map(|knob| (knob, read(knob)));
        set("deadline_us", DEADLINE_US)?;
        set("fetch_ahead_kb", "0")?;
        Ok(Self {
            before,
            request: open("request_kb")?,
            release: open("release_kb")?,
            last: 0,
            rests: 0,
        })
    }

    /// Lets the driver fetch ahead until these are dropped, as it does at first.
    pub fn fetch_ahead(&self) -> Result<(), String> {
        set("fetch_ahead_kb", FETCH_AHEAD_KB)
    }

    /// One request and one release; returns how many ns the request took.
    pub fn once(&mut self, size_kb: u64, options: &Options) -> Result<u64, Refused> {
        let nanos = self.request(size_kb)?;
        self.release(size_kb)?;
        self.rest(size_kb, options)?;
        Ok(nanos)
    }

    /// Requests in a row, and then one release of all; returns how many ns a request took.
    pub fn row(&mut self, size_kb: u64, options: &Options) -> Result<u64, Refused> {
        let count = (ROW_KB / size_kb).max(1);
        let mut nanos = 0;
        for _ in 0..count {
            nanos += self.request(size_kb)?;
        }
        // With what is left of what was fetched ahead.
        let borrowed = read("borrowed_kb").parse();
        self.release(borrowed.map_err(|_| "borrowed_kb is no number".to_string())?)?;
        self.rest(ROW_KB, options)?;
        Ok(nanos / count)
    }

    /// Lets what was given back get to where it came from.
    fn rest(&mut self, size_kb: u64, options: &Options) -> Result<(), String> {
        // What stands to a domain's credit stays with it.
        if options.path != "credit" {
            wait_until_settled()?;
        }
        let needed = options.settle + Duration::from_micros(PAUSE_US_PER_KB * size_kb);
        self.rests += 1;
        sleep(needed + stagger(self.rests, options.spread));
        Ok(())
    }

    /// Asks for memory; returns how many ns that took.
    pub fn request(&mut self, size_kb: u64) -> Result<u64, Refused> {
        let text = size_kb.to_string();
        let begin = Instant::now();
        let asked = self.request.write_all(text.as_bytes());
        self.last = begin.elapsed().as_nanos() as u64;

        match asked {
            Ok(()) => (),
            Err(why) if why.raw_os_error() == Some(libc::EAGAIN) => return Err(Refused::NoDonor),
            Err(why) => {
                let reason = read("last_reason");
                return Err(format!("request of {size_kb} KiB: {why} ({reason})").into());
            }
        }
        let granted: u64 = read("last_granted_kb").parse().unwrap_or(0);
        if granted < size_kb {
            // What came must not be missing in the next run.
            self.release(granted)?;
            return Err(Refused::NoDonor);
        }
        Ok(self.last)
    }

    pub fn release(&mut self, size_kb: u64) -> Result<(), String> {
        self.release
            .write_all(size_kb.to_string().as_bytes())
            .map_err(|why| format!("release of {size_kb} KiB: {why}"))
    }

    /// What it costs to tell the driver a number that it only takes down.
    fn call(&mut self) -> Result<u64, String> {
        let mut samples = Samples::default();
        let mut knob = open("deadline_us")?;
        for _ in 0..CALLS {
            let begin = Instant::now();
            let taken = knob.write_all(DEADLINE_US.as_bytes());
            samples.push(begin.elapsed().as_nanos() as u64);
            taken.map_err(|why| format!("{DEVICE}/deadline_us: {why}"))?;
        }
        Ok(samples.percentile(50))
    }

    /// This domain's part of the last request, and what was measured around it.
    pub fn parts(&mut self) -> Result<String, String> {
        let text = fs::read_to_string(TRANSFER).map_err(|why| format!("{TRANSFER}: {why}"))?;
        let own = text.lines().filter(|line| line.starts_with("requester "));
        let mut parts: String = own.flat_map(|line| [line, "\n"]).collect();
        parts += &format!("call {}\ntotal {}\n", self.call()?, self.last);
        Ok(parts)
    }
}

impl Drop for Knobs {
    fn drop(&mut self) {
        for (knob, value) in &self.before {
            // Should this fail, the driver has gone, and its settings with it.
            let _ = set(knob, value);
        }
    }
}

fn open(knob: &str) -> Result<File, String> {
    OpenOptions::new()
        .write(true)
        .open(format!("{DEVICE}/{knob}"))
        .map_err(|why| format!("{DEVICE}/{knob}: {why}: is xen-cmmfront loaded?"))
}

fn set(knob: &str, value: &str) -> Result<(), String> {
    fs::write(format!("{DEVICE}/{knob}"), value).map_err(|why| format!("{DEVICE}/{knob}: {why}"))
}

fn read(knob: &str) -> String {
    let text = fs::read_to_string(format!("{DEVICE}/{knob}")).unwrap_or_default();
    text.trim().into()
}

fn wait_until_settled() -> Result<(), String> {
    for _ in 0..STEPS {
        if read("borrowed_kb") == "0" {
            return Ok(());
        }
        sleep(STEP);
    }
    Err(format!(
        "{} KiB are still borrowed, with all given back",
        read("borrowed_kb")
    ))
}
