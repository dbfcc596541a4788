// SPDX-License-Identifier: GPL-2.0

//! All domains that are known, and every search among them.
//!
//! What domains are searched by, and what is counted over all of them, changes through [`Domains::change`] only, which
//! keeps both in step: an index has to be kept up to date there and nowhere else.

use core::ops::DerefMut;

use super::domain::{Domain, Part, Request, Summary};
use super::policy::{best, Best, Need};
use super::refused::Refused;
use super::top::Top;
use crate::protocol::RequestReason;
use crate::time::Nanos;
use crate::DomId;

/// How many waiting requests have their turn in one event; the others follow in the next. As many answers take some
/// tens of microseconds under the lock.
const SERVED_AT_ONCE: usize = 16;

/// How many lenders are paid back in one event; the others follow in the next. Half as many as are served, for it is
/// less urgent, and each takes two hypercalls as well.
const REPAID_AT_ONCE: usize = 8;

/// The known domains, in the order of their numbers. A domain's place is good until one is added or removed.
#[derive(Debug)]
pub(super) struct Domains<S> {
    /// The first `len` are in use.
    storage: S,
    len: usize,
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

impl<S: DerefMut<Target = [Domain]>> Domains<S> {
    pub(super) fn new(storage: S) -> Self {
        Self {
            storage,
            len: 0,
            tally: Tally::default(),
        }
    }

    /// Moves into a larger storage and returns the old one; a storage too small for the domains is returned as it is.
    pub(super) fn grow(&mut self, mut storage: S) -> S {
        let old = self.all();
        let Some(new) = storage.get_mut(..old.len()) else {
            return storage;
        };
        new.copy_from_slice(old);
        core::mem::replace(&mut self.storage, storage)
    }

    pub(super) fn all(&self) -> &[Domain] {
        self.storage.get(..self.len).unwrap_or_default()
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn get(&self, i: usize) -> Option<&Domain> {
        self.all().get(i)
    }

    pub(super) fn find(&self, dom: DomId) -> Option<usize> {
        self.all().binary_search_by_key(&dom, Domain::dom).ok()
    }

    /// Changes a domain. `None` if there is none at this place.
    pub(super) fn change<R>(
        &mut self,
        i: usize,
        change: impl FnOnce(&mut Domain) -> R,
    ) -> Option<R> {
        let domain = self.storage.get_mut(..self.len)?.get_mut(i)?;
        let before = Tally::of(domain);
        let result = change(domain);
        domain.summarise();
        let after = Tally::of(domain);
        if after != before {
            self.tally.remove(before);
            self.tally.add(after);
        }
        Some(result)
    }

    /// Changes what no domain is searched by and nothing counts, which most of a domain is. `None` if there is none at
    /// this place.
    pub(super) fn amend<R>(
        &mut self,
        i: usize,
        change: impl FnOnce(&mut Domain) -> R,
    ) -> Option<R> {
        let domain = self.storage.get_mut(..self.len)?.get_mut(i)?;
        let result = change(domain);
        debug_assert_eq!(*domain.summary(), domain.summarised());
        Some(result)
    }

    /// Adds a domain that is not known yet. Returns its place.
    pub(super) fn insert(&mut self, mut domain: Domain) -> Result<usize, Refused> {
        domain.summarise();
        let place = self
            .all()
            .partition_point(|other| other.dom() < domain.dom());
        let all = self.storage.get_mut(place..=self.len);
        let all = all.ok_or(Refused::StorageFull)?;
        all.rotate_right(1);
        *all.first_mut().ok_or(Refused::StorageFull)? = domain;
        self.len += 1;
        self.tally.add(Tally::of(&domain));
        Ok(place)
    }

    /// Forgets a domain.
    pub(super) fn remove(&mut self, i: usize) {
        let Some(rest) = self.storage.get_mut(i..self.len) else {
            return;
        };
        rest.rotate_left(rest.len().min(1));
        let Some(last) = rest.last_mut() else { return };
        self.tally.remove(Tally::of(last));
        *last = Domain::default();
        self.len -= 1;
    }

    fn summaries(&self) -> impl Iterator<Item = (usize, &Summary)> {
        self.all().iter().map(Domain::summary).enumerate()
    }

    /// The first domain from `dom` on, in the order of their numbers.
    pub(super) fn first_from(&self, dom: DomId) -> usize {
        self.all().partition_point(|domain| domain.dom() < dom)
    }

    /// The first at or after a place that was asked something or asked for something, and has no answer.
    pub(super) fn next_unanswered(&self, from: usize) -> Option<usize> {
        let mut all = self.summaries().skip(from);
        let (i, _) = all.find(|(_, domain)| domain.is_asked || domain.waiting > 0)?;
        Some(i)
    }

    /// One with a request that must be looked at.
    pub(super) fn any_ready(&self) -> Option<usize> {
        self.all().iter().position(|domain| domain.ready)
    }

    /// One whose connection has failed in this turn.
    pub(super) fn any_failed(&self) -> Option<usize> {
        self.all().iter().position(Domain::has_failed)
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
        let crowded = self.all().iter().filter(|domain| {
            let summary = domain.summary();
            summary.is_willing(now)
                && !summary.has_room
                && summary.dom != requester
                && (summary.spare > 0 || (need.recall > 0 && summary.recallable > 0))
        });
        let asks = crowded.flat_map(|domain| domain.asks.iter());
        asks.filter(|ask| !ask.purpose.is_late())
            .map(|ask| ask.since.saturating_add(timeout))
            .filter(|due| *due > now)
            .max()
    }

    /// Of the requests that wait and of which `wanted` is true, those whose turn it is: first those for no more than the
    /// domain is owed, then emergencies, then by age.
    pub(super) fn next_in_turn(
        &self,
        wanted: fn(&Request) -> bool,
    ) -> Top<(usize, u32), SERVED_AT_ONCE> {
        let mut first = Top::new();
        for (i, domain) in self.all().iter().enumerate() {
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
    pub(super) fn next_to_repay(&self, now: Nanos) -> (Top<usize, REPAID_AT_ONCE>, Nanos) {
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
    pub(super) fn shift(&mut self, i: usize, from: Part, to: Part, pages: u64) -> u64 {
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
    pub(super) fn put(&mut self, i: usize, part: Part, pages: u64) -> bool {
        self.change(i, |domain| domain.put(part, pages))
            .unwrap_or(false)
    }

    /// Takes pages out of a part of a domain's, as many as there are. Returns how many.
    pub(super) fn take(&mut self, i: usize, part: Part, pages: u64) -> u64 {
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
