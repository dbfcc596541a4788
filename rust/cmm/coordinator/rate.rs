// SPDX-License-Identifier: GPL-2.0

//! What domains pay for what they ask.

use super::domains::Entry;
use super::host::Host;
use super::turn::Turn;
use crate::tables::{Index, Storage};

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    /// Whether the domain may make another request now, or have its credit filled.
    pub(super) fn pay(&mut self, i: Index) -> bool {
        let Some(price) = self.coordinator.price() else {
            return true;
        };
        let now = self.now;
        let paid = self.amend(i, |domain| domain.rate.pay(price, now));
        paid.unwrap_or(false)
    }

    /// Lets a domain pay for what donors are asked for on its behalf.
    pub(super) fn charge(&mut self, i: Index, pages: u64) {
        if let Some(price) = self.coordinator.price() {
            let now = self.now;
            // Whoever has gone meanwhile need not pay.
            let _ = self.amend(i, |domain| domain.rate.charge(price, pages, now));
        }
    }

    /// Gives a domain back what it paid for pages that a donor did not give.
    pub(super) fn refund(&mut self, i: Index, pages: u64) {
        if let Some(price) = self.coordinator.price() {
            let _ = self.amend(i, |domain| domain.rate.refund(price, pages));
        }
    }
}
