// SPDX-License-Identifier: GPL-2.0

//! What comes back: pages released, pages taken or left, and lenders made whole.

use super::books::Place;
use super::domain::{Domain, Part, Purpose};
use super::domains::Entry;
use super::donors::{check_answer, PAUSE};
use super::fault::Fault;
use super::host::{Activity, Host};
use super::turn::Turn;
use crate::protocol::{Down, Violation};
use crate::tables::{Index, Storage};
use crate::time::{Nanos, SECOND};

/// Where granted pages came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Grant,
    Repay,
    ByHand,
}

/// How long a pool that is nobody's is kept for lenders that may still come. Front-ends find a new back-end within a
/// second; a machine full of them is busy for some.
const PATIENCE: Nanos = 10 * SECOND;

/// A pool that has more than it should by no more than this part of the reserve is left alone, or the last pages would
/// go to and fro.
const TOLERANCE: u64 = 8;

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    /// A domain gave pages back unasked.
    pub(super) fn released(&mut self, i: Index, pages: u64) -> Result<(), Fault> {
        self.lower(i, Place::Of(i, Part::Balance), Place::Free, pages)?;
        Ok(())
    }

    /// A domain says how much it took of what it was granted or given.
    pub(super) fn took(&mut self, i: Index, id: u32, pages: u64) -> Result<(), Fault> {
        let (granted, source) = granted(self.domain(i)?, id).ok_or(Violation::Unasked(id))?;
        check_answer(id, pages, granted)?;
        let left = granted - pages;
        let to = match source {
            Source::ByHand => Place::Unbooked,
            Source::Grant | Source::Repay => Place::Free,
        };
        if self.domain(i)?.cap.is_pinned() {
            self.took_late(i, pages)?;
        } else {
            self.lower(i, Place::Of(i, Part::InFlight), to, left)?;
            self.transfer(
                Place::Of(i, Part::InFlight),
                Place::Of(i, Part::Balance),
                pages,
            );
        }
        let now = self.now;
        self.change(i, |domain| {
            domain.requests.finish(id);
            if left == 0 {
                domain.declined.succeed();
            } else {
                // It cannot take more now: to offer it the same again at once would only burn time.
                domain.declined.fail(now);
            }
        })?;
        if source != Source::Grant {
            self.change(i, |domain| domain.asks.close(id))?;
        }
        self.unpin(i)?;
        if left > 0 {
            // Perhaps because Xen has none.
            self.count_pool();
        }
        if source == Source::Repay {
            // It can spare again what it could spare before it gave it. Otherwise somebody who asks and gives back all the
            // time would leave nobody anything to ask for until the lenders' next statistics.
            self.change(i, |domain| {
                domain.available = domain.available.saturating_add(pages);
            })?;
        }
        if source == Source::Grant {
            self.settle_taken(i, pages);
            // Whoever asked is about to go on with the memory.
            self.boost(i);
        }
        Ok(())
    }

    /// A domain came back that an earlier back-end knew: so may those that have lent.
    pub(super) fn expect_lenders(&mut self) {
        self.coordinator.repayment.lenders_due = self.now.saturating_add(PATIENCE);
    }

    /// Takes what domains borrowed that died while there was no back-end for the pool's, once all that an earlier one
    /// knew have had time to come. What they lent is owed to nobody any more.
    pub(super) fn inherit(&mut self) {
        let repayment = &mut self.coordinator.repayment;
        if repayment.unclaimed == 0 {
            return;
        }
        if repayment.lenders_due > self.now {
            let due = repayment.lenders_due;
            self.wake(due);
            return;
        }
        let left = core::mem::take(&mut repayment.unclaimed).max(0);
        self.transfer(Place::Unbooked, Place::Free, left.unsigned_abs());
    }

    /// Gives what the pool has above the reserve back to those who lent it, the largest debt first.
    pub(super) fn repay(&mut self) {
        let surplus = self.surplus();
        let coordinator = &mut *self.coordinator;
        if surplus == 0 || coordinator.shutting_down || coordinator.requests_come_first() {
            return;
        }
        if coordinator.domains.tally().lenders > 0 {
            self.repay_some();
        } else if coordinator.repayment.lenders_due > self.now {
            let due = coordinator.repayment.lenders_due;
            self.wake(due);
        } else {
            // Nobody to give it to: it is Xen's free memory, as any other.
            self.transfer(Place::Free, Place::Unbooked, surplus);
        }
    }

    fn repay_some(&mut self) {
        let first = self.coordinator.domains.next_to_repay();
        for (debt, i) in first.iter().flatten() {
            let pages = self.surplus().min(*debt);
            if pages > 0 && !self.is_passed_over(*i) {
                let given = self.give(*i, pages, Purpose::Repay);
                self.note_fault(*i, given.map(|_| ()));
            }
        }
        if self.surplus() == 0 {
            return;
        }
        if first.iter().all(Option::is_some) {
            self.wake(self.now);
        } else if let Some(due) = self.coordinator.domains.next_lender_due() {
            self.wake(due);
        }
    }

    /// Whether a lender is paused: what it was given would be nobody's until it runs again. It is looked at again soon.
    fn is_passed_over(&mut self, i: Index) -> bool {
        let Ok(dom) = self.domain(i).map(Domain::dom) else {
            return true;
        };
        let asks = self.coordinator.settings.ask_ready;
        if !asks || self.host.activity(dom) != Some(Activity::Paused) {
            return false;
        }
        let until = self.now.saturating_add(PAUSE);
        self.change(i, |domain| domain.declined.wait_until(until))
            .is_ok()
    }

    /// What the pool has above what it should have.
    fn surplus(&mut self) -> u64 {
        let free = self.coordinator.books.free();
        let above = free.saturating_sub(self.coordinator.wanted());
        if above > self.coordinator.settings.reserve / TOLERANCE {
            above
        } else {
            0
        }
    }

    /// Hands pages over, as many as the ceiling allows. Returns how many.
    pub(super) fn give(&mut self, i: Index, pages: u64, purpose: Purpose) -> Result<u64, Fault> {
        if !self.domain(i)?.asks.has_room() {
            return Ok(0);
        }
        let from = match purpose {
            Purpose::GiveByHand => Place::Unbooked,
            _ => Place::Free,
        };
        let pages = self.raise(i, from, pages)?;
        if pages == 0 {
            // Its ceiling is in the way, for which we are not told when it moves by the toolstack's hand.
            let now = self.now;
            self.change(i, |domain| domain.declined.fail(now))?;
            return Ok(0);
        }
        // There was room, or what is in flight now would never be answered.
        let id = self.open_ask(i, pages, purpose).ok_or(Fault::Gone)?;
        self.send(i, &Down::Give { id, pages })?;
        Ok(pages)
    }
}

/// How much a domain was granted or given under this id.
fn granted(domain: &Domain, id: u32) -> Option<(u64, Source)> {
    if let Some(pages) = domain.requests.granted(id) {
        return Some((pages, Source::Grant));
    }
    let ask = domain.asks.get(id)?;
    match ask.purpose {
        Purpose::Repay => Some((ask.pages, Source::Repay)),
        Purpose::GiveByHand => Some((ask.pages, Source::ByHand)),
        _ => None,
    }
}
