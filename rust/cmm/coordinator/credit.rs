// SPDX-License-Identifier: GPL-2.0

//! Credit: what a domain may take without asking, and tells afterwards.
//!
//! The cap has room for a domain's credit, and the pages are put aside for it. Messages only ever add to it or
//! subtract from it, so that it does not matter which of two that cross on their way was written first: what the
//! front-end believes to have, together with what is written in both lanes, is what the coordinator believes it has.

use super::books::Place;
use super::domain::{Ask, Domain, Part, Purpose};
use super::domains::Entry;
use super::donors::check_answer;
use super::fault::Fault;
use super::host::{Gone, Host, SendError};
use super::turn::Turn;
use crate::protocol::Down;
use crate::tables::{Index, Storage};

/// How many domains' credits are changed in one event; the others follow in the next. Each takes two hypercalls and a
/// message.
const ADJUSTED_AT_ONCE: usize = 16;

/// How many domains are looked at for that.
const REVIEWED_AT_ONCE: usize = 64;

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    /// A domain took part of its credit. Its cap had room for that already.
    pub(super) fn drew(&mut self, i: Index, id: u32, pages: u64) -> Result<(), Fault> {
        check_answer(id, pages, self.domain(i)?.credit.pages())?;
        self.amend(i, |domain| domain.less_credit(pages))?;
        self.transfer(
            Place::Of(i, Part::Credit),
            Place::Of(i, Part::Balance),
            pages,
        );
        self.charge_pool(i, pages);
        self.settle_taken(i, pages);
        Ok(())
    }

    /// A domain returns credit that it has not used.
    pub(super) fn returned(&mut self, i: Index, ask: &Ask, pages: u64) -> Result<(), Fault> {
        let credit = self.domain(i)?.credit.pages();
        check_answer(ask.id, pages, ask.pages.min(credit))?;
        self.lower(i, Place::Of(i, Part::Credit), Place::Free, pages)?;
        self.amend(i, |domain| domain.less_credit(pages))?;
        self.change(i, |domain| {
            domain.asks.close(ask.id);
            domain.credit.returned(ask.pages, pages);
        })?;
        Ok(())
    }

    /// Brings credits to what they should be, a limited number of them.
    pub(super) fn adjust_credits(&mut self) {
        let coordinator = &mut *self.coordinator;
        if coordinator.requests_come_first() {
            if self.about.is_some() {
                coordinator.review.all();
            }
            return;
        }
        if let Some(i) = self.about {
            self.adjust(i);
        }
        self.fill_credits();
        if let Some(from) = self.coordinator.review.from.take() {
            self.adjust_from(from);
        }
    }

    /// Looks through the credits from this place on.
    fn adjust_from(&mut self, from: usize) {
        let mut left = ADJUSTED_AT_ONCE;
        for place in from..self.coordinator.domains.places() {
            if left == 0 || place - from == REVIEWED_AT_ONCE {
                self.coordinator.review.from = Some(place);
                self.wake(self.now);
                return;
            }
            if let Some(i) = self.coordinator.domains.at(place) {
                left -= usize::from(self.adjust(i));
            }
        }
    }

    /// Fills the credits that were waiting for the pool to grow.
    fn fill_credits(&mut self) {
        for _ in 0..ADJUSTED_AT_ONCE {
            if self.coordinator.books.free() == 0 {
                return;
            }
            let Some(i) = self.coordinator.domains.pop_unfilled() else {
                return;
            };
            self.adjust(i);
        }
        if self.coordinator.domains.is_any_unfilled() && self.coordinator.books.free() > 0 {
            self.wake(self.now);
        }
    }

    /// Brings a domain's credit to what it should be. `false` if there was nothing to do.
    fn adjust(&mut self, i: Index) -> bool {
        let should_change = self.domain(i).is_ok_and(Domain::is_connected)
            && self.set_goal(i).is_ok_and(|changes| changes);
        if should_change {
            let adjusted = self.try_adjust(i);
            self.note_fault(i, adjusted);
        }
        should_change
    }

    /// Finds out what a domain's credit should be, by what is known. Returns whether it should change.
    fn set_goal(&mut self, i: Index) -> Result<bool, Gone> {
        let pages = if self.coordinator.shutting_down {
            0
        } else {
            self.coordinator.settings.credit
        };
        let has_free = self.coordinator.books.free() > 0;
        let domain = self.domain(i)?;
        let due = domain.credit_due(pages);
        if due != domain.credit.goal() {
            self.change(i, |domain| domain.credit.set_goal(due))?;
        }
        let domain = self.domain(i)?;
        let lacks = domain.credit.lacks() > 0;
        let surplus = domain.credit.surplus() > 0;
        if lacks && !has_free {
            self.coordinator.domains.push_unfilled(i);
        }
        Ok(surplus || (lacks && has_free))
    }

    fn try_adjust(&mut self, i: Index) -> Result<(), Fault> {
        // It may have grown or shrunk since.
        self.sync_cap(i)?;
        self.set_goal(i)?;
        let domain = self.domain(i)?;
        let (credit, has_room) = (domain.credit, domain.asks.has_room());
        if domain.asks.is_any(Purpose::Revoke) {
            return Ok(());
        }
        let lacks = credit.lacks().min(self.coordinator.books.free());
        if credit.can_be_revoked() && has_room {
            self.revoke(i, credit.surplus())
        } else if lacks > 0 && self.pay(i) {
            self.extend(i, lacks)
        } else {
            Ok(())
        }
    }

    fn revoke(&mut self, i: Index, pages: u64) -> Result<(), Fault> {
        match self.open_ask(i, pages, Purpose::Revoke) {
            Some(id) => self.send(i, &Down::Revoke { id, pages }),
            None => Ok(()),
        }
    }

    /// Adds to a domain's credit from the pool, which has that many pages.
    fn extend(&mut self, i: Index, pages: u64) -> Result<(), Fault> {
        let pages = self.raise(i, Place::Free, pages)?;
        if pages == 0 {
            return Ok(());
        }
        let dom = self.domain(i)?.dom();
        match self.host.send(dom, &Down::Credit { pages }) {
            Ok(()) => {
                self.transfer(
                    Place::Of(i, Part::InFlight),
                    Place::Of(i, Part::Credit),
                    pages,
                );
                Ok(())
            }
            // It reads on some day, and then sends something: that is when this is tried again.
            Err(SendError::Full) => {
                self.lower(i, Place::Of(i, Part::InFlight), Place::Free, pages)?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}
