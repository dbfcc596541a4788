// SPDX-License-Identifier: GPL-2.0

//! What is asked for before the kernel kills a process because there is no memory.
//!
//! The process waits, and perhaps all others with it: so there is a time by which it is over, and
//! who has found nothing does not look again at once, though the kernel asks again for as long as
//! its victim takes to die.

use super::ask::Wish;
use crate::backoff::Backoff;
use crate::protocol::RequestReason;
use crate::time::{Nanos, MICROSECOND, MILLISECOND};

/// What to ask for, in pages: 16 MiB, which last for a while and are there in less time than a
/// program notices; and less if there is no room for that, or nobody has as much.
const STEPS: [u64; 3] = [4_096, 1_024, 256];

/// The last of these, and how much that is.
const LAST: usize = STEPS.len() - 1;
const LEAST: u64 = STEPS[LAST];

/// How long a process may be held up that would be killed otherwise.
const PATIENCE: Nanos = 300 * MILLISECOND;

/// How long to wait when nobody has any, before asking for the least again: others tell Dom0 ten times a second what they
/// can spare, and whoever has just given all it could may be about to free some.
const PAUSE: Nanos = 30 * MILLISECOND;

/// For how long nobody is asked after nobody had any.
const REFUSED: Nanos = 100 * MILLISECOND;

/// A request that is to be answered sooner than this is not worth making.
const SHORTEST: Nanos = 5 * MILLISECOND;

/// What to do next.
#[derive(Clone, Copy, Debug)]
pub enum Try {
    /// Ask for this.
    Ask(Wish),
    /// Wait for so many ns, and ask what is next then.
    Wait(Nanos),
}

/// One attempt to find some pages.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    until: Nanos,
    step: usize,
}

impl Attempt {
    /// What is next for a domain that may become larger by `room` pages, and has got none so far; `None` when there is
    /// nothing left that could be met, or no time.
    pub fn next(&mut self, room: u64, now: Nanos) -> Option<Try> {
        let left = self.until.saturating_sub(now);
        if left < SHORTEST {
            return None;
        }
        let mut steps = STEPS.iter().enumerate().skip(self.step);
        if let Some((step, pages)) = steps.find(|(_, pages)| **pages <= room) {
            self.step = step + 1;
            return Some(Try::Ask(Wish {
                pages: *pages,
                deadline_us: left / MICROSECOND,
                reason: RequestReason::Emergency,
                exact: false,
            }));
        }
        if room < LEAST || left < PAUSE + SHORTEST {
            return None;
        }
        self.step = LAST;
        Some(Try::Wait(PAUSE))
    }
}

/// What came of it, in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescues {
    /// Attempts that found memory.
    pub rescued: u64,
    /// Attempts that found none.
    pub failed: u64,
    /// Pages that have come by themselves since the last attempt.
    came: u64,
    backoff: Backoff,
}

impl Rescues {
    /// There was none yet.
    pub const fn new() -> Self {
        Self {
            rescued: 0,
            failed: 0,
            came: 0,
            backoff: Backoff::new(),
        }
    }

    /// Begins an attempt, unless the last one has failed a moment ago. It ends with
    /// [`Rescues::ended`].
    pub fn begin(&self, now: Nanos) -> Option<Attempt> {
        self.backoff.is_over(now).then_some(Attempt {
            until: now.saturating_add(PATIENCE),
            step: 0,
        })
    }

    /// So many pages have come that the domain had asked for before it was in need.
    pub fn came(&mut self, pages: u64) {
        self.came = self.came.saturating_add(pages);
    }

    /// What has come so since the last attempt. It is free, and perhaps not where the kernel has looked: on the lists of
    /// a CPU, which it empties before it looks again. So that is as good as finding something, once.
    pub fn take_came(&mut self) -> u64 {
        core::mem::take(&mut self.came)
    }

    /// An attempt has ended, and brought so many pages.
    pub fn ended(&mut self, pages: u64, now: Nanos) {
        if pages > 0 {
            self.rescued += 1;
            self.backoff.succeed();
        } else {
            self.failed += 1;
            self.backoff.fail_within(REFUSED, now);
        }
    }
}
