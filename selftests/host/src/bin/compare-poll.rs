// SPDX-License-Identifier: GPL-2.0

//! Balances memory in the lab's Dom0 as others do, who look now and then.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use cmm_host_tests::lab::poller::{Poller, Rule};

const USAGE: &str = "\
Usage: compare-poll RULE MILLISECONDS START SECONDS DOMID...

Looks so often, for so many SECONDS from START on, in seconds since 1970, at what the agents in
these domains say, and sets their sizes by a rule: \"qmemman\" or \"squeezed\".
";

fn poller() -> Option<(Rule, Duration, u64, Duration, Vec<u32>)> {
    let mut words = env::args().skip(1);
    let rule = Rule::named(&words.next()?)?;
    let period = Duration::from_millis(words.next()?.parse().ok().filter(|ms| *ms > 0)?);
    let start = words.next()?.parse().ok()?;
    let seconds = Duration::from_secs(words.next()?.parse().ok()?);
    let ids: Result<Vec<u32>, _> = words.map(|word| word.parse()).collect();
    Some((
        rule,
        period,
        start,
        seconds,
        ids.ok().filter(|ids| !ids.is_empty())?,
    ))
}

fn main() -> ExitCode {
    let Some((rule, period, start, seconds, ids)) = poller() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    let polled = Poller::new(rule, ids).and_then(|mut poller| poller.run(start, period, seconds));
    match polled {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare-poll: {error}");
            ExitCode::FAILURE
        }
    }
}
