// SPDX-License-Identifier: GPL-2.0

//! mover: asks for memory and gives it back, in a DomU, with as little else as possible.

use std::fs;
use std::io;
use std::path::Path;
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

const USAGE: &str = "Usage: mover random SEED | mover time COUNT KIB

random  asks for memory and gives it back at random until /run/stop exists, gives back all,
        and writes to /run/moved how many transfers there were, and how many requests were
        refused
time    prints what COUNT requests of KIB took, each given back again: the median, what 95 and
        99 of 100 took at most, and the longest, in microseconds
";

const DEVICE: &str = "/sys/bus/xen/devices/cmm-0";

/// How many ask at once, in one domain.
const THREADS: u64 = 2;

/// How long memory that was given back may take to be with its lender, in microseconds: as much at least, and up to
/// three times as much, so as not to be in step with any tick.
const REST_US: u64 = 6_000;

fn read(knob: &str) -> io::Result<u64> {
    let text = fs::read_to_string(format!("{DEVICE}/{knob}"))?;
    text.trim()
        .parse()
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// Unlike [`fs::write`], makes no file of that name when there is no device.
fn write(knob: &str, value: u64) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(format!("{DEVICE}/{knob}"))?;
    io::Write::write_all(&mut file, value.to_string().as_bytes())
}

/// A linear congruential generator: good enough for chance, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[derive(Default)]
struct Count {
    moved: u64,
    refused: u64,
}

impl Count {
    fn add(&mut self, done: io::Result<()>) {
        match done {
            Ok(()) => self.moved += 1,
            Err(_) => self.refused += 1,
        }
    }
}

/// Asks for 4 KiB to 8 MiB, or gives back a part of what the domain has borrowed.
fn move_some(random: &mut Random, count: &mut Count) {
    if random.below(3) > 0 {
        let size = 4 << random.below(12);
        // Some are in such a hurry that they get a part, or nothing.
        let hurry = random.below(8) == 0;
        let patience = if hurry { 2_000 } else { 5_000_000 };
        count.add(write("deadline_us", patience).and_then(|()| write("request_kb", size)));
    } else if let Ok(borrowed @ 1..) = read("borrowed_kb") {
        count.add(write("release_kb", 4 * (1 + random.below(borrowed / 4))));
    }
}

/// What it has got is memory like any other.
fn use_some(random: &mut Random) {
    let mark = random.below(u64::MAX);
    let memory = vec![mark; (64 << 10) << random.below(4)];
    if memory.iter().any(|&word| word != mark) {
        eprintln!("memory does not keep what is written to it");
        exit(1);
    }
}

fn move_at_random(mut random: Random) -> Count {
    let mut count = Count::default();
    while !Path::new("/run/stop").exists() {
        if Path::new(DEVICE).exists() {
            move_some(&mut random, &mut count);
        }
        if random.below(16) == 0 {
            use_some(&mut random);
        }
        thread::sleep(Duration::from_millis(random.below(20)));
    }
    count
}

/// Others may be asking for it at the same time: what cannot be given back now can be later.
fn give_back_all() {
    while let Ok(borrowed @ 1..) = read("borrowed_kb") {
        if write("release_kb", borrowed).is_err() {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn random(seed: u64) -> io::Result<()> {
    let movers: Vec<_> = (0..THREADS)
        .map(|i| thread::spawn(move || move_at_random(Random(seed * THREADS + i))))
        .collect();
    let mut total = Count::default();
    for mover in movers {
        let count = mover.join().expect("no mover panics");
        total.moved += count.moved;
        total.refused += count.refused;
    }
    give_back_all();
    fs::write("/run/moved", format!("{} {}\n", total.moved, total.refused))
}

fn time(count: u64, size: u64) -> io::Result<()> {
    let mut times = Vec::new();
    let mut random = Random(count);
    for _ in 0..count {
        let begun = Instant::now();
        write("request_kb", size)?;
        times.push(begun.elapsed().as_micros());
        write("release_kb", size)?;
        // Until it is with its lender again: the next request is to take the same way.
        thread::sleep(Duration::from_micros(REST_US + random.below(2 * REST_US)));
    }
    times.sort_unstable();
    let at = |percent| times[times.len() * percent / 100];
    let longest = times[times.len() - 1];
    println!("{} {} {} {longest}", at(50), at(95), at(99));
    Ok(())
}

fn main() {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse().ok().filter(|&number: &u64| number > 0);
    let done = match words[..] {
        ["random", seed] => number(seed).map(random),
        ["time", count, size] => number(count).zip(number(size)).map(|(n, kib)| time(n, kib)),
        _ => None,
    };
    match done {
        Some(Ok(())) => (),
        Some(Err(err)) => {
            eprintln!("mover: {err}");
            exit(1);
        }
        None => {
            eprint!("{USAGE}");
            exit(2);
        }
    }
}
