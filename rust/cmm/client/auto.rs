// SPDX-License-Identifier: GPL-2.0

//! When a domain asks for memory by itself, and when it gives that back.
//!
//! The shell shows a [`Sample`] of the kernel's numbers now and then; this says what is to be done,
//! and when it wants to see the next.
//!
//! It asks when what is available would be used up before memory could come, at the rate at which
//! it is used now; and when little is left, at whatever rate. It asks for what the burst is
//! expected to need still, in pieces, since each comes as a whole; and again until enough is there.
//! What has been lent is asked for first.
//!
//! It gives back what it got in this way and what has not been needed for a while. What had to be
//! asked for again soon after was given back too soon: from then on it waits for twice as long.

use super::appetite::Appetite;
use super::holdings::Holdings;
use super::lookout::Next;
use super::pressure::{Pressure, Sample};
use super::spare::{spare_borrowed, Memory};
use crate::backoff::Backoff;
use crate::protocol::EXTENT_PAGES;
use crate::time::{Nanos, MILLISECOND, SECOND};

/// How far ahead to look: a request for [`PIECE`] takes up to a quarter of this from a donor that
/// has never given before.
const HORIZON: Nanos = 200 * MILLISECOND;

/// The most to ask for in one request, in pages: 16 MiB, of which the last page comes soon after
/// the first. Larger ones come all at once, later, and save no time.
const PIECE: u64 = 4_096;

/// The least to ask for, in pages: 4 MiB. Less costs as many messages and lasts less long.
const LEAST: u64 = 1_024;

/// What is to be available whatever the rate, in pages: a part of all, within 2 to 16 MiB.
const LEVEL_PART: u64 = 64;
const LOWEST_LEVEL: u64 = 512;
const HIGHEST_LEVEL: u64 = 4_096;

/// No program uses memory faster than this, in pages a second: 4 GiB.
const FASTEST: u64 = 1 << 20;

/// How often to look at least and at most, if anything runs at all.
const SOONEST: Nanos = 8 * MILLISECOND;
const LATEST: Nanos = SECOND;

/// How long to wait at most before asking again when there was nothing: the bursts of others are over soon.
const LONGEST_REFUSAL: Nanos = 400 * MILLISECOND;

/// For how long memory must be idle to be given back: at first and at least, and at most.
const SHORTEST_HOLD: Nanos = 2 * SECOND;
const LONGEST_HOLD: Nanos = 60 * SECOND;

/// What was given back this many holds ago was not given back too soon.
const REGRETS: u64 = 5;

/// What is kept for the next burst is at most this part of the domain.
const CUSHION_PART: u64 = 8;

/// What the domain is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nothing.
    Rest,
    /// Ask Dom0 for so many pages.
    Ask {
        /// How many.
        pages: u64,
        /// They are lent: this is no more than the domain's own.
        own: bool,
    },
    /// Give so many pages back.
    GiveBack {
        /// How many.
        pages: u64,
    },
}

/// What this domain did by itself. Pages, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Looks at the kernel's numbers.
    pub looks: u64,
    /// Requests.
    pub asked: u64,
    /// Requests that brought nothing.
    pub refused: u64,
    /// Pages they brought.
    pub got: u64,
    /// Pages given back.
    pub given_back: u64,
    /// How often something had been given back too soon.
    pub regrets: u64,
}

/// What a domain does by itself.
#[derive(Debug)]
pub struct Auto {
    pressure: Pressure,
    appetite: Appetite,
    backoff: Backoff,
    tally: Tally,
    /// Pages it got by asking by itself, and has not given back.
    got: u64,
    /// What was available when it had borrowed nothing and its want did not rise.
    before: u64,
    /// Since when something is idle, and the least that was in that time.
    idle: Option<(Nanos, u64)>,
    hold: Nanos,
    /// When it gave back last.
    gave: Option<Nanos>,
    /// Less is available than should be.
    pressed: bool,
}

impl Auto {
    /// It has done nothing yet.
    pub const fn new() -> Self {
        Self {
            pressure: Pressure::new(),
            appetite: Appetite::new(),
            backoff: Backoff::new(),
            tally: Tally::NONE,
            got: 0,
            before: 0,
            idle: None,
            hold: SHORTEST_HOLD,
            gave: None,
            pressed: false,
        }
    }

    /// What it did.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Whether less was available when it looked last than should be, at the rate at which memory is being used up: who
    /// can do without some should.
    pub const fn is_pressed(&self) -> bool {
        self.pressed
    }

    /// Somebody who had asked for so many pages is gone, and the kernel could not spare them at once: they go back when
    /// they are idle, as those that the domain asked for by itself.
    pub fn adopt(&mut self, pages: u64) {
        self.got = self.got.saturating_add(pages);
    }

    /// How fast memory is being used up, in pages a second.
    pub const fn rate(&self) -> u64 {
        self.pressure.rate()
    }

    /// How much should be available of `total` pages, by what the kernel showed last.
    pub fn wanted(&self, total: u64) -> u64 {
        level(total).saturating_add(self.pressure.in_time(HORIZON))
    }

    /// Says what is to be done, by what the kernel shows and what the domain has, with `room` pages
    /// up to its ceiling. The same is said again until [`Auto::asked`] or [`Auto::gave_back`] tells
    /// what came of it.
    pub fn look(&mut self, sample: &Sample, has: &Holdings, room: u64, now: Nanos) -> (Move, Next) {
        self.tally.looks += 1;
        self.pressure.see(sample, now);
        self.appetite.see(sample.used(), now);
        self.got = self.got.min(has.in_use());
        if has.borrowed() == 0 && self.pressure.in_time(HORIZON) < LEAST {
            self.before = sample.available;
        }
        let ask = self.ask(sample, has, room, now);
        let idle = self.idle(sample, now);
        let step = match (ask, idle) {
            (Some(ask), _) => ask,
            (None, Some(pages)) => Move::GiveBack { pages },
            (None, None) => Move::Rest,
        };
        (step, self.next(sample, now))
    }

    fn ask(&mut self, sample: &Sample, has: &Holdings, room: u64, now: Nanos) -> Option<Move> {
        let wanted = self.wanted(sample.total);
        self.pressed = sample.available < wanted;
        if sample.available >= wanted || room == 0 || !self.backoff.is_over(now) {
            return None;
        }
        let lacking = wanted - sample.available;
        let expected = self.appetite.remaining().saturating_sub(sample.available);
        let pages = lacking.max(expected).next_multiple_of(EXTENT_PAGES);
        let pages = pages.clamp(LEAST, PIECE).min(room);
        Some(match has.lent() {
            0 => Move::Ask { pages, own: false },
            lent => Move::Ask {
                pages: pages.min(lent),
                own: true,
            },
        })
    }

    /// How much has been idle for long enough.
    fn idle(&mut self, sample: &Sample, now: Nanos) -> Option<u64> {
        let pages = self.unused(sample).min(self.got);
        // Pieces of an extent are worth giving back only if they are the rest.
        if pages < EXTENT_PAGES.min(self.got.max(1)) {
            self.idle = None;
            return None;
        }
        let (since, least) = self.idle.unwrap_or((now, pages));
        let least = least.min(pages);
        self.idle = Some((since, least));
        (now.saturating_sub(since) >= self.hold).then_some(least)
    }

    /// What could go back without being asked for again at once.
    fn unused(&self, sample: &Sample) -> u64 {
        let beyond_level = sample.available.saturating_sub(2 * level(sample.total));
        // What it gives is bounded by the rest again when it does.
        let memory = Memory {
            total: sample.total,
            available: sample.available,
            ..Memory::default()
        };
        let spare = spare_borrowed(&memory, self.before).min(beyond_level);
        // Who needs none of it has no cushion of it either: in a small domain it would never go home.
        if spare >= self.got {
            spare
        } else {
            spare.saturating_sub(self.cushion(sample))
        }
    }

    /// What to keep for the next burst, so that there is time to ask.
    fn cushion(&self, sample: &Sample) -> u64 {
        let burst = self.appetite.rate().saturating_mul(HORIZON / MILLISECOND) / 1_000;
        burst.min(sample.total / CUSHION_PART)
    }

    /// When to look again; even if nothing runs, if the domain has what it got by itself.
    fn next(&self, sample: &Sample, now: Nanos) -> Next {
        // Half of the time in which all could be gone.
        let gone = sample.available.saturating_mul(SECOND / FASTEST) / 2;
        let asleep = match self.idle {
            Some((since, _)) => {
                let over = since.saturating_add(self.hold);
                Some(over.saturating_sub(now).max(SOONEST))
            }
            // Whoever used it may free it and leave nothing running behind.
            None => (self.got > 0).then_some(self.hold),
        };
        Next {
            awake: gone.clamp(SOONEST, LATEST),
            asleep,
        }
    }

    /// A request brought so many pages, of which the domain did not lend `borrowed`.
    pub fn asked(&mut self, got: u64, borrowed: u64, now: Nanos) {
        self.tally.asked += 1;
        self.tally.got += got;
        self.idle = None;
        if got == 0 {
            self.tally.refused += 1;
            self.backoff.fail_within(LONGEST_REFUSAL, now);
            return;
        }
        self.backoff.succeed();
        self.got = self.got.saturating_add(borrowed);
        let soon = self.hold.saturating_mul(REGRETS);
        if let Some(gave) = self.gave.take() {
            if now.saturating_sub(gave) <= soon {
                self.tally.regrets += 1;
                self.hold = self.hold.saturating_mul(2).min(LONGEST_HOLD);
            } else {
                self.hold = (self.hold / 2).max(SHORTEST_HOLD);
            }
        }
    }

    /// So many pages went back.
    pub fn gave_back(&mut self, pages: u64, now: Nanos) {
        self.idle = None;
        self.tally.given_back += pages;
        self.got = self.got.saturating_sub(pages);
        if pages > 0 {
            self.gave = Some(now);
        }
    }
}

impl Default for Auto {
    fn default() -> Self {
        Self::new()
    }
}

impl Tally {
    const NONE: Self = Self {
        looks: 0,
        asked: 0,
        refused: 0,
        got: 0,
        given_back: 0,
        regrets: 0,
    };
}

/// What is to be available whatever the rate.
fn level(total: u64) -> u64 {
    (total / LEVEL_PART).clamp(LOWEST_LEVEL, HIGHEST_LEVEL)
}
