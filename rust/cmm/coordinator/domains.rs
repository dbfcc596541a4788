// SPDX-License-Identifier: GPL-2.0

//! All domains that are known, and every search among them.
//!
//! What domains are found by, and what is counted over all of them, changes through [`Domains::change`] only, which
//! keeps both in step: tables have to be kept up to date there and nowhere else.

use super::domain::{Domain, Part, Request, Summary};
use super::index::{Links, Tables};
use super::policy::{best, Best, Need};
use super::refused::Refused;
use super::top::Top;
use crate::protocol::RequestReason;
use crate::tables::{Arena, Index, Place, Storage};
use crate::time::Nanos;
use crate::DomId;

/// How many waiting requests have their turn in one event; the others follow in the next. As many answers take some
/// tens of microseconds under the lock.
const SERVED_AT_ONCE: usize = 16;

/// How many lenders are paid back in one event; the others follow in the next. Half as many as are served, for it is
/// less urgent, and each takes two hypercalls as well.
const REPAID_AT_ONCE: usize = 8;

/// Room for one domain in the coordinator's storage.
pub type Entry = Place<Links, Domain>;

/// The known domains. A domain's index is good as long as it is known.
#[derive(Debug)]
pub(super) struct Domains<S> {
    entries: Arena<S>,
    tables: Tables,
    tally: Tally,
}

/// Counted over all domains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// How many have lent.
    pub(super) lenders: usize,
    /// How many requests wait.
    pub(super) waiting: usize,
    /// Pages that their credits lack.
    pub(super) lacking: u64,
    /// Pages put aside for their requests.
    pub(super) held: u64,
    /// Pages that they have been asked for to fill the reserve.
    pub(super) filling: u64,
}

impl Tally {
    #[inline]
    pub(super) fn of(domain: &Domain) -> Self {
        Self {
            lenders: usize::from(domain.is_lender()),
            waiting: usize::from(domain.requests.waiting()),
            lacking: domain.credit.lacks(),
            held: domain.requests.held(),
            filling: domain.asks.filling(),
        }
    }

    #[inline]
    pub(super) fn add(&mut self, one: Self) {
        self.lenders += one.lenders;
        self.waiting += one.waiting;
        self.lacking += one.lacking;
        self.held += one.held;
        self.filling += one.filling;
    }

    /// Takes one out that is in it.
    #[inline]
    fn remove(&mut self, one: Self) {
        self.lenders -= one.lenders;
        self.waiting -= one.waiting;
        self.lacking -= one.lacking;
        self.held -= one.held;
        self.filling -= one.filling;
    }
}

impl<S: Storage<Item = Entry>> Domains<S> {
    pub(super) fn new(storage: S) -> Self {
        Self {
            entries: Arena::new(storage),
            tables: Tables::default(),
            tally: Tally::default(),
        }
    }

    /// Moves into a larger storage and returns the old one; a storage too small for the domains is returned as it is.
    pub(super) fn grow(&mut self, storage: S) -> S {
        self.entries.grow(storage)
    }

    /// All domains, in no order: for tests and debugfs.
    pub(super) fn all(&self) -> impl Iterator<Item = (Index, &Domain)> {
        self.entries.iter().map(|(at, _, domain)| (at, domain))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn get(&self, i: Index) -> Option<&Domain> {
        self.entries.get(i)
    }

    pub(super) fn find(&self, dom: DomId) -> Option<Index> {
        self.entries.find(dom)
    }

    /// Changes a domain. `None` if there is none at this place.
    pub(super) fn change<R>(
        &mut self,
        i: Index,
        change: impl FnOnce(&mut Domain) -> R,
    ) -> Option<R> {
        let domain = self.entries.get_mut(i)?;
        let (before, filed) = (Tally::of(domain), *domain.summary());
        let result = change(domain);
        domain.summarise();
        let (after, summary) = (Tally::of(domain), *domain.summary());
        if after != before {
            self.tally.remove(before);
            self.tally.add(after);
        }
        if summary != filed {
            self.tables.file(&mut self.entries, i, &summary);
        }
        Some(result)
    }

    /// Changes what no domain is found by and nothing counts, which most of a domain is. `None` if there is none at
    /// this place.
    pub(super) fn amend<R>(
        &mut self,
        i: Index,
        change: impl FnOnce(&mut Domain) -> R,
    ) -> Option<R> {
        let domain = self.entries.get_mut(i)?;
        let result = change(domain);
        debug_assert_eq!(*domain.summary(), domain.summarised());
        Some(result)
    }

    /// Adds a domain that is not known yet. Returns its place.
    pub(super) fn insert(&mut self, mut domain: Domain) -> Result<Index, Refused> {
        domain.summarise();
        let place = self.entries.insert(domain.dom(), domain);
        let place = place.map_err(|_| Refused::StorageFull)?;
        self.tally.add(Tally::of(&domain));
        self.tables.file(&mut self.entries, place, domain.summary());
        Ok(place)
    }

    /// Forgets a domain.
    pub(super) fn remove(&mut self, i: Index) {
        self.tables.remove(&mut self.entries, i);
        if let Some(domain) = self.entries.remove(i) {
            self.tally.remove(Tally::of(&domain));
        }
    }

    /// Whose answer is due first, and when.
    pub(super) fn first_to_answer(&self) -> Option<(Nanos, Index)> {
        self.tables.answer.first(&self.entries)
    }

    /// Who was asked first of those who have not answered somebody who waits for it, and when.
    pub(super) fn first_asked(&self) -> Option<(Nanos, Index)> {
        self.tables.asked.first(&self.entries)
    }

    /// A request of this domain must be looked at.
    pub(super) fn push_ready(&mut self, i: Index) {
        self.tables.ready.push(&mut self.entries, i, 0);
    }

    /// A domain whose requests must be looked at, which it is now.
    pub(super) fn pop_ready(&mut self) -> Option<Index> {
        self.tables.ready.pop(&mut self.entries)
    }

    pub(super) fn remove_ready(&mut self, i: Index) {
        self.tables.ready.remove(&mut self.entries, i);
    }

    pub(super) fn is_any_ready(&self) -> bool {
        !self.tables.ready.is_empty()
    }

    /// The connection to this domain has failed.
    pub(super) fn push_failed(&mut self, i: Index) {
        self.tables.failed.push(&mut self.entries, i, 0);
    }

    pub(super) fn pop_failed(&mut self) -> Option<Index> {
        self.tables.failed.pop(&mut self.entries)
    }

    /// The credit of this domain waits for the pool to grow.
    pub(super) fn push_unfilled(&mut self, i: Index) {
        self.tables.unfilled.push(&mut self.entries, i, 0);
    }

    pub(super) fn pop_unfilled(&mut self) -> Option<Index> {
        self.tables.unfilled.pop(&mut self.entries)
    }

    pub(super) fn is_any_unfilled(&self) -> bool {
        !self.tables.unfilled.is_empty()
    }

    /// How many places there are to look at for [`at`](Self::at).
    pub(super) fn places(&self) -> usize {
        self.entries.places()
    }

    /// The domain in a place, for walks that go on where they stopped.
    pub(super) fn at(&self, place: usize) -> Option<Index> {
        self.entries.at(place)
    }

    fn summaries(&self) -> impl Iterator<Item = (Index, &Summary)> {
        self.all().map(|(i, domain)| (i, domain.summary()))
    }

    /// Whether each domain is where it belongs, and is found there.
    ///
    /// # Errors
    ///
    /// The first rule found broken.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        self.entries.check()?;
        self.tables.check(&self.entries)?;
        let mut all = self.summaries();
        if all.all(|(i, domain)| self.tables.is_filed(&self.entries, i, domain)) {
            Ok(())
        } else {
            Err("each domain is where it belongs in each table")
        }
    }

    /// The best donors for a request of a domain of this number, or for the reserve.
    pub(super) fn best_donors(&self, need: Need, requester: Option<DomId>, now: Nanos) -> Best {
        let willing = self.summaries().filter(|(_, domain)| {
            domain.is_willing(now)
                && domain.has_room
                && match requester {
                    Some(dom) => domain.dom != dom,
                    None => domain.refused_until <= now,
                }
        });
        best(
            need,
            willing.map(|(i, domain)| domain.candidate(i, need.recall > 0)),
        )
    }

    /// Until when somebody may answer who could give what `requester` needs, and is asked for so much already that no
    /// further question has room. An answer that is late may never come, and is not waited for.
    pub(super) fn crowded_until(
        &self,
        requester: DomId,
        need: Need,
        now: Nanos,
        timeout: Nanos,
    ) -> Option<Nanos> {
        let crowded = self.all().map(|(_, domain)| domain).filter(|domain| {
            let summary = domain.summary();
            summary.is_willing(now)
                && !summary.has_room
                && summary.dom != requester
                && (summary.spare > 0 || (need.recall > 0 && summary.recallable > 0))
        });
        let asks = crowded.flat_map(|domain| domain.asks.iter());
        asks.filter(|ask| !ask.purpose.is_late())
            .map(|ask| ask.due(timeout))
            .filter(|due| *due > now)
            .max()
    }

    /// Of the requests that wait and of which `wanted` is true, those whose turn it is: first those for no more than the
    /// domain is owed, then emergencies, then by age.
    pub(super) fn next_in_turn(
        &self,
        wanted: fn(&Request) -> bool,
    ) -> Top<(Index, u32), SERVED_AT_ONCE> {
        let mut first = Top::new();
        for (i, domain) in self.all() {
            let summary = domain.summary();
            if summary.waiting == 0 || !summary.connected {
                continue;
            }
            let mut owed = summary.owed;
            for request in domain.requests.iter_waiting() {
                let recalls = request.want <= owed;
                if recalls {
                    owed -= request.want;
                }
                if wanted(request) {
                    first.offer(turn(request, recalls), (i, request.id));
                }
            }
        }
        first
    }

    /// To whom most is owed of those who can be given it back now, with what is owed; and when that is so of another.
    pub(super) fn next_to_repay(&self, now: Nanos) -> (Top<Index, REPAID_AT_ONCE>, Nanos) {
        let mut first = Top::new();
        let mut later = Nanos::MAX;
        for (i, summary) in self.summaries() {
            if summary.owed == 0 || !summary.connected || !summary.has_room {
                continue;
            }
            let Some(domain) = self.get(i) else { continue };
            if domain.declined.is_over(now) {
                first.offer(summary.owed, i);
            } else {
                later = later.min(domain.declined.until());
            }
        }
        (first, later)
    }

    /// Moves pages from one part of a domain's to another, as many as there are. Returns how many.
    pub(super) fn shift(&mut self, i: Index, from: Part, to: Part, pages: u64) -> u64 {
        let shifted = self.change(i, |domain| {
            let taken = domain.take(from, pages);
            if domain.put(to, taken) {
                return taken;
            }
            domain.put(from, taken);
            0
        });
        shifted.unwrap_or(0)
    }

    /// Puts pages into a part of a domain's. `false` if there is no such part.
    pub(super) fn put(&mut self, i: Index, part: Part, pages: u64) -> bool {
        self.change(i, |domain| domain.put(part, pages))
            .unwrap_or(false)
    }

    /// Takes pages out of a part of a domain's, as many as there are. Returns how many.
    pub(super) fn take(&mut self, i: Index, part: Part, pages: u64) -> u64 {
        self.change(i, |domain| domain.take(part, pages))
            .unwrap_or(0)
    }
}

/// The larger, the sooner. `recalls` is whether it wants no more than its domain is owed.
fn turn(request: &Request, recalls: bool) -> u64 {
    let class = if recalls {
        2
    } else {
        u64::from(request.reason == RequestReason::Emergency)
    };
    (class << 62) | ((1 << 62) - 1 - (request.serial & ((1 << 62) - 1)))
}
