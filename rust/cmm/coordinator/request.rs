// SPDX-License-Identifier: GPL-2.0

//! Requests: from being accepted to being answered, exactly once.

use core::ops::DerefMut;

use super::host::Host;
use super::ledger::Fault;
use super::slot::{Request, Slot};
use super::top::Top;
use super::Coordinator;
use crate::protocol::{Down, GrantReason, RequestReason, Violation, MAX_REQUESTS};
use crate::time::{Nanos, MICROSECOND, SECOND};

/// No request waits longer, whatever it says.
const LONGEST_DEADLINE: Nanos = 60 * SECOND;

/// So many pages to be asked of donors are paid for as another request: an extent of 2 MiB.
const PAGES_PER_REQUEST: u64 = 512;

/// How many waiting requests have their turn in one event; the others follow in the next.
const SERVED_AT_ONCE: usize = 16;

/// What a front-end asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) id: u32,
    pub(super) pages: u64,
    pub(super) deadline_us: u64,
    pub(super) reason: RequestReason,
}

impl<S: DerefMut<Target = [Slot]>> Coordinator<S> {
    /// Accepts a request, and puts aside for it what the pool has.
    pub(super) fn accept<H: Host>(
        &mut self,
        i: usize,
        wish: Wish,
        now: Nanos,
        host: &mut H,
    ) -> Result<(), Fault> {
        let room = self.room(i, host)?;
        let patience = match wish.deadline_us.saturating_mul(MICROSECOND) {
            0 => self.settings.default_deadline,
            nanos => nanos,
        };
        let deadline = now.saturating_add(patience.min(LONGEST_DEADLINE));
        let order = self.requests_seen;
        let slot = self.slot_mut(i).ok_or(Fault::Gone)?;
        if slot.request_mut(wish.id).is_some() {
            return Err(Violation::Repeated(wish.id).into());
        }
        let spoken_for = slot.requests.iter().flatten().filter(|r| r.is_waiting());
        let spoken_for = spoken_for.fold(0u64, |sum, r| sum.saturating_add(r.want));
        let want = wish.pages.min(room.saturating_sub(spoken_for));
        let place = slot.requests.iter_mut().find(|place| place.is_none());
        *place.ok_or(Violation::TooManyRequests)? = Some(Request {
            id: wish.id,
            asks: 0,
            reason: wish.reason,
            pages: wish.pages,
            want,
            held: 0,
            granted: 0,
            deadline,
            order,
        });
        slot.waiting = slot.waiting.saturating_add(1);
        self.waiting = self.waiting.saturating_add(1);
        self.requests_seen = order.wrapping_add(1);
        self.wake(deadline);
        if self.shutting_down {
            self.answer(i, wish.id, GrantReason::ShuttingDown, now, host)
        } else if !self.pay(i, now) {
            self.answer(i, wish.id, GrantReason::RateLimit, now, host)
        } else {
            self.hold(i, wish.id);
            self.mark_ready(i);
            Ok(())
        }
    }

    /// What a request takes up of the rate that one domain is allowed, and how far ahead of that it may be; `None` if it
    /// is allowed any.
    fn price(&self) -> Option<(Nanos, Nanos)> {
        let price = SECOND.checked_div(self.settings.request_rate.into())?;
        let burst = price.saturating_mul(self.settings.request_burst.max(1).into());
        Some((price, burst))
    }

    /// Whether the domain may make another request now, or have its credit filled.
    pub(super) fn pay(&mut self, i: usize, now: Nanos) -> bool {
        let Some((price, burst)) = self.price() else {
            return true;
        };
        let Some(slot) = self.slot_mut(i) else {
            return false;
        };
        let paid_until = slot.paid_until.max(now).saturating_add(price);
        let allowed = paid_until.saturating_sub(now) <= burst;
        if allowed {
            slot.paid_until = paid_until;
        }
        allowed
    }

    /// Lets the domain pay for what donors are asked for on its behalf, whether it waits for their answers or not. No
    /// request is refused for that, but those after it may be, until as much time has passed.
    pub(super) fn charge(&mut self, i: usize, pages: u64, now: Nanos) {
        let Some((price, _)) = self.price() else {
            return;
        };
        let Some(slot) = self.slot_mut(i) else { return };
        let price = price.saturating_mul(pages / PAGES_PER_REQUEST);
        slot.paid_until = slot.paid_until.max(now).saturating_add(price);
    }

    /// Puts pages of the pool aside for a request, as many as it lacks and the pool has.
    pub(super) fn hold(&mut self, i: usize, id: u32) {
        let Some(request) = self.slot_mut(i).and_then(|slot| slot.request_mut(id)) else {
            return;
        };
        if !request.is_waiting() {
            return;
        }
        let lacks = request.lacks();
        let pages = self.take_free(lacks);
        self.held = self.held.saturating_add(pages);
        if let Some(request) = self.slot_mut(i).and_then(|slot| slot.request_mut(id)) {
            request.held = request.held.saturating_add(pages);
        }
    }

    /// Answers the requests of this domain that need not wait any longer, and asks donors for the others.
    pub(super) fn drive<H: Host>(&mut self, i: usize, now: Nanos, host: &mut H) {
        for place in 0..MAX_REQUESTS {
            let Some(slot) = self.slot(i) else { return };
            let request = slot.requests.get(place).copied().flatten();
            let Some(request) = request.filter(Request::is_waiting) else {
                continue;
            };
            let done = self.drive_one(i, &request, now, host);
            self.settle_fault(i, done, host);
        }
    }

    fn drive_one<H: Host>(
        &mut self,
        i: usize,
        request: &Request,
        now: Nanos,
        host: &mut H,
    ) -> Result<(), Fault> {
        if request.lacks() == 0 {
            return self.answer(i, request.id, GrantReason::Full, now, host);
        }
        if request.deadline <= now {
            return self.answer(i, request.id, GrantReason::Deadline, now, host);
        }
        if request.asks > 0 {
            return Ok(());
        }
        if self.ask_donors(i, request, now, host) {
            return Ok(());
        }
        self.answer(i, request.id, GrantReason::NoDonor, now, host)
    }

    /// Answers a waiting request with what is held for it.
    pub(super) fn answer<H: Host>(
        &mut self,
        i: usize,
        id: u32,
        reason: GrantReason,
        now: Nanos,
        host: &mut H,
    ) -> Result<(), Fault> {
        let slot = self.slot_mut(i).ok_or(Fault::Gone)?;
        let Some(request) = slot.request_mut(id).copied() else {
            return Ok(());
        };
        let pages = self.raise(i, request.held, host)?;
        self.held = self.held.saturating_sub(request.held);
        self.put_free(request.held.saturating_sub(pages));
        self.waiting = self.waiting.saturating_sub(1);
        let slot = self.slot_mut(i).ok_or(Fault::Gone)?;
        slot.waiting = slot.waiting.saturating_sub(1);
        for place in &mut slot.requests {
            match place {
                Some(found) if found.id == id && pages == 0 => *place = None,
                Some(found) if found.id == id => {
                    found.granted = pages;
                    found.held = 0;
                }
                _ => {}
            }
        }
        let reason = if pages == request.pages {
            GrantReason::Full
        } else if reason == GrantReason::Full || pages < request.held {
            GrantReason::Ceiling
        } else {
            reason
        };
        self.send(i, &Down::Grant { id, pages, reason }, host)?;
        self.requester_told(i, pages, now, host);
        Ok(())
    }

    /// Shares out the pool among the requests that wait for donors, in their turn.
    pub(super) fn serve(&mut self) {
        if !core::mem::take(&mut self.free_grew) || self.waiting == 0 || self.free == 0 {
            return;
        }
        let first = self.next_in_turn(|request| request.lacks() > 0);
        for (_, (i, id)) in first.iter() {
            if self.free == 0 {
                return;
            }
            self.hold(i, id);
            self.mark_ready(i);
        }
        // More may be waiting, and there may be pages left for them.
        self.free_grew = first.is_full() && self.free > 0;
    }

    /// Tries again for requests that wait until a donor has room for a question, in their turn. Nearly any event may
    /// have made some, and such a wait is rare and short.
    pub(super) fn retry_crowded(&mut self) {
        if !core::mem::take(&mut self.crowded) {
            return;
        }
        let first = self.next_in_turn(|request| request.asks == 0);
        for (_, (i, _)) in first.iter() {
            self.mark_ready(i);
        }
        self.crowded = first.is_full();
    }

    /// Of the requests that wait and of which `wanted` is true, those whose turn it is: first those for no more than the
    /// domain is owed, then emergencies, then by age.
    fn next_in_turn(&self, wanted: fn(&Request) -> bool) -> Top<(usize, u32), SERVED_AT_ONCE> {
        let mut first = Top::new();
        for (i, slot) in self.live().iter().enumerate() {
            if slot.waiting == 0 {
                continue;
            }
            let mut owed = slot.owed();
            let waiting = slot.requests.iter().flatten().filter(|r| r.is_waiting());
            for request in waiting {
                let recalls = request.want <= owed;
                if recalls {
                    owed = owed.saturating_sub(request.want);
                }
                if wanted(request) {
                    first.offer(turn(request, recalls), (i, request.id));
                }
            }
        }
        first
    }
}

/// The larger, the sooner. `recalls` is whether it wants no more than its domain is owed.
fn turn(request: &Request, recalls: bool) -> u64 {
    let class = if recalls {
        2
    } else {
        u64::from(request.reason == RequestReason::Emergency)
    };
    (class << 62) | ((1 << 62) - 1 - (request.order & ((1 << 62) - 1)))
}
