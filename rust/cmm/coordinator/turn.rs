// SPDX-License-Identifier: GPL-2.0

//! A turn: one event, and all that is done because of it.

use super::books::Place;
use super::domain::{Domain, Part, Purpose};
use super::domains::Entry;
use super::fair::QUANTUM;
use super::fault::Fault;
use super::host::{Gone, Host};
use super::known::Coordinator;
use crate::protocol::Down;
use crate::tables::{Index, Storage};
use crate::time::Nanos;

/// What there is while an event is handled. `now` is one moment all the time.
pub(super) struct Turn<'a, S, H> {
    pub(super) coordinator: &'a mut Coordinator<S>,
    pub(super) now: Nanos,
    pub(super) host: &'a mut H,
    /// The domain that the event was about, if its credit may have to change.
    pub(super) about: Option<Index>,
    /// Of the domain whose requests are looked at, whether it may ask donors before those who wait until one has room.
    pub(super) asks_first: bool,
}

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    pub(super) fn domain(&self, i: Index) -> Result<&Domain, Gone> {
        self.coordinator.domains.get(i).ok_or(Gone)
    }

    pub(super) fn change<R>(
        &mut self,
        i: Index,
        change: impl FnOnce(&mut Domain) -> R,
    ) -> Result<R, Gone> {
        self.coordinator.domains.change(i, change).ok_or(Gone)
    }

    /// As [`Self::change`], of what no domain is searched by and nothing counts.
    pub(super) fn amend<R>(
        &mut self,
        i: Index,
        change: impl FnOnce(&mut Domain) -> R,
    ) -> Result<R, Gone> {
        self.coordinator.domains.amend(i, change).ok_or(Gone)
    }

    /// Moves pages in the books.
    pub(super) fn transfer(&mut self, from: Place, to: Place, pages: u64) {
        let coordinator = &mut *self.coordinator;
        let (books, domains) = (&mut coordinator.books, &mut coordinator.domains);
        books.transfer(domains, from, to, pages);
        if to == Place::Free && pages > 0 {
            coordinator.free_grew = true;
        }
    }

    /// Moves pages in the books, or so many the other way if they are negative.
    pub(super) fn transfer_signed(&mut self, from: Place, to: Place, pages: i64) {
        if pages < 0 {
            self.transfer(to, from, pages.unsigned_abs());
        } else {
            self.transfer(from, to, pages.unsigned_abs());
        }
    }

    /// Puts pages of the pool aside for a request that waits, as many as it lacks and the pool has: no others want any.
    pub(super) fn hold(&mut self, i: Index, id: u32) -> Result<(), Gone> {
        self.hold_some(i, id, u64::MAX, false)
    }

    /// As [`Self::hold`], but no more than a turn's worth if others wait, too.
    pub(super) fn hold_turn(&mut self, i: Index, id: u32) -> Result<(), Gone> {
        let is_contended = self.coordinator.domains.is_contended(i);
        let most = if is_contended { QUANTUM } else { u64::MAX };
        self.hold_some(i, id, most, is_contended)
    }

    fn hold_some(&mut self, i: Index, id: u32, most: u64, is_contended: bool) -> Result<(), Gone> {
        let free = self.coordinator.books.free();
        if free == 0 {
            return Ok(());
        }
        let Some(lacks) = self.domain(i)?.requests.lacks(id) else {
            return Ok(());
        };
        let pages = lacks.min(free).min(most);
        let others = self.coordinator.virtual_time;
        self.coordinator.virtual_time = self.change(i, |domain| {
            let weight = domain.limits().weight;
            let account = &mut domain.account;
            account.served(pages, weight, is_contended, others)
        })?;
        self.transfer(Place::Free, Place::Of(i, Part::Held(id)), pages);
        Ok(())
    }

    /// Asks for a tick at this time.
    pub(super) fn wake(&mut self, at: Nanos) {
        self.coordinator.wake(at);
    }

    /// A request of this domain must be looked at, in this turn or the next.
    pub(super) fn mark_ready(&mut self, i: Index) {
        self.coordinator.domains.push_ready(i);
    }

    pub(super) fn send(&mut self, i: Index, message: &Down) -> Result<(), Fault> {
        let dom = self.domain(i)?.dom();
        Ok(self.host.send(dom, message)?)
    }

    /// Writes a question down. `None` if its table is full, or nobody would answer.
    pub(super) fn open_ask(&mut self, i: Index, pages: u64, purpose: Purpose) -> Option<u32> {
        let (last, now) = (self.coordinator.last_ask, self.now);
        let opened = self.change(i, |domain| {
            if domain.is_connected() {
                // What it was asked for before comes first.
                let allowed = domain.pace.allows(domain.asks.reclaiming() + pages);
                domain.asks.open(last, pages, now, allowed, purpose)
            } else {
                None
            }
        });
        let id = opened.ok()??;
        self.coordinator.last_ask = id;
        Some(id)
    }

    /// Dealing with a domain may have gone wrong: then its connection ends now, and nobody deals with it any more in
    /// this turn. What was open with it is dealt with at the end of the turn, whatever was being done when it failed.
    pub(super) fn note_fault(&mut self, i: Index, result: Result<(), Fault>) {
        let Err(fault) = result else { return };
        let failed = self.change(i, |domain| {
            domain.is_connected().then(|| {
                match fault {
                    Fault::Violation(_) => domain.send_away(),
                    _ => domain.fail(),
                }
                domain.dom()
            })
        });
        let Ok(Some(dom)) = failed else { return };
        if let Fault::Violation(violation) = fault {
            self.host.disconnect(dom, violation);
        }
        self.coordinator.domains.push_failed(i);
    }
}
