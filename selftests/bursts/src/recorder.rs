// SPDX-License-Identifier: GPL-2.0

//! Looks at memory again and again, and writes down what it sees.

use std::fs;
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::recording::{Cost, Head, Row, Writer};
use crate::watched::{Scope, Watched};

/// Each so many looks, all is looked at, and only what is needed and cached in between.
const ALL_OF: u64 = 50;

/// Each so many looks, it looks whether it is to end.
const END_OF: u64 = 10;

/// After so many looks that saw no change it looks less often, by this factor, until one does. To be
/// woken is most of what a look costs.
const CALM: u32 = 10;
const CALM_FACTOR: u32 = 4;

/// Records until `is_over` says so, at least once, and says what that cost. `name` is the
/// recording's.
///
/// # Errors
///
/// What is to be read or written cannot be.
pub fn record(
    scope: &Scope,
    name: &str,
    every: Duration,
    to: impl Write,
    mut is_over: impl FnMut() -> io::Result<bool>,
) -> io::Result<Cost> {
    let mut watched = Watched::open(scope)?;
    let head = Head {
        name: name.to_owned(),
        scope: scope.name().to_owned(),
        start: uptime()?.as_micros() as u64,
        every: every.as_micros() as u64,
    };
    let mut writer = Writer::begin(to, &head)?;
    let mut first = Row::default();
    watched.look_at_all(&mut first)?;
    let (began, used_before) = (Instant::now(), used()?);
    let mut cost = Cost::default();
    let mut row = first;
    let mut last = began;
    let mut calm = 0;
    loop {
        let (now, need) = (Instant::now(), row.need);
        let time = now.duration_since(began).as_micros() as u64;
        if cost.looks % ALL_OF == 0 {
            watched.look_at_all(&mut row)?;
        } else {
            watched.look(&mut row)?;
        }
        writer.add(&Row { time, ..row }.since(&first))?;
        cost.looks += 1;
        let gap = now.duration_since(last).as_micros() as u64;
        cost.longest = cost.longest.max(gap);
        last = now;
        if cost.looks % END_OF == 0 && is_over()? {
            break;
        }
        calm = if row.need == need { calm + 1 } else { 0 };
        let steps = if calm < CALM { 1 } else { CALM_FACTOR };
        // What was missed is not made up for.
        let due = every.saturating_mul((time / head.every.max(1)) as u32 + steps);
        thread::sleep(due.saturating_sub(began.elapsed()));
    }
    cost.wall = began.elapsed().as_micros() as u64;
    cost.cpu = (used()? - used_before).as_micros() as u64;
    writer.end(&cost)?;
    Ok(cost)
}

impl Row {
    /// With all that is counted from the beginning, which was `first`.
    fn since(self, first: &Self) -> Self {
        Self {
            faults: self.faults.saturating_sub(first.faults),
            major: self.major.saturating_sub(first.major),
            refaults: self.refaults.saturating_sub(first.refaults),
            some: self.some.saturating_sub(first.some),
            full: self.full.saturating_sub(first.full),
            ..self
        }
    }
}

/// How long this machine has run, by the clock that `Instant` goes by, to 10 ms.
fn uptime() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/uptime")?;
    let seconds = text.split_whitespace().next().and_then(|s| s.parse().ok());
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "/proc/uptime has no number");
    Ok(Duration::from_secs_f64(seconds.ok_or_else(broken)?))
}

/// CPU time that this program has used.
fn used() -> io::Result<Duration> {
    // To the nanosecond, unlike /proc/self/stat.
    let text = fs::read_to_string("/proc/self/schedstat")?;
    let spent = text.split_whitespace().next().and_then(|s| s.parse().ok());
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "/proc/self/schedstat is empty");
    Ok(Duration::from_nanos(spent.ok_or_else(broken)?))
}
