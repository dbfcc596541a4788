// SPDX-License-Identifier: GPL-2.0

//! Plays in a domain of the lab what it is to use, and says what came of it.

use std::env;
use std::ffi::c_int;
use std::fs;
use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use cmm::coordinator::{MILLISECOND, SECOND};
use cmm_host_tests::lab::account::Shared;
use cmm_host_tests::lab::agent::{counted, Agent, Role, LINUX_LOOKED};
use cmm_host_tests::lab::case::demands;
use cmm_host_tests::lab::player::{End, Part};
use cmm_host_tests::lab::report::Said;

const USAGE: &str = "\
Usage: compare-play LOAD SEED SECONDS DOMAIN START ROLE

Has a process use what domain DOMAIN (0 to 3) of those that want LOAD percent of their host is
to use, for so many SECONDS from START on, in seconds since 1970. If it is killed, another goes
on when the burst would be over. Prints what came of it when it is over.

  ROLE  what it does besides, fifty times a second: \"watch\" what the domain has; or \"tell\"
        that and what it uses in xenstore; or \"balloon\", set the domain's size each 5 s by what
        is committed, or so often: \"balloon=MILLISECONDS\"
";

/// How often it looks.
const EVERY: Duration = Duration::from_millis(20);

extern "C" {
    fn mlockall(flags: c_int) -> c_int;
}

const CURRENT_AND_FUTURE: c_int = 1 | 2;

fn role(word: &str) -> Option<Role> {
    match word.split_once('=') {
        None if word == "watch" => Some(Role::Watch),
        None if word == "tell" => Some(Role::Tell),
        None if word == "balloon" => Some(Role::Balloon(LINUX_LOOKED)),
        Some(("balloon", period)) => Some(Role::Balloon(period.parse::<u64>().ok()? * MILLISECOND)),
        _ => None,
    }
}

fn arguments() -> Option<(Part, Role)> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [load, seed, seconds, domain, start, last] = words.as_slice() else {
        return None;
    };
    let end = seconds.parse::<u64>().ok()? * SECOND;
    let mut all = demands(load.parse().ok()?, seed.parse().ok()?, end)?;
    let domain: usize = domain.parse().ok()?;
    let part = Part {
        start: start.parse().ok()?,
        end,
        segments: (domain < all.len()).then(|| all.swap_remove(domain))?,
    };
    Some((part, role(last)?))
}

fn play(part: &Part, role: Role) -> io::Result<Said> {
    let mut account = Shared::new()?;
    // It is here before memory is short, and stays.
    fs::write("/proc/self/oom_score_adj", "-1000")?;
    // SAFETY: It only has what is mapped stay in memory.
    if unsafe { mlockall(CURRENT_AND_FUTURE) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut agent = Agent::new(role)?;
    let before = counted()?;
    let mut player = Some(part.begin(&mut account)?);
    let mut kills = Vec::new();
    let mut had = Vec::with_capacity((part.end / EVERY.as_nanos() as u64) as usize);
    while part.now() < part.end {
        thread::sleep(EVERY);
        let now = part.now();
        had.push((now, agent.look(now)?));
        let Some(ended) = player.as_ref().map(|player| player.ended()) else {
            continue;
        };
        match ended? {
            None => {}
            Some(End::Played) => player = None,
            Some(End::Failed) => return Err(io::Error::other("it could not be played")),
            Some(End::Killed) => {
                player = None;
                kills.push(part.now());
                if part.killed(&mut account) {
                    player = Some(part.begin(&mut account)?);
                }
            }
        }
    }
    // It may be in the middle of something.
    while let Some(player) = &player {
        if player.ended()?.is_some() {
            break;
        }
        thread::sleep(EVERY);
    }
    account.end(part.end);
    let after = counted()?;
    let [refaults, reclaims, waited] = [0, 1, 2].map(|i| after[i] - before[i]);
    Ok(Said {
        available: agent.available,
        moved: agent.moved,
        refaults,
        reclaims,
        waited_us: waited,
        wanted: account.wanted,
        lacked: account.lacked,
        risen: account.risen,
        killed: account.killed,
        longest: account.longest,
        bursts: account.bursts().to_vec(),
        kills,
        had,
    })
}

fn main() -> ExitCode {
    let Some((part, role)) = arguments() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    match play(&part, role) {
        Ok(said) => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("compare-play: {error}");
            ExitCode::FAILURE
        }
    }
}
