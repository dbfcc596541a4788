// SPDX-License-Identifier: GPL-2.0

//! The measurements in a DomU.

use crate::{memory, noise, options::Options, phases, record::Record, samples::Samples};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
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

/// The size of a huge page.
const HUGE_PAGE_KB: u64 = 2048;

/// A way to get memory of a size from the own kernel; returns how many ns that took.
pub type Way = fn(u64) -> Result<u64, String>;

/// Measures a way to get memory; the first run is not counted.
pub fn series(way: Way, size_kb: u64, runs: usize) -> Result<Samples, String> {
    let mut samples = Samples::default();
    way(size_kb)?;
    for _ in 0..runs {
        samples.push(way(size_kb)?);
    }
    Ok(samples)
}

/// The comparator.
pub fn malloc(size_kb: u64, runs: usize) -> Result<Samples, String> {
    series(memory::map_and_touch, size_kb, runs)
}

/// The comparator's median: what the results of `--malloc` say, or what is measured now.
pub fn median_malloc(options: &Options, size_kb: u64, runs: usize) -> Result<u64, String> {
    if options.malloc.is_some() {
        return Ok(find_malloc(
            &known_malloc(options)?,
            &options.guest,
            size_kb,
        ));
    }
    memory::no_huge_pages()?;
    Ok(malloc(size_kb, runs)?.percentile(50))
}

/// Measures the ways to get memory from the own kernel.
pub fn local(options: &Options) -> Result<(), String> {
    memory::no_huge_pages()?;
    for (size_kb, runs) in options.plan() {
        let mmap = malloc(size_kb, runs)?;
        let malloc = mmap.percentile(50);
        let print = |path: &str, samples: &Samples| {
            println!("{}", Record::new(options, path, size_kb, samples, malloc));
        };
        print("mmap", &mmap);
        let allocated = series(memory::allocate_and_touch, size_kb, runs)?;
        print("malloc", &allocated);
        if size_kb >= HUGE_PAGE_KB {
            let huge = memory::with_huge_pages(|| series(memory::map_and_touch, size_kb, runs))?;
            match huge {
                Some(huge) => print("huge", &huge),
                None => eprintln!("this kernel has no huge pages here"),
            }
        }
    }
    Ok(())
}

/// Asks for memory of each size, and prints how long it took beside malloc.
pub fn transfers(options: &Options) -> Result<(), String> {
    let mut knobs = Knobs::open()?;
    if options.row {
        set("fetch_ahead_kb", FETCH_AHEAD_KB)?;
    }
    let once = if options.row { Knobs::row } else { Knobs::once };
    for (size_kb, runs) in options.plan() {
        let malloc = median_malloc(options, size_kb, runs)?;
        let mut samples = Samples::default();
        once(&mut knobs, size_kb, options)?;
        for _ in 0..runs {
            samples.push(once(&mut knobs, size_kb, options)?);
        }
        let record = Record::new(options, &options.path, size_kb, &samples, malloc);
        println!("{record}");
        if options.parts {
            print!("{}", knobs.parts()?);
        }
    }
    Ok(())
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

    /// One request and one release; returns how many ns the request took.
    pub fn once(&mut self, size_kb: u64, options: &Options) -> Result<u64, Refused> {
        let nanos = self.request(size_kb)?;
        self.release(size_kb)?;
        self.rest(size_kb, options)?;
        Ok(nanos)
    }

    /// Requests in a row, and then one release of all; returns how many ns a request took.
    fn row(&mut self, size_kb: u64, options: &Options) -> Result<u64, Refused> {
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

/// What the module cmm-bare does for each extent: the donor's part, and then the requester's.
const BARE_PHASES: [&str; 6] = ["allocate", "unmap", "release", "populate", "map", "free"];
const DONOR_PHASES: usize = 3;

/// A run of the module's: the size, and the ns of each phase.
struct Bare {
    size_kb: u64,
    phases: [u64; BARE_PHASES.len()],
}

impl Bare {
    /// Reads the last words of a line, if they are numbers.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().rev();
        let mut phases = [0; BARE_PHASES.len()];
        for nanos in phases.iter_mut().rev() {
            *nanos = words.next()?.parse().ok()?;
        }
        let size_kb = words.next()?.parse().ok()?;
        Some(Self { size_kb, phases })
    }
}

/// Reads "null N P50 P90 P99 MAX": hypercalls that do nothing, in ns.
fn parse_null(line: &str) -> Option<Record> {
    let (_, numbers) = line.split_once("null ")?;
    let numbers: Vec<u64> = numbers
        .split_whitespace()
        .map_while(|number| number.parse().ok())
        .collect();
    let [n, p50, p90, p99, max] = numbers[..] else {
        return None;
    };
    Some(Record {
        path: "hypercall".into(),
        n: n as usize,
        p50,
        p90,
        p99,
        max,
        ..Record::default()
    })
}

/// Turns the lines of the module cmm-bare on stdin, "SIZE_KB" and the ns of each phase, into results:
/// the bound, its phases, and what allocating memory costs in the kernel.
pub fn bare(options: &Options) -> Result<(), String> {
    let text = io::read_to_string(io::stdin()).map_err(|why| format!("cannot read: {why}"))?;
    let runs: Vec<Bare> = text.lines().filter_map(Bare::parse).collect();
    let known = known_malloc(options)?;
    let null = text.lines().find_map(parse_null);
    let mut quiet = null.ok_or("cmm-bare has measured no hypercall")?;
    quiet.case = noise::CASE.into();
    quiet.guest = options.guest.clone();
    quiet.sched = options.sched.clone();
    println!("{quiet}");

    for &size_kb in &options.sizes {
        let of_size = || runs.iter().filter(|run| run.size_kb == size_kb);
        let samples = |of: fn(&Bare) -> u64| {
            let mut samples = Samples::default();
            of_size().for_each(|run| samples.push(of(run)));
            samples
        };
        if of_size().next().is_none() {
            continue;
        }
        let malloc = find_malloc(&known, &options.guest, size_kb);
        let both = samples(|run| run.phases.iter().sum());
        let requester = samples(|run| run.phases[DONOR_PHASES..].iter().sum());
        let mut record = Record::new(options, "bare", size_kb, &both, malloc);
        record.requester = Some(requester.percentile(50));
        println!("{record}");

        let allocated = samples(|run| run.phases[0]);
        let mut record = Record::new(options, "kernel", size_kb, &allocated, malloc);
        record.case = "own".into();
        println!("{record}");

        for (i, phase) in BARE_PHASES.iter().enumerate() {
            let mut samples = Samples::default();
            of_size().for_each(|run| samples.push(run.phases[i]));
            let mut record = Record::new(options, "bare", size_kb, &samples, malloc);
            record.case = phases::CASE.into();
            record.part = Some((*phase).into());
            println!("{record}");
        }
    }
    Ok(())
}

/// The results in the file of `--malloc`.
pub fn known_malloc(options: &Options) -> Result<Vec<Record>, String> {
    let Some(file) = &options.malloc else {
        return Ok(Vec::new());
    };
    let text = fs::read_to_string(file).map_err(|why| format!("{file}: {why}"))?;
    Ok(text.lines().filter_map(Record::parse).collect())
}

/// How long malloc takes in the guest, by these results; 0 if they do not say.
pub fn find_malloc(known: &[Record], guest: &str, size_kb: u64) -> u64 {
    known
        .iter()
        .find(|record| record.guest == guest && record.size_kb == size_kb)
        .map_or(0, |record| record.malloc)
}

#[cfg(test)]
mod tests {
    use super::{parse_null, Bare};

    #[test]
    fn lines_of_the_module() {
        let run = Bare::parse("[ 1.5] cmm-bare: 4 1 2 3 4 5 6").unwrap();
        assert_eq!((run.size_kb, run.phases), (4, [1, 2, 3, 4, 5, 6]));
        assert!(Bare::parse("cmm-bare: done").is_none());
        let null = "cmm-bare: null 1000 1 2 3 4";
        assert!(Bare::parse(null).is_none());
        assert_eq!(
            parse_null(null).map(|null| (null.n, null.max)),
            Some((1000, 4))
        );
    }
}
