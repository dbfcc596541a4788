// SPDX-License-Identifier: GPL-2.0

//! What the administrator does.

use super::domain::Purpose;
use super::domains::Entry;
use super::fault::Fault;
use super::host::Host;
use super::known::Filling;
use super::refused::Refused;
use super::settings::{Limits, Settings};
use super::turn::Turn;
use crate::protocol::{Urgency, MAX_PAGES};
use crate::tables::{Index, Storage};

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    pub(super) fn set_limits(
        &mut self,
        i: Index,
        change: impl FnOnce(&mut Limits),
    ) -> Result<(), Refused> {
        let mut limits = self.domain(i)?.limits();
        change(&mut limits);
        limits.check()?;
        self.change(i, |domain| {
            domain.set_limits(limits);
            domain.limits_due = true;
        })?;
        self.about = Some(i);
        self.tell_limits(i);
        Ok(())
    }

    /// Changes what holds for all domains, if it makes sense then.
    pub(super) fn set(&mut self, change: impl FnOnce(&mut Settings)) -> Result<(), Refused> {
        let mut settings = self.coordinator.settings;
        change(&mut settings);
        settings.check()?;
        self.coordinator.settings = settings;
        Ok(())
    }

    /// The pool should have another size from now on, and is to have it at once.
    pub(super) fn resize_pool(&mut self) {
        self.coordinator.filling = Filling {
            low: true,
            ..Filling::default()
        };
    }

    /// Looks whether the domain can be given to, or taken from, by hand.
    fn by_hand(&self, i: Index, pages: u64) -> Result<(), Refused> {
        let domain = self.domain(i)?;
        if self.coordinator.shutting_down {
            Err(Refused::ShuttingDown)
        } else if pages == 0 || pages > MAX_PAGES {
            Err(Refused::OutOfRange)
        } else if !domain.is_connected() {
            Err(Refused::NotConnected)
        } else if !domain.asks.has_room() {
            Err(Refused::Busy)
        } else {
            Ok(())
        }
    }

    /// Gives Xen's free memory to a domain.
    pub(super) fn give_by_hand(&mut self, i: Index, pages: u64) -> Result<(), Refused> {
        self.by_hand(i, pages)?;
        if self.room(i)? < pages {
            return Err(Refused::AboveCeiling);
        }
        let given = self.give(i, pages, Purpose::GiveByHand);
        self.report(i, given)
    }

    /// Takes memory from a domain and leaves it to Xen.
    pub(super) fn take_by_hand(&mut self, i: Index, pages: u64) -> Result<(), Refused> {
        self.by_hand(i, pages)?;
        self.sync_cap(i)?;
        if self.domain(i)?.above_floor() < pages {
            return Err(Refused::BelowFloor);
        }
        let asked = self.ask(i, pages, Purpose::TakeByHand, Urgency::Urgent);
        self.report(i, asked)
    }

    fn report(&mut self, i: Index, result: Result<u64, Fault>) -> Result<(), Refused> {
        let refused = result.map(|_| ()).map_err(|_| Refused::NotConnected);
        self.note_fault(i, result.map(|_| ()));
        refused
    }

    /// Answers everything that waits, in this event and the next ones, and begins nothing new.
    pub(super) fn shut_down(&mut self) {
        self.coordinator.shutting_down = true;
    }
}
