// SPDX-License-Identifier: GPL-2.0

//! Whose turn it is of those who wait for more than there is: pure functions of what each has had.
//!
//! It is start-time fair queuing. Each domain has a virtual time, which is how much it has had for its weight; who is
//! behind the others has its turn first. Who comes anew begins where the others are: nobody is owed anything for having
//! asked for nothing before, and nobody pays for having had what nobody else wanted. So it is of no use to ask for more
//! than others do, in more requests, or more often.
//!
//! Two kinds of requests go before all others, and both have an end. What a domain lent because it was asked to, it may
//! have back: but once, for whoever gives back and asks again all the time would be served for ever. And a domain may call
//! a request an emergency, as long as it does not do so for more than a budget: beyond that it is a request like any other.

use crate::protocol::EXTENT_PAGES;
use crate::time::{Nanos, SECOND};

/// How much a domain gets in one turn while others wait, too: 4 MiB. A request for less is met whole or not yet begun, as
/// most are.
pub(super) const QUANTUM: u64 = 2 * EXTENT_PAGES;

/// How much virtual time a page is for a domain of weight 1: so much that a turn's worth is some even for the largest
/// weight, and so little that the sum of 4 PiB does not overflow. What a division by a weight leaves is not lost: it counts
/// with the next pages.
const PAGE: u64 = 1 << 24;

/// For how much a domain may call its requests emergencies at once: 64 MiB, in which a system that is short of memory can
/// recover. And the time until it may do so for another page: 16 MiB a second, a small part of what can be moved. One for
/// little counts as one for a turn's worth: it keeps a donor from others as long.
const EMERGENCY_PAGES: u64 = 16_384;
const EMERGENCY_PAGE: Nanos = SECOND / 4_096;

/// Where those are who wait, in virtual time. It never goes back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct VirtualTime(u64);

impl VirtualTime {
    /// Somebody comes: of those who come where the others are, the first is the first.
    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What counts for or against one domain when it waits beside others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    /// Its virtual time.
    time: u64,
    /// What it has had in its turn, in pages: that does not count yet.
    begun: u64,
    /// What a division by its weight left, in parts of that.
    rest: u64,
    /// What it may have back before others have anything, in pages.
    earned: u64,
    /// When its emergencies so far are paid for.
    emergency_until: Nanos,
}

impl Account {
    /// The domain's virtual time: the smaller, the sooner it has its turn.
    pub(super) fn time(&self) -> u64 {
        self.time
    }

    /// The domain wants something, from now on.
    pub(super) fn begin(&mut self, others: VirtualTime) {
        self.time = self.time.max(others.0);
    }

    /// It had its turn, and got so many pages. Returns where those are who wait, then: as far as it was if others do, and as
    /// far as it is if nobody does.
    pub(super) fn served(
        &mut self,
        pages: u64,
        weight: u32,
        is_contended: bool,
        others: VirtualTime,
    ) -> VirtualTime {
        let began = self.time;
        self.charge(pages, weight);
        let reached = if is_contended { began } else { self.time };
        VirtualTime(others.0.max(reached))
    }

    /// It got so many pages. Its turn is over when it has had a turn's worth: or who has waited longest would have to wait
    /// for all others again whenever a page comes.
    fn charge(&mut self, pages: u64, weight: u32) {
        self.begun = self.begun.saturating_add(pages);
        if self.begun < QUANTUM {
            return;
        }
        let weight = u64::from(weight.max(1));
        let had = core::mem::take(&mut self.begun);
        let due = had.saturating_mul(PAGE).saturating_add(self.rest);
        self.time = self.time.saturating_add(due / weight);
        self.rest = due % weight;
    }

    /// It gave so many pages that it was asked for, and is owed so many now.
    pub(super) fn earn(&mut self, pages: u64, owed: u64) {
        self.earned = self.earned.saturating_add(pages).min(owed);
    }

    /// It wants so many pages back, of which it is owed so many. Returns whether it may have them before others.
    pub(super) fn recall(&mut self, pages: u64, owed: u64) -> bool {
        self.earned = self.earned.min(owed);
        let may = pages <= self.earned;
        if may {
            self.earned -= pages;
        }
        may
    }

    /// It did not get so many pages that it wanted back.
    pub(super) fn keep(&mut self, pages: u64) {
        self.earned = self.earned.saturating_add(pages);
    }

    /// It says that it is an emergency. Returns whether it may still say so for as many pages.
    pub(super) fn hurry(&mut self, pages: u64, now: Nanos) -> bool {
        let paid = self.emergency_until.max(now);
        let price = EMERGENCY_PAGE.saturating_mul(pages.max(QUANTUM));
        let may = price.saturating_add(paid - now) <= EMERGENCY_PAGES * EMERGENCY_PAGE;
        if may {
            self.emergency_until = paid.saturating_add(price);
        }
        may
    }
}
