// SPDX-License-Identifier: GPL-2.0

//! What comes back: pages released, pages taken or left, and lenders made whole.

use core::ops::DerefMut;

use super::donors::{backoff, check_answer};
use super::host::Host;
use super::ledger::{signed, Fault};
use super::slot::{Purpose, Request, Slot};
use super::top::Top;
use super::Coordinator;
use crate::protocol::{Down, Violation};
use crate::time::{Nanos, SECOND};

/// How many lenders are paid back in one event; the others follow in the next.
const REPAID_AT_ONCE: usize = 8;

/// Where granted pages came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Grant,
    Repay,
    ByHand,
}

/// How long a pool that is nobody's is kept for lenders that may still come.
const PATIENCE: Nanos = 10 * SECOND;

impl<S: DerefMut<Target = [Slot]>> Coordinator<S> {
    /// A domain gave pages back unasked.
    pub(super) fn released<H: Host>(
        &mut self,
        i: usize,
        pages: u64,
        host: &mut H,
    ) -> Result<(), Fault> {
        self.lower(i, pages, host)?;
        self.move_balance(i, signed(pages).saturating_neg());
        self.put_free(pages);
        Ok(())
    }

    /// A domain says how much it took of what it was granted or given.
    pub(super) fn took<H: Host>(
        &mut self,
        i: usize,
        id: u32,
        pages: u64,
        now: Nanos,
        host: &mut H,
    ) -> Result<(), Fault> {
        let (granted, source) = self.granted(i, id).ok_or(Violation::Unasked(id))?;
        check_answer(id, pages, granted)?;
        let left = granted.saturating_sub(pages);
        self.lower(i, left, host)?;
        let slot = self.slot_mut(i).ok_or(Fault::Gone)?;
        slot.take_ask(id, Purpose::is_give);
        for place in &mut slot.requests {
            if place.is_some_and(|request| request.id == id && !request.is_waiting()) {
                *place = None;
            }
        }
        slot.in_flight = slot.in_flight.saturating_sub(granted);
        if left == 0 {
            slot.declined = 0;
        } else {
            // It cannot take more now: to offer it the same again at once would only burn time.
            slot.give_after = now.saturating_add(backoff(slot.declined));
            slot.declined = slot.declined.saturating_add(1);
        }
        if source == Source::Repay {
            // It can spare again what it could spare before it gave it. Otherwise somebody who asks and gives
            // back all the time would leave nobody anything to ask for until the lenders' next statistics.
            slot.available = slot.available.saturating_add(pages);
        }
        self.move_balance(i, signed(pages));
        match source {
            Source::ByHand => self.set_adrift(left),
            Source::Grant | Source::Repay => self.put_free(left),
        }
        self.repay_after = 0;
        if source == Source::Grant {
            // Whoever asked is about to go on with the memory.
            self.boost(i, host);
        }
        Ok(())
    }

    fn granted(&self, i: usize, id: u32) -> Option<(u64, Source)> {
        let slot = self.slot(i)?;
        let mut requests = slot.requests.iter().flatten();
        if let Some(request) = requests.find(|r| r.id == id && !Request::is_waiting(r)) {
            return Some((request.granted, Source::Grant));
        }
        let ask = slot.asks.iter().flatten().find(|ask| ask.id == id)?;
        match ask.purpose {
            Purpose::Repay => Some((ask.pages, Source::Repay)),
            Purpose::GiveByHand => Some((ask.pages, Source::ByHand)),
            _ => None,
        }
    }

    /// A domain came back that an earlier back-end knew: so may those that have lent.
    pub(super) fn expect_lenders(&mut self, now: Nanos) {
        self.lenders_due = now.saturating_add(PATIENCE);
    }

    /// Takes what domains borrowed that died while there was no back-end for the pool's, once all that an earlier one
    /// knew have had time to come. What they lent is owed to nobody any more.
    pub(super) fn inherit(&mut self, now: Nanos) {
        if self.unclaimed == 0 {
            return;
        }
        if self.lenders_due > now {
            self.wake(self.lenders_due);
            return;
        }
        let left = core::mem::take(&mut self.unclaimed).max(0);
        self.adrift = self.adrift.saturating_sub(left);
        self.put_free(left.unsigned_abs());
    }

    /// Gives what the pool has above the reserve back to those who lent it, the largest debt first.
    pub(super) fn repay<H: Host>(&mut self, now: Nanos, host: &mut H) {
        let surplus = self.surplus();
        // Requests that wait come first.
        let wanted = self.free_grew && self.waiting > 0;
        if surplus == 0 || self.shutting_down || wanted {
            return;
        }
        if self.lenders == 0 && self.lenders_due > now {
            self.wake(self.lenders_due);
            return;
        }
        if self.lenders == 0 {
            // Nobody to give it to: it is Xen's free memory, as any other.
            self.take_free(surplus);
            self.set_adrift(surplus);
            return;
        }
        if self.repay_after > now {
            self.wake(self.repay_after);
            return;
        }
        let mut first = Top::<usize, REPAID_AT_ONCE>::new();
        self.repay_after = Nanos::MAX;
        for (i, slot) in self.slots.iter().take(self.len).enumerate() {
            let able = slot.connected && slot.has_room_to_ask() && slot.owed() > 0;
            if able && slot.give_after <= now {
                first.offer(slot.owed(), i);
            } else if able {
                self.repay_after = self.repay_after.min(slot.give_after);
            }
        }
        for (debt, i) in first.iter() {
            let pages = self.surplus().min(debt);
            if pages > 0 {
                let given = self.give(i, pages, Purpose::Repay, now, host);
                self.settle_fault(i, given.map(|_| ()), host);
            }
        }
        if first.is_full() && self.surplus() > 0 {
            self.repay_after = now;
        }
        if self.surplus() > 0 {
            self.wake(self.repay_after);
        }
    }

    /// What the pool has above what it should have. A little above it is left alone, or the last pages would go to
    /// and fro.
    fn surplus(&self) -> u64 {
        let reserve = self.settings.reserve;
        let above = self.free.saturating_sub(self.wanted());
        if above > reserve / 8 {
            above
        } else {
            0
        }
    }

    /// Hands pages over, as many as the ceiling allows. Returns how many.
    pub(super) fn give<H: Host>(
        &mut self,
        i: usize,
        pages: u64,
        purpose: Purpose,
        now: Nanos,
        host: &mut H,
    ) -> Result<u64, Fault> {
        let pages = self.raise(i, pages, host)?;
        if pages == 0 {
            // Its ceiling is in the way, for which we are not told when it moves by the toolstack's hand.
            let slot = self.slot_mut(i).ok_or(Fault::Gone)?;
            slot.give_after = now.saturating_add(backoff(slot.declined));
            slot.declined = slot.declined.saturating_add(1);
            return Ok(0);
        }
        match purpose {
            Purpose::GiveByHand => self.adrift = self.adrift.saturating_sub(signed(pages)),
            _ => {
                self.take_free(pages);
            }
        }
        let id = self.remember_ask(i, pages, purpose, now)?;
        self.send(i, &Down::Give { id, pages }, host)?;
        Ok(pages)
    }

    /// Pages leave the books and are Xen's free memory.
    pub(super) fn set_adrift(&mut self, pages: u64) {
        self.adrift = self.adrift.saturating_add(signed(pages));
    }
}
