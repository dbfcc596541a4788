// SPDX-License-Identifier: GPL-2.0

//! Measures how long the coordinator takes to decide, at its worst, with few domains and with many.
//!
//! What happens in a trial is the same each time it is played, to the page. So it is played several
//! times, and the shortest time that a round of it ever took is what that round costs: all beyond
//! that was the machine's. The median and the worst are those of the rounds' costs; the worst is an
//! event that is dear each time.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cmm_host_tests::trials::{Trial, TRIALS};

const USAGE: &str = "\
Usage: decisions DIRECTORY [WORD]

Measures the time the coordinator takes for one event of many kinds, at its worst,
with 10, 100, 1 000 and 10 000 domains, and writes DIRECTORY/decisions.json: a line
for each kind and number. A \"lane\" is as many messages as one front-end can have
handled before the lock is let go. What Xen and the ring take is not in it.

With WORD, only those kinds that have it in their name.
";

/// How many domains are tried.
const CROWDS: [u16; 4] = [10, 100, 1_000, 10_000];
/// How often each trial is played.
const PLAYS: usize = 5;
/// How many rounds one has, if they take no longer than that; but so many at least.
const ROUNDS: usize = 1_000;
const LONGEST: Duration = Duration::from_millis(600);
const FEWEST: usize = 5;

/// Plays a trial, for so many rounds or as many as there is time for. Returns what each took, in
/// ns.
fn play(trial: &Trial, domains: u16, rounds: Option<usize>) -> Vec<u64> {
    let mut machine = (trial.machine)(domains);
    let mut times = Vec::with_capacity(ROUNDS);
    let begin = Instant::now();
    for round in 0..rounds.unwrap_or(ROUNDS) {
        let late = rounds.is_none() && round >= FEWEST && begin.elapsed() > LONGEST;
        if late || !(trial.prepare)(&mut machine, round) {
            break;
        }
        let start = Instant::now();
        (trial.act)(&mut machine, round);
        times.push(start.elapsed().as_nanos() as u64);
    }
    machine.coordinator.check().expect("the books balance");
    times
}

/// What each round of a trial costs, in ns, the least first.
fn measure(trial: &Trial, domains: u16) -> Vec<u64> {
    let mut costs = play(trial, domains, None);
    let rounds = costs.len();
    for _ in 1..PLAYS {
        let times = play(trial, domains, Some(rounds));
        assert_eq!(times.len(), rounds, "{} repeats", trial.name);
        for (cost, time) in costs.iter_mut().zip(times) {
            *cost = time.min(*cost);
        }
    }
    costs.sort_unstable();
    costs
}

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let (directory, word) = match arguments.as_slice() {
        [directory] if directory == "--help" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [directory] => (directory, ""),
        [directory, word] => (directory, word.as_str()),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut lines = String::new();
    println!(
        "{:28} {:>7} {:>12} {:>12} {:>7}",
        "event", "domains", "median ns", "worst ns", "rounds"
    );
    for trial in TRIALS.iter().filter(|trial| trial.name.contains(word)) {
        for domains in CROWDS {
            let costs = measure(trial, domains);
            let Some(worst) = costs.last() else {
                // Some take more than ten domains, but none takes more than there can be.
                assert!(domains < 10_000, "{} never happens", trial.name);
                continue;
            };
            let median = costs[costs.len() / 2];
            let (name, rounds) = (trial.name, costs.len());
            println!("{name:28} {domains:7} {median:12} {worst:12} {rounds:7}");
            writeln!(
                lines,
                "{{\"event\":\"{name}\",\"domains\":{domains},\"median_ns\":{median},\"worst_ns\":{worst}}}"
            )
            .expect("memory");
        }
    }
    let file = PathBuf::from(directory).join("decisions.json");
    if let Err(error) = fs::write(&file, lines) {
        eprintln!("decisions: error: cannot write {}: {error}", file.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
