// SPDX-License-Identifier: GPL-2.0

//! Domains come, go and die.

use core::ops::DerefMut;

use super::event::{Limits, Refused};
use super::host::{Host, SendError};
use super::ledger::{above, signed, Fault};
use super::record::Record;
use super::slot::{Purpose, Request, Slot};
use super::Coordinator;
use crate::protocol::{Down, MAX_ASKS, MAX_REQUESTS};
use crate::time::Nanos;
use crate::DomId;

impl<S: DerefMut<Target = [Slot]>> Coordinator<S> {
    /// Makes a domain's acquaintance, or renews it: its toolstack may have changed its size meanwhile.
    pub(super) fn meet<H: Host>(
        &mut self,
        dom: DomId,
        target: u64,
        limits: Limits,
        host: &mut H,
    ) -> Result<(), Refused> {
        if let Some(i) = self.find(dom) {
            return Ok(self.retarget(i, target, host)?);
        }
        let fresh = Record {
            limits,
            target,
            ..Record::default()
        };
        self.insert(dom, fresh, false)
    }

    /// A front-end connected.
    pub(super) fn attach<H: Host>(
        &mut self,
        dom: DomId,
        claim: Option<i64>,
        credit: bool,
        host: &mut H,
    ) -> Result<(), Refused> {
        let i = self.known(dom)?;
        self.detach(i);
        let settled = self.settle(i, claim, host);
        let Some(slot) = self.slot_mut(i) else {
            return Ok(());
        };
        slot.connected = true;
        slot.takes_credit = credit;
        slot.is_drawing = false;
        slot.limits_due = true;
        // What it did as a donor is not forgotten, or connecting again would be the way to be asked, and late, again.
        slot.available = 0;
        self.repay_after = 0;
        self.settle_fault(i, settled, host);
        self.tell_limits(i, host);
        Ok(())
    }

    pub(super) fn insert(
        &mut self,
        dom: DomId,
        record: Record,
        cap_known: bool,
    ) -> Result<(), Refused> {
        record.limits.check()?;
        if !record.is_sane() {
            return Err(Refused::OutOfRange);
        }
        let place = self.live().partition_point(|slot| slot.dom < dom);
        let all = self.slots.get_mut(place..=self.len);
        let all = all.ok_or(Refused::StorageFull)?;
        all.rotate_right(1);
        let slot = all.first_mut().ok_or(Refused::StorageFull)?;
        *slot = Slot {
            dom,
            cap_known,
            in_flight: record.in_flight,
            reclaiming: record.reclaiming,
            excess: record.excess,
            forgiven: record.forgiven,
            ..Slot::default()
        };
        slot.set_limits(record.limits);
        slot.seen.maximum = record.maximum;
        slot.toolstack_cap = record.toolstack_maximum;
        slot.target = record.target;
        slot.slack = cap_known.then_some(record.slack);
        slot.cap_came_first = !(cap_known && slot.fits());
        self.len = self.len.saturating_add(1);
        self.move_balance(place, record.balance);
        // What this domain has came from, or went to, somewhere that an earlier back-end knew.
        let ours = record.balance.saturating_add(signed(record.in_flight));
        self.adrift = self.adrift.saturating_sub(ours);
        if cap_known {
            self.unclaimed = self.unclaimed.saturating_sub(ours);
        }
        Ok(())
    }

    /// Decides what became of the pages that were under way when the front-end was last seen.
    fn settle<H: Host>(&mut self, i: usize, claim: Option<i64>, host: &mut H) -> Result<(), Fault> {
        self.look(i, host)?;
        let slot = self.slot(i).ok_or(Fault::Gone)?;
        let (balance, most, balance_now) = (slot.balance, slot.ours(), slot.believed(claim));
        let left = above(most, balance_now);
        let forgiven = above(balance_now, most);
        self.lower(i, left, host)?;
        let slot = self.slot_mut(i).ok_or(Fault::Gone)?;
        slot.in_flight = 0;
        slot.reclaiming = 0;
        slot.forgive(forgiven);
        if claim.is_some_and(|claim| claim != balance_now) {
            slot.disbelieved = slot.disbelieved.saturating_add(1);
        }
        self.move_balance(i, balance_now.saturating_sub(balance));
        self.put_free(left);
        self.adrift = self.adrift.saturating_sub(signed(forgiven));
        Ok(self.look(i, host)?)
    }

    /// A front-end goes by itself. If a request waits for its answer, that has been in vain, as if it came late.
    pub(super) fn leave(&mut self, i: usize, now: Nanos) {
        let mut asks = self
            .slot(i)
            .into_iter()
            .flat_map(|slot| slot.asks.iter().flatten());
        if asks.any(|ask| matches!(ask.purpose, Purpose::Request { .. })) {
            self.penalise(i, now);
        }
        self.detach(i);
    }

    /// A front-end is gone; what its domain borrowed or lent stays, and what was under way stays uncertain.
    pub(super) fn detach(&mut self, i: usize) {
        let Some(slot) = self.slot_mut(i) else { return };
        if !slot.connected {
            return;
        }
        slot.connected = false;
        slot.takes_credit = false;
        slot.in_flight = slot.in_flight.saturating_add(slot.credit);
        slot.waiting = 0;
        slot.asked = 0;
        let requests = core::mem::replace(&mut slot.requests, [None; MAX_REQUESTS]);
        let asks = core::mem::replace(&mut slot.asks, [None; MAX_ASKS]);
        for request in requests.iter().flatten().filter(|r| Request::is_waiting(r)) {
            self.waiting = self.waiting.saturating_sub(1);
            self.held = self.held.saturating_sub(request.held);
            self.put_free(request.held);
        }
        for ask in asks.iter().flatten() {
            match ask.purpose {
                Purpose::Request { dom, order } => self.answered_for(dom, order),
                Purpose::Reserve => self.filling = self.filling.saturating_sub(ask.pages),
                _ => {}
            }
        }
        self.change_credit(i, |slot| (slot.credit, slot.credit_goal) = (0, 0));
    }

    /// The domain does not exist any more: what it had is Xen's free memory, what it lent is owed to nobody.
    pub(super) fn died(&mut self, i: usize) {
        self.detach(i);
        let Some(slot) = self.slot(i) else { return };
        let (balance, in_flight) = (slot.balance, slot.in_flight);
        self.move_balance(i, balance.saturating_neg());
        self.adrift = self.adrift.saturating_add(balance.min(0));
        self.put_free(balance.max(0).unsigned_abs());
        self.put_free(in_flight);
        if let Some(rest) = self.slots.get_mut(i..self.len) {
            rest.rotate_left(rest.len().min(1));
            self.len = self.len.saturating_sub(1);
        }
        if let Some(last) = self.slots.get_mut(self.len) {
            *last = Slot::default();
        }
    }

    /// Ends the connection if dealing with the domain went wrong.
    pub(super) fn settle_fault<H: Host>(
        &mut self,
        i: usize,
        result: Result<(), Fault>,
        host: &mut H,
    ) {
        let Err(fault) = result else { return };
        let Some(slot) = self.slot(i).filter(|slot| slot.connected) else {
            return;
        };
        if let Fault::Violation(violation) = fault {
            host.disconnect(slot.dom, violation);
        }
        self.detach(i);
    }

    /// Tells the front-end its limits, if they changed and there is room in its lane.
    pub(super) fn tell_limits<H: Host>(&mut self, i: usize, host: &mut H) {
        let Some(slot) = self.slot_mut(i) else { return };
        if !slot.limits_due || !slot.connected {
            return;
        }
        let Limits { floor, ceiling, .. } = slot.limits;
        match host.send(slot.dom, &Down::Limits { floor, ceiling }) {
            Ok(()) => slot.limits_due = false,
            // It reads on some day, and then sends something: that is when this is tried again.
            Err(SendError::Full) => {}
            Err(error) => self.settle_fault(i, Err(error.into()), host),
        }
    }
}
