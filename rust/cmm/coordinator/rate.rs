// SPDX-License-Identifier: GPL-2.0

//! What domains pay for what they ask: by how often they do, and by what others do for them.

use super::domains::Entry;
use super::host::Host;
use super::turn::Turn;
use crate::tables::{Index, Storage};

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    /// Whether the domain may make another request now, or have its credit filled.
    pub(super) fn pay(&mut self, i: Index) -> bool {
        let now = self.now;
        let spent = self.domain(i).map(|domain| domain.turnover.is_spent(now));
        if spent.unwrap_or(true) {
            return false;
        }
        let Some(price) = self.coordinator.price() else {
            return true;
        };
        let paid = self.amend(i, |domain| domain.rate.pay(price, now));
        paid.unwrap_or(false)
    }

    /// Lets a domain pay for what so many donors are asked for on its behalf.
    pub(super) fn charge(&mut self, i: Index, donors: u8, pages: u64) {
        let (price, now) = (self.coordinator.price(), self.now);
        // Whoever has gone meanwhile need not pay.
        let _ = self.amend(i, |domain| {
            domain.turnover.charge(donors, pages, now);
            if let Some(price) = price {
                domain.rate.charge(price, pages, now);
            }
        });
    }

    /// Lets a domain pay for what it takes of the pool, which donors have filled and will fill again.
    pub(super) fn charge_pool(&mut self, i: Index, pages: u64) {
        if pages == 0 {
            return;
        }
        let now = self.now;
        let _ = self.amend(i, |domain| domain.turnover.charge(1, pages, now));
    }

    /// A domain took so many pages.
    pub(super) fn settle_taken(&mut self, i: Index, pages: u64) {
        let now = self.now;
        let _ = self.amend(i, |domain| {
            let balance = domain.balance();
            domain.turnover.took(pages, balance, now);
        });
    }

    /// Gives a domain back what it paid for pages that a donor was asked for and did not give; and for the question, if it
    /// gave none.
    pub(super) fn refund(&mut self, i: Index, asked: u64, given: u64) {
        let price = self.coordinator.price();
        let pages = asked - given;
        let _ = self.amend(i, |domain| {
            if given == 0 {
                domain.turnover.refund_question();
            }
            domain.turnover.refund(pages);
            if let Some(price) = price {
                domain.rate.refund(price, pages);
            }
        });
    }
}
