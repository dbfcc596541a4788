// SPDX-License-Identifier: GPL-2.0

//! Where a domain belongs in the tables.

use super::domain::{Class, Domain};
use super::policy::rank;
use super::tally::Tally;
use crate::protocol::MAX_REQUESTS;
use crate::time::Nanos;

/// Where a domain belongs, by what is known of it and what time it is; a key or a time of 0 is none. The tables are
/// described in [`index`](super::index). Each turn compares and copies some of these, so they are kept small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Filing {
    pub(super) answer: Nanos,
    pub(super) asked: Nanos,
    pub(super) untaken: Nanos,
    pub(super) spare: u64,
    pub(super) recallable: u64,
    pub(super) reserve: u64,
    pub(super) shy: u64,
    pub(super) lender: u64,
    pub(super) full_spare: Nanos,
    pub(super) full_recallable: Nanos,
    pub(super) resting: Nanos,
    pub(super) declined: Nanos,
    /// As far as they go before others.
    pub(super) unserved: [Option<Class>; MAX_REQUESTS],
    /// Its virtual time, if it has others.
    pub(super) in_turn: u64,
    /// What it is owed, in pages. It is found by that in no table, but who is owed more may ask others.
    pub(super) owed: u64,
    /// What it adds to what is counted over all.
    pub(super) tally: Tally,
}

/// A time of those above, if there is one.
pub(super) fn some(time: Nanos) -> Option<Nanos> {
    (time > 0).then_some(time)
}

/// As one of those above. At the very beginning of time nothing is due.
fn or_none(time: Option<Nanos>) -> Nanos {
    time.map_or(0, |time| time.max(1))
}

/// Turns a time into one by which the latest are first, and back.
pub(super) fn latest_first(time: Nanos) -> Nanos {
    Nanos::MAX - time
}

impl Filing {
    pub(super) fn of(domain: &Domain, now: Nanos) -> Self {
        let mut filing = Self {
            asked: or_none(domain.asks.waited_for_since()),
            untaken: or_none(domain.take_by()),
            owed: domain.owed(),
            tally: Tally::of(domain),
            ..Self::default()
        };
        if domain.is_connected() {
            filing.add_requests(domain);
            filing.add_gifts(domain, now);
            filing.add_debts(domain, now);
        }
        filing
    }

    /// What it waits for.
    fn add_requests(&mut self, domain: &Domain) {
        if domain.requests.waiting() > 0 {
            self.answer = or_none(domain.requests.next_deadline());
            let first = |class: Option<Class>| class.filter(|class| *class != Class::Other);
            let unserved = domain.unserved();
            self.unserved = unserved.map(first);
            if unserved.contains(&Some(Class::Other)) {
                self.in_turn = domain.account.time();
            }
        }
    }

    /// What it could give. Who waits for memory gives none.
    fn add_gifts(&mut self, domain: &Domain, now: Nanos) {
        let (shy, refused) = (domain.shy.until(), domain.refused.until());
        let later = |until| if until > now { until } else { Nanos::MAX };
        let resting = later(shy).min(later(refused));
        if resting < Nanos::MAX {
            self.resting = resting;
        }
        if domain.requests.waiting() > 0 {
            return;
        }
        let (spare, recallable) = (domain.spare(), domain.recallable());
        let readiness = domain.readiness();
        if shy > now {
            if domain.asks.has_room() {
                self.shy = rank(spare, readiness);
            }
            return;
        }
        if domain.asks.has_room() {
            self.spare = rank(spare, readiness);
            self.recallable = rank(recallable, readiness);
            self.reserve = if refused <= now { self.spare } else { 0 };
        } else {
            let full = or_none(domain.asks.asked_last().map(latest_first));
            self.full_spare = if spare > 0 { full } else { 0 };
            self.full_recallable = if recallable > 0 { full } else { 0 };
        }
    }

    /// What it could be given back.
    fn add_debts(&mut self, domain: &Domain, now: Nanos) {
        if self.owed == 0 || !domain.asks.has_room() {
            return;
        }
        let until = domain.declined.until();
        if until > now {
            self.declined = until;
        } else {
            self.lender = self.owed;
        }
    }
}
