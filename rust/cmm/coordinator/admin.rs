// SPDX-License-Identifier: GPL-2.0

//! What the administrator does.

use core::ops::DerefMut;

use super::event::{Limits, Refused, Settings};
use super::host::{Gone, Host};
use super::ledger::Fault;
use super::slot::{Purpose, Slot};
use super::Coordinator;
use crate::protocol::{GrantReason, Urgency, MAX_PAGES, MAX_REQUESTS};
use crate::time::Nanos;

impl From<Gone> for Refused {
    fn from(_: Gone) -> Self {
        Self::UnknownDomain
    }
}

/// The least a domain keeps unless the administrator says otherwise: 64 MiB, or a part of what its toolstack gave it, or
/// all of it if that is less.
const MIN_FLOOR: u64 = 16_384;
const FLOOR_PART: u64 = 4;

impl Limits {
    /// The limits of a domain for which nobody has set any. Its toolstack wants it to have `target` pages now, and
    /// `largest` at most, and has told Xen to let it have `cap`.
    ///
    /// The cap may be more: domains are larger than their toolstack says, by what the toolstack does not count.
    pub fn by_default(target: u64, largest: u64, cap: u64) -> Self {
        Self {
            floor: (target / FLOOR_PART).max(MIN_FLOOR).min(target),
            ceiling: largest.max(target).max(cap).min(MAX_PAGES),
            weight: Self::DEFAULT_WEIGHT,
        }
    }

    /// Whether these can be kept.
    ///
    /// # Errors
    ///
    /// They contradict each other, or are beyond what there can be.
    pub fn check(&self) -> Result<(), Refused> {
        if self.ceiling > MAX_PAGES || self.weight == 0 {
            Err(Refused::OutOfRange)
        } else if self.floor > self.ceiling {
            Err(Refused::FloorAboveCeiling)
        } else {
            Ok(())
        }
    }
}

impl Settings {
    /// Whether an administrator could have set these.
    pub(super) fn check(&self) -> Result<(), Refused> {
        if self.reserve.max(self.credit) > MAX_PAGES || self.donor_timeout == 0 {
            Err(Refused::OutOfRange)
        } else {
            Ok(())
        }
    }
}

impl<S: DerefMut<Target = [Slot]>> Coordinator<S> {
    pub(super) fn set_limits<H: Host>(
        &mut self,
        i: usize,
        change: impl FnOnce(Limits) -> Limits,
        host: &mut H,
    ) -> Result<(), Refused> {
        let slot = self.slot_mut(i).ok_or(Refused::UnknownDomain)?;
        let limits = change(slot.limits);
        limits.check()?;
        slot.set_limits(limits);
        slot.limits_due = true;
        let dom = slot.dom;
        self.repay_after = 0;
        self.credit_due = Some(dom);
        self.tell_limits(i, host);
        Ok(())
    }

    pub(super) fn set_reserve(&mut self, pages: u64) -> Result<(), Refused> {
        if pages > MAX_PAGES {
            return Err(Refused::OutOfRange);
        }
        self.settings.reserve = pages;
        self.fill_after = 0;
        self.low = true;
        self.fill_failures = 0;
        self.repay_after = 0;
        Ok(())
    }

    pub(super) fn set_credit(&mut self, pages: u64) -> Result<(), Refused> {
        if pages > MAX_PAGES {
            return Err(Refused::OutOfRange);
        }
        self.settings.credit = pages;
        self.fill_after = 0;
        self.low = true;
        self.fill_failures = 0;
        self.repay_after = 0;
        self.review_credit();
        Ok(())
    }

    pub(super) fn set_donor_timeout(&mut self, nanos: Nanos) -> Result<(), Refused> {
        if nanos == 0 {
            return Err(Refused::OutOfRange);
        }
        self.settings.donor_timeout = nanos;
        // Those already asked may be overdue by the new measure.
        self.wake(0);
        Ok(())
    }

    /// Looks whether the domain can be given to, or taken from, by hand.
    fn by_hand(&self, i: usize, pages: u64) -> Result<&Slot, Refused> {
        let slot = self.slot(i).ok_or(Refused::UnknownDomain)?;
        if self.shutting_down {
            Err(Refused::ShuttingDown)
        } else if pages == 0 || pages > MAX_PAGES {
            Err(Refused::OutOfRange)
        } else if !slot.connected {
            Err(Refused::NotConnected)
        } else if !slot.has_room_to_ask() {
            Err(Refused::Busy)
        } else {
            Ok(slot)
        }
    }

    /// Gives Xen's free memory to a domain.
    pub(super) fn give_by_hand<H: Host>(
        &mut self,
        i: usize,
        pages: u64,
        now: Nanos,
        host: &mut H,
    ) -> Result<(), Refused> {
        self.by_hand(i, pages)?;
        if self.room(i, host)? < pages {
            return Err(Refused::AboveCeiling);
        }
        let given = self.give(i, pages, Purpose::GiveByHand, now, host);
        self.report_fault(i, given, host)
    }

    /// Takes memory from a domain and leaves it to Xen.
    pub(super) fn take_by_hand<H: Host>(
        &mut self,
        i: usize,
        pages: u64,
        now: Nanos,
        host: &mut H,
    ) -> Result<(), Refused> {
        self.by_hand(i, pages)?;
        self.look(i, host)?;
        if self.by_hand(i, pages)?.above_floor() < pages {
            return Err(Refused::BelowFloor);
        }
        let asked = self.ask(i, pages, Purpose::TakeByHand, Urgency::Urgent, now, host);
        self.report_fault(i, asked, host)
    }

    fn report_fault<H: Host>(
        &mut self,
        i: usize,
        result: Result<u64, Fault>,
        host: &mut H,
    ) -> Result<(), Refused> {
        let failed = result.is_err();
        self.settle_fault(i, result.map(|_| ()), host);
        if failed {
            Err(Refused::NotConnected)
        } else {
            Ok(())
        }
    }

    /// Answers everything that waits, and begins nothing new.
    pub(super) fn shut_down<H: Host>(&mut self, now: Nanos, host: &mut H) {
        self.shutting_down = true;
        for i in 0..self.len {
            for place in 0..MAX_REQUESTS {
                let Some(slot) = self.slot_mut(i).filter(|slot| slot.waiting > 0) else {
                    break;
                };
                let Some(Some(request)) = slot.requests.get_mut(place) else {
                    continue;
                };
                if !request.is_waiting() {
                    continue;
                }
                let id = request.id;
                // What was put aside for it is of no use to a front-end that is about to settle.
                let held = core::mem::take(&mut request.held);
                self.held = self.held.saturating_sub(held);
                self.put_free(held);
                let answered = self.answer(i, id, GrantReason::ShuttingDown, now, host);
                self.settle_fault(i, answered, host);
            }
        }
    }
}
