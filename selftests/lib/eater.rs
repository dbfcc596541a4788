// SPDX-License-Identifier: GPL-2.0

//! eater: uses memory, as fast as it is told, and says how long that took.

use std::env;
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

const USAGE: &str = "Usage: eater MIB RATE [NICE]

Writes to MIB MiB of memory, RATE MiB a second, or as fast as it can if that is 0, as nice as NICE
says. Prints how long it took and the longest it was held up by one page, in microseconds.
";

extern "C" {
    fn nice(increment: i32) -> i32;
}

const MIB: usize = 1 << 20;
const PAGE: usize = 1 << 12;

/// Asked for at once: a kernel refuses more than it could ever have.
const CHUNK: usize = 16;

fn eat(mib: usize, rate: u64) -> (Duration, Duration) {
    let began = Instant::now();
    let mut longest = Duration::ZERO;
    let mut kept = Vec::new();
    for done in (0..mib).step_by(CHUNK) {
        let mut chunk = vec![0_u8; CHUNK.min(mib - done) * MIB];
        for (i, page) in chunk.chunks_mut(PAGE).enumerate() {
            let eaten = (done * MIB + i * PAGE) as u64;
            if rate > 0 && eaten % (MIB as u64 / 4) == 0 {
                let due = Duration::from_micros(eaten * 1_000_000 / (rate * MIB as u64));
                thread::sleep(due.saturating_sub(began.elapsed()));
            }
            let before = Instant::now();
            page[0] = 1;
            longest = longest.max(before.elapsed());
        }
        kept.push(chunk);
    }
    (began.elapsed(), longest)
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let numbers: Result<Vec<i32>, _> = arguments.iter().map(|text| text.parse()).collect();
    let (mib, rate) = match numbers.as_deref() {
        Ok(&[mib, rate]) => (mib, rate),
        Ok(&[mib, rate, niceness]) => {
            // SAFETY: Changes this thread's priority, or does nothing.
            unsafe { nice(niceness) };
            (mib, rate)
        }
        _ => {
            eprint!("{USAGE}");
            exit(2);
        }
    };
    let (took, longest) = eat(mib as usize, rate as u64);
    println!("{} {}", took.as_micros(), longest.as_micros());
}
