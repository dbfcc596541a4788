// SPDX-License-Identifier: GPL-2.0

//! Requests: from being accepted to being answered, exactly once.

use super::books::Place;
use super::domain::{Part, Request, TAKEN_WITHIN};
use super::domains::Entry;
use super::fault::Fault;
use super::host::{Gone, Host};
use super::turn::Turn;
use crate::protocol::{
    default_deadline_us, Down, GrantReason, RequestReason, DONOR_PAGE_NANOS, LONGEST_DEADLINE_US,
};
use crate::tables::{Index, Storage};
use crate::time::{Nanos, MICROSECOND};

/// How many waiting requests have their turn in one event; the others follow in the next. As many answers take some
/// tens of microseconds under the lock.
const SERVED_AT_ONCE: usize = 16;

/// How many domains' requests are looked at in one event; the others follow in the next.
const DRIVEN_AT_ONCE: usize = 8;

/// What a front-end asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) id: u32,
    pub(super) pages: u64,
    pub(super) deadline_us: u64,
    pub(super) reason: RequestReason,
}

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    /// Accepts a request, and puts aside for it what the pool has, unless that has just come and others wait for it.
    pub(super) fn accept(&mut self, i: Index, wish: Wish) -> Result<(), Fault> {
        let wanted = self.domain(i)?.requests.wanted();
        let room = self.room_for(i, wanted.saturating_add(wish.pages))?;
        let serial = self.coordinator.last_serial.wrapping_add(1);
        let deadline = self
            .now
            .saturating_add(patience(wish.deadline_us, wish.pages));
        let request = Request {
            id: wish.id,
            recalls: false,
            urgent: false,
            pages: wish.pages,
            want: wish.pages.min(room.saturating_sub(wanted)),
            deadline,
            may_share_until: self.late_after(self.now),
            shares: false,
            serial,
            asks: 0,
            coming: 0,
            held: 0,
            granted: 0,
        };
        self.change(i, |domain| domain.requests.add(request))??;
        self.coordinator.last_serial = serial;
        if self.coordinator.shutting_down {
            self.answer(i, &request, GrantReason::ShuttingDown)
        } else if !self.pay(i) {
            self.answer(i, &request, GrantReason::RateLimit)
        } else {
            self.classify(i, &request, wish.reason)?;
            // What has come for others who wait is shared out in turn.
            if !self.coordinator.free_grew {
                self.hold(i, wish.id)?;
                let request = self.domain(i)?.requests.get(wish.id);
                self.charge_pool(i, request.map_or(0, |request| request.held));
            }
            self.mark_ready(i);
            Ok(())
        }
    }

    /// Says whether a request goes before others, and lets its domain pay for that.
    fn classify(&mut self, i: Index, request: &Request, reason: RequestReason) -> Result<(), Gone> {
        let (now, others) = (self.now, self.coordinator.virtual_time.next());
        self.coordinator.virtual_time = others;
        self.change(i, |domain| {
            let owed = domain.owed().saturating_sub(domain.requests.recalled());
            let account = &mut domain.account;
            account.begin(others);
            let recalls = account.recall(request.want, owed);
            let is_emergency = !recalls && reason == RequestReason::Emergency;
            let urgent = is_emergency && account.hurry(request.want, now);
            domain.requests.classify(request.id, recalls, urgent);
        })
    }

    /// Answers a waiting request with what is held for it.
    pub(super) fn answer(
        &mut self,
        i: Index,
        request: &Request,
        reason: GrantReason,
    ) -> Result<(), Fault> {
        let id = request.id;
        let held = Place::Of(i, Part::Held(id));
        let pages = self.raise(i, held, request.held)?;
        self.transfer(held, Place::Free, request.held - pages);
        let take_by = self
            .now
            .saturating_add(TAKEN_WITHIN + pages.saturating_mul(DONOR_PAGE_NANOS));
        self.change(i, |domain| {
            domain.requests.grant(id, pages, take_by);
            if request.recalls {
                domain.account.keep(request.want.saturating_sub(pages));
                // It was asked for that before.
                domain.turnover.refund(pages);
            }
        })?;
        let reason = if pages == request.pages {
            GrantReason::Full
        } else if reason == GrantReason::Full || pages < request.held {
            GrantReason::Ceiling
        } else {
            reason
        };
        self.send(i, &Down::Grant { id, pages, reason })?;
        self.requester_told(i, pages);
        Ok(())
    }

    /// Answers a request that waits with nothing: what was put aside for it is of no use to who does not wait for it, or
    /// is about to give back what it borrowed.
    pub(super) fn deny(
        &mut self,
        i: Index,
        mut request: Request,
        reason: GrantReason,
    ) -> Result<(), Fault> {
        if !self.domain(i)?.is_connected() {
            return Ok(());
        }
        let held = Place::Of(i, Part::Held(request.id));
        self.transfer(held, Place::Free, request.held);
        request.held = 0;
        self.answer(i, &request, reason)
    }

    /// Nobody waits for a request any more. If it has been answered meanwhile, it knows that, too, by now.
    pub(super) fn cancel(&mut self, i: Index, id: u32) -> Result<(), Fault> {
        let request = self.domain(i)?.requests.get(id);
        match request.filter(Request::is_waiting) {
            Some(request) => self.deny(i, request, GrantReason::Cancelled),
            None => Ok(()),
        }
    }

    /// Shares out the pool among the requests that wait for donors, in their turn.
    pub(super) fn serve(&mut self) {
        let first_come = self.coordinator.requests_come_first();
        self.coordinator.free_grew = false;
        if !first_come {
            return;
        }
        for _ in 0..SERVED_AT_ONCE {
            if self.coordinator.books.free() == 0 {
                return;
            }
            let Some((i, place)) = self.coordinator.domains.next_unserved() else {
                return;
            };
            let request = self
                .domain(i)
                .map(|domain| domain.requests.waiting_at(place));
            let Ok(Some(request)) = request else { return };
            // It has all that it lacked now, or has had its turn, or there is no more.
            if self.hold_turn(i, request.id).is_ok() {
                self.mark_ready(i);
            }
        }
        self.coordinator.free_grew = true;
    }

    /// Looks at the requests of the domains that were marked, a limited number of them: answers those that need not
    /// wait any longer, and asks donors for the others.
    pub(super) fn drive_ready(&mut self) {
        for _ in 0..DRIVEN_AT_ONCE {
            let Some((i, asks_first)) = self.next_to_drive() else {
                return;
            };
            self.asks_first = asks_first;
            let mut from = 0;
            while let Some(place) = self.next_waiting(i, from) {
                let driven = self.drive(i, place);
                self.note_fault(i, driven);
                from = place + 1;
            }
        }
    }

    /// The place of the first of a domain's requests that wait, from this place on.
    fn next_waiting(&self, i: Index, from: usize) -> Option<usize> {
        self.domain(i).ok()?.requests.next_waiting(from)
    }

    /// Who was marked, or whose answer is due: in this order, so that a request that can be answered at once has been
    /// before anybody asks what is due. When the back-end goes, all answers are due. With it, whether it has waited until
    /// a donor has room, and that is its turn to ask.
    fn next_to_drive(&mut self) -> Option<(Index, bool)> {
        if let Some(ready) = self.coordinator.domains.pop_ready() {
            return Some((ready, false));
        }
        let is_due = |due| due <= self.now || self.coordinator.shutting_down;
        match self.coordinator.domains.first_to_answer() {
            Some((due, i)) if is_due(due) => Some((i, false)),
            _ => self.next_of_crowd().map(|i| (i, true)),
        }
    }

    /// Whose turn it is of those whose requests wait until a donor has room for a question, if to ask again is of use.
    fn next_of_crowd(&mut self) -> Option<Index> {
        let coordinator = &mut *self.coordinator;
        if !coordinator.rouse_crowd(self.now) {
            return None;
        }
        coordinator.retries -= 1;
        coordinator.domains.pop_crowded()
    }

    fn drive(&mut self, i: Index, place: usize) -> Result<(), Fault> {
        let domain = self.domain(i)?;
        let Some(request) = domain.requests.waiting_at(place) else {
            return Ok(());
        };
        if !domain.is_connected() {
            return Ok(());
        }
        if self.coordinator.shutting_down {
            self.deny(i, request, GrantReason::ShuttingDown)
        } else if request.lacks() == 0 {
            self.answer(i, &request, GrantReason::Full)
        } else if request.deadline <= self.now {
            self.answer(i, &request, GrantReason::Deadline)
        } else if request.unasked() == 0 || self.ask_donors(i, &request) || request.asks > 0 {
            Ok(())
        } else {
            self.answer(i, &request, GrantReason::NoDonor)
        }
    }
}

/// How long a request for so much waits that says this.
fn patience(deadline_us: u64, pages: u64) -> Nanos {
    match deadline_us.min(LONGEST_DEADLINE_US) {
        0 => default_deadline_us(pages) * MICROSECOND,
        us => us * MICROSECOND,
    }
}
