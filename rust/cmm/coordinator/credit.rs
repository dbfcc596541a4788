// SPDX-License-Identifier: GPL-2.0

//! Credit: what a domain may take without asking, and settles afterwards.
//!
//! The cap has room for a domain's credit, and the pages are put aside for it. Messages only ever add to it or
//! subtract from it, so that it does not matter which of two that cross on their way was written first: what the
//! front-end believes to have, together with what is written in both lanes, is what the coordinator believes it has.

use core::ops::DerefMut;

use super::donors::check_answer;
use super::host::{Host, SendError};
use super::ledger::{signed, Fault};
use super::slot::{Ask, Purpose, Slot};
use super::todo::Todo;
use super::Coordinator;
use crate::protocol::Down;
use crate::time::Nanos;
use crate::DomId;

/// How many domains' credits are changed in one event; the others follow in the next.
const ADJUSTED_AT_ONCE: usize = 16;

impl<S: DerefMut<Target = [Slot]>> Coordinator<S> {
    /// A domain took part of its credit. Its cap had room for that already.
    pub(super) fn drew(&mut self, i: usize, id: u32, pages: u64) -> Result<(), Fault> {
        let credit = self.slot(i).ok_or(Fault::Gone)?.credit;
        check_answer(id, pages, credit)?;
        self.change_credit(i, |slot| slot.credit = slot.credit.saturating_sub(pages));
        self.move_balance(i, signed(pages));
        Ok(())
    }

    /// A domain returns credit that it has not used.
    pub(super) fn returned<H: Host>(
        &mut self,
        i: usize,
        ask: &Ask,
        pages: u64,
        host: &mut H,
    ) -> Result<(), Fault> {
        let credit = self.slot(i).ok_or(Fault::Gone)?.credit;
        check_answer(ask.id, pages, ask.pages.min(credit))?;
        self.lower(i, pages, host)?;
        self.change_credit(i, |slot| {
            slot.take_ask(ask.id, |purpose| purpose == Purpose::Revoke);
            slot.credit = slot.credit.saturating_sub(pages);
            // If none is left, all that it drew has been told.
            slot.is_drawing = pages < ask.pages && slot.credit > 0;
        });
        self.put_free(pages);
        Ok(())
    }

    /// All credits may have to change.
    pub(super) fn review_credit(&mut self) {
        self.review.get_or_insert(DomId::default());
    }

    /// Brings credits to what they should be, a limited number of them.
    pub(super) fn adjust_credits<H: Host>(&mut self, now: Nanos, host: &mut H) {
        let due = self.credit_due.take().and_then(|dom| self.find(dom));
        // Requests that wait come first.
        if self.free_grew && self.waiting > 0 {
            if due.is_some() {
                self.review_credit();
            }
            return;
        }
        if let Some(i) = due {
            self.adjust_credit(i, now, host);
        }
        self.fill_credits(now, host);
        let Some(from) = self.review.take() else {
            return;
        };
        let mut left = ADJUSTED_AT_ONCE;
        for i in self.live().partition_point(|slot| slot.dom < from)..self.len {
            if left == 0 {
                self.review = self.slot(i).map(|slot| slot.dom);
                self.wake(now);
                return;
            }
            if self.adjust_credit(i, now, host) {
                left -= 1;
            }
        }
    }

    /// Fills the credits that were waiting for the pool to grow.
    fn fill_credits<H: Host>(&mut self, now: Nanos, host: &mut H) {
        if self.unfilled.has_overflowed() && self.free > 0 {
            self.unfilled = Todo::default();
            self.review_credit();
        }
        while self.free > 0 {
            let Some(dom) = self.unfilled.pop() else {
                return;
            };
            if let Some(i) = self.find(dom) {
                self.adjust_credit(i, now, host);
            }
        }
    }

    /// Brings a domain's credit to what it should be. `false` if there was nothing to do.
    fn adjust_credit<H: Host>(&mut self, i: usize, now: Nanos, host: &mut H) -> bool {
        if !self.set_goal(i) {
            return false;
        }
        let adjusted = self.try_adjust(i, now, host);
        self.settle_fault(i, adjusted, host);
        true
    }

    /// Finds out what a domain's credit should be, by what is known. Returns whether it should change.
    fn set_goal(&mut self, i: usize) -> bool {
        let pages = if self.shutting_down {
            0
        } else {
            self.settings.credit
        };
        let free = self.free;
        self.change_credit(i, |slot| slot.credit_goal = slot.credit_due(pages));
        let Some(slot) = self.slot(i) else {
            return false;
        };
        let (dom, surplus, lacks) = (
            slot.dom,
            slot.credit > slot.credit_goal,
            slot.lacks_credit() > 0,
        );
        if lacks && free == 0 {
            self.unfilled.push(dom);
        }
        surplus || (lacks && free > 0)
    }

    fn try_adjust<H: Host>(&mut self, i: usize, now: Nanos, host: &mut H) -> Result<(), Fault> {
        // It may have grown or shrunk since.
        self.look(i, host)?;
        self.set_goal(i);
        let slot = self.slot(i).ok_or(Fault::Gone)?;
        let mut asks = slot.asks.iter().flatten();
        if asks.any(|ask| ask.purpose == Purpose::Revoke) {
            return Ok(());
        }
        let surplus = slot.credit.saturating_sub(slot.credit_goal);
        let lacks = slot.lacks_credit().min(self.free);
        if surplus > 0 && !slot.is_drawing && slot.has_room_to_ask() {
            self.revoke(i, surplus, now, host)
        } else if lacks > 0 && self.pay(i, now) {
            self.extend_credit(i, lacks, host)
        } else {
            Ok(())
        }
    }

    fn revoke<H: Host>(
        &mut self,
        i: usize,
        pages: u64,
        now: Nanos,
        host: &mut H,
    ) -> Result<(), Fault> {
        let id = self.remember_ask(i, pages, Purpose::Revoke, now)?;
        self.send(i, &Down::Revoke { id, pages }, host)
    }

    /// Adds to a domain's credit from the pool, which has that many pages.
    fn extend_credit<H: Host>(&mut self, i: usize, pages: u64, host: &mut H) -> Result<(), Fault> {
        let pages = self.raise(i, pages, host)?;
        if pages == 0 {
            return Ok(());
        }
        self.take_free(pages);
        let dom = self.slot(i).ok_or(Fault::Gone)?.dom;
        match host.send(dom, &Down::Credit { pages }) {
            Ok(()) => {
                self.change_credit(i, |slot| {
                    slot.in_flight = slot.in_flight.saturating_sub(pages);
                    slot.credit = slot.credit.saturating_add(pages);
                });
                Ok(())
            }
            Err(SendError::Full) => {
                // It reads on some day, and then sends something: that is when this is tried again.
                self.lower(i, pages, host)?;
                let slot = self.slot_mut(i).ok_or(Fault::Gone)?;
                slot.in_flight = slot.in_flight.saturating_sub(pages);
                self.free = self.free.saturating_add(pages);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Changes what a domain's credit is or should be, keeping count of what all lack.
    pub(super) fn change_credit(&mut self, i: usize, change: impl FnOnce(&mut Slot)) {
        let Some(slot) = self.slot_mut(i) else { return };
        let before = slot.lacks_credit();
        change(slot);
        let after = slot.lacks_credit();
        self.lacking = self.lacking.saturating_sub(before).saturating_add(after);
    }
}
