// SPDX-License-Identifier: MIT

//! burst_server: a server that takes memory for a burst of work, and gives it back after it.
//!
//! Each line of its input is a job that needs so many MiB. Before it begins it asks for them, and if
//! they have not all come it says so, and works on smaller pieces: it needs no more than what is
//! there. When there is no other job for a second, what it holds goes back.
//!
//! `printf '64\n128\n' | burst_server`

use std::io::{self, BufRead};
use std::process::ExitCode;
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use cmm_client::Asker;

const MIB: u64 = 1 << 20;
const PAGE: usize = 4096;

/// How long a job may be held up for memory: it would rather work on smaller pieces.
const DEADLINE: Duration = Duration::from_millis(500);

/// How long to wait for another job before memory goes back.
const LINGER: Duration = Duration::from_secs(1);

/// Works on so much memory, which it fills, in pieces of `room` at most. Returns how many there were.
fn work(bytes: u64, room: u64) -> u64 {
    let piece = bytes.min(room.max(MIB));
    let pieces = bytes.div_ceil(piece);
    for _ in 0..pieces {
        let mut memory = vec![0u8; piece as usize];
        for page in memory.chunks_mut(PAGE) {
            page[0] = 1;
        }
        std::hint::black_box(&memory);
    }
    pieces
}

fn serve(asker: &Asker, mib: u64) -> io::Result<()> {
    let began = Instant::now();
    let lacking = (mib * MIB).saturating_sub(asker.held()?);
    let mut why = String::from("has it already");
    if lacking > 0 {
        let answer = asker.ask(lacking, Some(DEADLINE))?;
        why = format!("got {} MiB, {}", answer.bytes / MIB, answer.reason);
    }
    let asked = began.elapsed();
    let pieces = work(mib * MIB, asker.held()?);
    println!("{mib} MiB: {why}, after {asked:?}; {pieces} piece(s)");
    Ok(())
}

fn run(jobs: &Receiver<u64>) -> io::Result<()> {
    let asker = Asker::open()?;
    loop {
        match jobs.recv_timeout(LINGER) {
            Ok(mib) => serve(&asker, mib)?,
            Err(RecvTimeoutError::Timeout) if asker.held()? > 0 => {
                let given = asker.give_back(asker.held()?)?;
                println!("gave back {} MiB", given / MIB);
            }
            Err(RecvTimeoutError::Timeout) => (),
            // What it holds goes back by itself.
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn main() -> ExitCode {
    let (sender, jobs) = channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            match line.trim().parse() {
                Ok(mib) => {
                    if sender.send(mib).is_err() {
                        return;
                    }
                }
                Err(_) => eprintln!("burst_server: '{line}' is no size in MiB"),
            }
        }
    });
    match run(&jobs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("burst_server: {}: {error}", cmm_client::DEVICE);
            ExitCode::FAILURE
        }
    }
}
