// SPDX-License-Identifier: GPL-2.0

//! The books: balances, the pool, and the caps that make Xen keep to them.
//!
//! Pages are in one of these places, and only ever move from one to another:
//!
//! - a domain's `balance`: taken by it, or lent by it;
//! - a domain's `in_flight`: its cap already has room for them, and it has not said that it took them;
//! - a domain's `credit`: likewise, but it may take them whenever it likes;
//! - a request's `held`: in Xen's free memory, put aside for a requester;
//! - `free`: in Xen's free memory, for whoever comes (the reserve lives here);
//! - `adrift`: what the administrator moved, and debts forgotten because a lender died.
//!
//! Their sum is always zero.

use core::ops::DerefMut;

use super::host::{Gone, Host, Reservation, SendError};
use super::slot::Slot;
use super::Coordinator;
use crate::protocol::{Down, Violation};

/// Why dealing with a domain came to an end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Its front-end broke the protocol.
    Violation(Violation),
    /// It, or its connection, does not exist any more.
    Gone,
}

impl From<Gone> for Fault {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl From<SendError> for Fault {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Full => Self::Violation(Violation::LaneFull),
            SendError::Violation(violation) => Self::Violation(violation),
            SendError::Gone => Self::Gone,
        }
    }
}

/// `pages` as a difference. No number of pages that comes this far is beyond `i64`.
pub(super) fn signed(pages: u64) -> i64 {
    i64::try_from(pages).unwrap_or(i64::MAX)
}

impl<S: DerefMut<Target = [Slot]>> Coordinator<S> {
    pub(super) fn send<H: Host>(
        &mut self,
        i: usize,
        message: &Down,
        host: &mut H,
    ) -> Result<(), Fault> {
        let slot = self.slot(i).ok_or(Fault::Gone)?;
        Ok(host.send(slot.dom, message)?)
    }

    pub(super) fn move_balance(&mut self, i: usize, pages: i64) {
        let Some(slot) = self.slot_mut(i) else { return };
        let lent_before = slot.is_lender();
        slot.balance = slot.balance.saturating_add(pages);
        let lends_now = slot.is_lender();
        match (lent_before, lends_now) {
            (false, true) => self.lenders = self.lenders.saturating_add(1),
            (true, false) => self.lenders = self.lenders.saturating_sub(1),
            _ => {}
        }
    }

    /// Pages came to the pool, for whoever needs them first.
    pub(super) fn put_free(&mut self, pages: u64) {
        if pages > 0 {
            self.free = self.free.saturating_add(pages);
            self.free_grew = true;
            self.repay_after = 0;
        }
    }

    /// Takes up to `pages` out of the pool.
    pub(super) fn take_free(&mut self, pages: u64) -> u64 {
        let taken = pages.min(self.free);
        self.free -= taken;
        taken
    }

    /// Looks at the domain, and applies our part of its cap if the toolstack has written another.
    pub(super) fn look<H: Host>(&mut self, i: usize, host: &mut H) -> Result<(), Gone> {
        let found = self.ask_xen(i, host)?;
        self.move_cap(i, found, 0, host)
    }

    /// The toolstack wants the domain to have another size. It has set the cap before, which [`look`](Self::look) knows
    /// from ours, unless it was the very same: then it is as far above the target as before.
    ///
    /// If we have seen a cap of the toolstack's since it last said what it wants, that is likely to be the one.
    pub(super) fn retarget<H: Host>(
        &mut self,
        i: usize,
        target: u64,
        host: &mut H,
    ) -> Result<(), Gone> {
        let found = self.ask_xen(i, host)?;
        let slot = self.slot_mut(i).ok_or(Gone)?;
        slot.settle_slack(found.maximum);
        let changed = core::mem::replace(&mut slot.target, target) != target;
        let meant = slot.meant();
        let overlooked = found.maximum == slot.seen.maximum && !slot.fits();
        let same = meant == signed(found.maximum);
        if changed && overlooked && (same || !slot.cap_came_first) {
            slot.believe_cap(meant.max(0).unsigned_abs(), found.current);
        }
        self.move_cap(i, found, 0, host)?;
        let slot = self.slot_mut(i).ok_or(Gone)?;
        if changed && !slot.fits() {
            slot.slack = None;
        }
        slot.cap_came_first &= !slot.fits();
        Ok(())
    }

    fn ask_xen<H: Host>(&self, i: usize, host: &mut H) -> Result<Reservation, Gone> {
        host.reservation(self.slot(i).ok_or(Gone)?.dom).ok_or(Gone)
    }

    /// Sets the cap to the toolstack's with our part in it, and `by` more.
    ///
    /// The toolstack sets caps as if we did not exist: a cap that is not the one we know is its word.
    fn move_cap<H: Host>(
        &mut self,
        i: usize,
        found: Reservation,
        by: i64,
        host: &mut H,
    ) -> Result<(), Gone> {
        let slot = self.slot_mut(i).ok_or(Gone)?;
        slot.settle_slack(found.maximum);
        if !slot.cap_known {
            slot.toolstack_cap = found.maximum;
            slot.excess = above(signed(found.current), slot.cap());
        } else if found.maximum != slot.seen.maximum {
            slot.believe_cap(found.maximum, found.current);
            slot.cap_came_first = true;
        }
        let maximum = slot.cap().saturating_add(by).max(0).unsigned_abs();
        if maximum != found.maximum {
            host.set_maximum(slot.dom, maximum)?;
        }
        slot.seen.current = found.current;
        slot.seen.maximum = maximum;
        slot.cap_known = true;
        Ok(())
    }

    /// How much the domain may grow under its ceiling, by Xen's word.
    pub(super) fn room<H: Host>(&self, i: usize, host: &mut H) -> Result<u64, Gone> {
        let found = self.ask_xen(i, host)?;
        Ok(self.slot(i).ok_or(Gone)?.room(found.current))
    }

    /// Makes room in the domain for up to `pages` more, as far as its ceiling allows, and puts them in flight.
    /// Returns how many; the caller has taken them from somewhere.
    pub(super) fn raise<H: Host>(
        &mut self,
        i: usize,
        pages: u64,
        host: &mut H,
    ) -> Result<u64, Gone> {
        let found = self.ask_xen(i, host)?;
        let pages = pages.min(self.slot(i).ok_or(Gone)?.room(found.current));
        if pages > 0 {
            self.move_cap(i, found, signed(pages), host)?;
            let slot = self.slot_mut(i).ok_or(Gone)?;
            slot.in_flight = slot.in_flight.saturating_add(pages);
        }
        Ok(pages)
    }

    /// Lowers the cap by pages that the front-end says it gave back to Xen, or left untaken; the caller changes the
    /// books. The cap goes first, so that the domain cannot take them again while we look.
    ///
    /// # Errors
    ///
    /// Xen says otherwise: the cap is as it was.
    pub(super) fn lower<H: Host>(
        &mut self,
        i: usize,
        pages: u64,
        host: &mut H,
    ) -> Result<(), Fault> {
        if pages == 0 {
            return Ok(());
        }
        let found = self.ask_xen(i, host)?;
        self.move_cap(i, found, signed(pages).saturating_neg(), host)?;
        let current = self.ask_xen(i, host)?.current;
        let slot = self.slot_mut(i).ok_or(Fault::Gone)?;
        let expected = slot.most().saturating_sub(signed(pages));
        if signed(current) > expected {
            let cap = slot.cap().max(0).unsigned_abs();
            host.set_maximum(slot.dom, cap)?;
            slot.seen.maximum = cap;
            return Err(Fault::Violation(Violation::Kept {
                said: pages,
                current,
                expected: expected.max(0).unsigned_abs(),
            }));
        }
        slot.seen.current = current;
        Ok(())
    }
}

/// How far `a` is above `b`, if it is.
pub(super) fn above(a: i64, b: i64) -> u64 {
    a.saturating_sub(b).max(0).unsigned_abs()
}
