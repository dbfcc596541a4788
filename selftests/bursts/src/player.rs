// SPDX-License-Identifier: GPL-2.0

//! Plays what a program needed, by really using as much.
//!
//! A program that is held up goes on later: so the rest of what is played is later by as much.

use std::fmt;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::numbers::quantile;
use crate::series::{Point, Series};
use crate::touched::Touched;

/// Pages that are touched before the clock is looked at again: 256 KiB.
const GRAIN: u64 = 64;

/// A page that takes longer than this was waited for.
const WAITED: Duration = Duration::from_micros(200);

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// How long each rise waited for pages, in ns, sorted.
    pub stalls: Vec<u64>,
    /// The longest that one page was waited for, in ns.
    pub longest: u64,
    /// How long it was to take, in ns.
    pub planned: u64,
    /// How long it took.
    pub took: u64,
}

/// As one line of JSON.
impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |percent| quantile(&self.stalls, percent).unwrap_or(0);
        write!(
            f,
            "{{\"bursts\":{},\"stall_p50_ns\":{},\"stall_p99_ns\":{},\"longest_ns\":{},\"time_ratio\":{:.4}}}",
            self.stalls.len(),
            at(50.0),
            at(99.0),
            self.longest,
            self.took as f64 / self.planned.max(1) as f64
        )
    }
}

/// Plays a series; what it needs at first it has at once.
///
/// # Errors
///
/// There is no room for its peak.
pub fn play(series: &Series) -> io::Result<Played> {
    let mut player = Player {
        memory: Touched::new(series.peak() as usize)?,
        began: Instant::now(),
        late: Duration::ZERO,
        stall: None,
        played: Played::default(),
    };
    let firsts = series.points.first().into_iter().chain(&series.points);
    for (last, point) in firsts.zip(&series.points) {
        player.reach(last, point);
    }
    player.sleep_until(series.end);
    let mut played = player.played;
    played.stalls.extend(player.stall);
    played.stalls.sort_unstable();
    played.planned = series.end * 1_000;
    played.took = player.began.elapsed().as_nanos() as u64;
    Ok(played)
}

struct Player {
    memory: Touched,
    began: Instant,
    /// By how much it is late.
    late: Duration,
    /// How long the rise under way has waited for pages, in ns.
    stall: Option<u64>,
    played: Played,
}

impl Player {
    /// Goes from one point to the next: down at its time, up on the line between them.
    fn reach(&mut self, last: &Point, point: &Point) {
        let (from, to) = (self.memory.used() as u64, point.need);
        if to <= from {
            self.sleep_until(point.time);
            if to < from {
                self.memory.shrink(to as usize);
                self.played.stalls.extend(self.stall.take());
            }
            return;
        }
        let height = (to - from) as f64;
        let span = (point.time - last.time) as f64;
        for risen in (0..to - from).step_by(GRAIN as usize) {
            self.sleep_until(last.time + (span * risen as f64 / height) as u64);
            self.touch(GRAIN.min(to - from - risen));
        }
        let due = Duration::from_micros(point.time);
        self.late = self.late.max(self.began.elapsed().saturating_sub(due));
    }

    fn touch(&mut self, pages: u64) {
        for _ in 0..pages {
            let before = Instant::now();
            self.memory.touch();
            let took = before.elapsed();
            let waited = self.stall.get_or_insert(0);
            self.played.longest = self.played.longest.max(took.as_nanos() as u64);
            if took > WAITED {
                *waited += took.as_nanos() as u64;
            }
        }
    }

    fn sleep_until(&self, time: u64) {
        let due = Duration::from_micros(time) + self.late;
        thread::sleep(due.saturating_sub(self.began.elapsed()));
    }
}
