// SPDX-License-Identifier: GPL-2.0

//! What a front-end may cost Dom0: a share of one CPU, which it earns as time passes.
//!
//! Each turn in which it is listened to is paid for by how long that took. What Dom0 has asked it for costs it nothing,
//! so that nobody is held up for being asked much. What neither asks nor answers, and more than a front-end has reason
//! to say at once, costs it several times as much: whoever floods has a smaller share than whoever asks as fast as it
//! can. Who has used up its share waits until it has earned enough again. The interrupt itself takes time, too, which
//! nobody measures: a turn costs a little more than it took.
//!
//! To connect costs Dom0 more than to listen: pages of xenstore's, a mapping, a channel and its thread. How long that
//! takes depends on what else Dom0 does, so each time has one price. Who comes and goes, over and over, is not let in any
//! more.

use crate::protocol::layout::UP;
use crate::protocol::Up;
use crate::time::{Nanos, MICROSECOND, MILLISECOND};

/// A front-end earns a nanosecond of Dom0's time in so many.
const EARNS_IN: Nanos = 5;

/// How many times as much what has no worth costs: then its share is a twentieth.
const WORTHLESS_COSTS: Nanos = 4;

/// What a turn costs besides the time that it took.
const INTERRUPT: Nanos = 10 * MICROSECOND;

/// How much may be saved up, which is what somebody can have who has been quiet.
const MOST: Nanos = 20 * MILLISECOND;

/// How long a front-end waits, at least, that has used up its share: it is listened to for a while then. Dom0 is woken
/// for that, and takes the CPU from whoever has it. Not in step with the ticks of any scheduler.
const PAUSE: Nanos = 7 * MILLISECOND;

/// How many messages a front-end may say in one turn: half a lane, which is more than one has reason to. Others are not
/// listened to meanwhile, and wait for as long as that takes.
const TURN: u32 = UP.slots / 2;

/// In how many turns all is heard that a lane can hold.
pub const TURNS_OF_A_LANE: u32 = UP.slots.div_ceil(TURN);

/// What a turn in which a front-end was listened to was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    messages: u32,
    asks: bool,
    answers: bool,
}

impl Worth {
    /// That of a turn in which nothing was said.
    pub const NONE: Self = Self {
        messages: 0,
        asks: false,
        answers: false,
    };

    /// Something was said in this turn.
    pub fn add(&mut self, up: &Up) {
        self.messages += 1;
        match up {
            Up::Offered { .. } | Up::Took { .. } => self.answers = true,
            Up::Request { .. } | Up::Release { .. } | Up::Drew { .. } => self.asks = true,
            Up::Stats { .. } | Up::Cancel { .. } => (),
        }
    }

    /// Whether it has said as much as it may in one turn.
    pub const fn is_full(&self) -> bool {
        self.messages >= TURN
    }

    const fn price(&self, took: Nanos) -> Nanos {
        let took = took.saturating_add(INTERRUPT);
        if self.is_full() || !(self.asks || self.answers) {
            took.saturating_mul(WORTHLESS_COSTS)
        } else if self.asks {
            took
        } else {
            0
        }
    }
}

/// What a front-end has left of its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// When it will have saved up [`MOST`], if it is quiet until then. It is in debt if that takes longer than to earn
    /// so much.
    full_at: Nanos,
    /// Until when it is not listened to, because it was in debt.
    until: Nanos,
}

impl Budget {
    /// Of a front-end that has been quiet.
    pub const fn new() -> Self {
        Self {
            full_at: 0,
            until: 0,
        }
    }

    /// Pays for a turn that has ended `now`.
    pub fn pay(&mut self, worth: &Worth, took: Nanos, now: Nanos) {
        let earned_in = worth.price(took).saturating_mul(EARNS_IN);
        self.full_at = self.full_at.max(now).saturating_add(earned_in);
        let debt = (self.full_at - now).saturating_sub(MOST * EARNS_IN);
        if debt > 0 {
            self.until = now.saturating_add(debt.max(PAUSE));
        }
    }

    /// How long it is not to be listened to.
    pub const fn wait(&self, now: Nanos) -> Nanos {
        self.until.saturating_sub(now)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

/// What it costs Dom0 that a front-end connects and goes again, at most: the suite `hostile` shows what forty cost.
const VISIT: Nanos = 10 * MILLISECOND;

/// A front-end earns a nanosecond of Dom0's time for that in so many: it is of no use to anybody else.
const VISIT_EARNS_IN: Nanos = 20;

/// How much of that may be saved up: for forty visits, as of a driver that somebody loads anew for each try.
const MOST_VISITS: Nanos = 400 * MILLISECOND;

/// How often a front-end has come and gone, and may come again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visits {
    /// When it will have saved up [`MOST_VISITS`].
    full_at: Nanos,
}

impl Visits {
    /// Of a front-end that never came.
    pub const fn new() -> Self {
        Self { full_at: 0 }
    }

    /// Pays for another visit. `false` if it has used up what it had: then it has not paid.
    #[must_use]
    pub fn pay(&mut self, now: Nanos) -> bool {
        let full_at = self.full_at.max(now) + VISIT * VISIT_EARNS_IN;
        let has_paid = full_at - now <= MOST_VISITS * VISIT_EARNS_IN;
        if has_paid {
            self.full_at = full_at;
        }
        has_paid
    }
}
