// SPDX-License-Identifier: GPL-2.0

//! Uses what a domain is to use when it is to use it. What is played does not wait: a burst ends when it is to end,
//! whatever of it was there, so that it is the same for whoever manages, and the same as in the simulator.
//!
//! The player is forked, and is who the kernel kills if memory is short. It is then forked anew for what comes after
//! the burst that it was killed in.

use std::ffi::c_int;
use std::fs;
use std::io;
use std::process;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cmm::coordinator::{Nanos, SECOND};

use super::account::Shared;
use super::case::ALWAYS;
use super::memory::Memory;
use crate::fleet::demand::Segment;

/// Pages that are touched before the clock is looked at for what is due: 256 KiB.
const GRAIN: u64 = 64;

/// What a domain is to use, and from when on.
pub struct Part {
    /// In whole seconds of the clock that all domains have.
    pub start: u64,
    /// How long.
    pub end: Nanos,
    /// What.
    pub segments: Vec<Segment>,
}

impl Part {
    /// How long it has been played.
    pub fn now(&self) -> Nanos {
        let start = UNIX_EPOCH + Duration::from_secs(self.start);
        let passed = SystemTime::now().duration_since(start);
        passed.map_or(0, |passed| passed.as_nanos() as Nanos)
    }

    fn sleep_until(&self, time: Nanos) {
        let due = UNIX_EPOCH + Duration::from_secs(self.start) + Duration::from_nanos(time);
        if let Ok(left) = due.duration_since(SystemTime::now()) {
            thread::sleep(left);
        }
    }

    /// When the next segment begins.
    fn until(&self, segment: usize) -> Nanos {
        let next = self.segments.get(segment + 1);
        next.map_or(self.end, |segment| segment.from).min(self.end)
    }

    /// The first segment after this one at which a burst begins or ends.
    fn next_change(&self, segment: usize) -> usize {
        let after = self.segments.iter().enumerate().skip(segment + 1);
        let mut changes = after.filter(|(_, segment)| segment.begins);
        changes.next().map_or(self.segments.len(), |(i, _)| i)
    }

    /// Plays from the segment on that the account says.
    fn play(&self, account: &mut Shared) -> io::Result<()> {
        let most = self.segments.iter().map(|segment| segment.goal).max();
        let mut memory = Memory::new(most.unwrap_or(0));
        while let Some(segment) = self.segments.get(account.segment) {
            if segment.from >= self.end {
                break;
            }
            self.sleep_until(segment.from);
            account.passed(ALWAYS + memory.used(), segment.from);
            account.change(segment);
            let goal = segment.goal.saturating_sub(ALWAYS);
            if goal <= memory.used() {
                memory.shrink(goal);
            } else {
                self.rise(segment, goal, &mut memory, account)?;
            }
            let until = self.until(account.segment);
            self.sleep_until(until);
            account.passed(ALWAYS + memory.used(), until);
            account.segment += 1;
        }
        Ok(())
    }

    fn rise(
        &self,
        segment: &Segment,
        goal: u64,
        memory: &mut Memory,
        account: &mut Shared,
    ) -> io::Result<()> {
        let until = self.until(account.segment);
        let from = memory.used();
        while memory.used() < goal && self.now() < until {
            if segment.rate > 0.0 {
                let seconds = (memory.used() - from) as f64 / segment.rate;
                self.sleep_until(segment.from + (seconds * SECOND as f64) as Nanos);
            }
            account.passed(ALWAYS + memory.used(), self.now());
            for _ in 0..GRAIN.min(goal - memory.used()) {
                let before = self.now();
                memory.touch()?;
                account.touched(self.now().saturating_sub(before));
            }
        }
        Ok(())
    }

    /// Forks a player.
    ///
    /// # Errors
    ///
    /// There can be no other process.
    pub fn begin(&self, account: &mut Shared) -> io::Result<Player> {
        // SAFETY: This process has no other thread, so the new one is as whole as this.
        let id = unsafe { fork() };
        match id {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                let played =
                    fs::write("/proc/self/oom_score_adj", "1000").and_then(|()| self.play(account));
                process::exit(c_int::from(played.is_err()))
            }
            id => Ok(Player(id)),
        }
    }

    /// The player was killed: what it would have played of the burst is not played. Says whether there is more.
    pub fn killed(&self, account: &mut Shared) -> bool {
        let now = self.now();
        let next = self.next_change(account.segment);
        let until = self
            .segments
            .get(next)
            .map_or(self.end, |segment| segment.from)
            .min(self.end);
        account.was_killed(now, until);
        account.segment = next;
        until < self.end
    }
}

extern "C" {
    fn fork() -> c_int;
    fn waitpid(id: c_int, status: *mut c_int, options: c_int) -> c_int;
}

const DO_NOT_WAIT: c_int = 1;

/// A process that plays.
pub struct Player(c_int);

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has played all.
    Played,
    /// The kernel killed it.
    Killed,
    /// It could not.
    Failed,
}

impl Player {
    /// How it ended, if it has.
    ///
    /// # Errors
    ///
    /// There is no such process.
    pub fn ended(&self) -> io::Result<Option<End>> {
        let mut status = 0;
        // SAFETY: It writes to `status` only.
        match unsafe { waitpid(self.0, &mut status, DO_NOT_WAIT) } {
            -1 => Err(io::Error::last_os_error()),
            0 => Ok(None),
            _ if status == 0 => Ok(Some(End::Played)),
            _ if status & 0x7f == 0 => Ok(Some(End::Failed)),
            _ => Ok(Some(End::Killed)),
        }
    }
}
