// SPDX-License-Identifier: GPL-2.0

//! What domains pay for what they ask.

use core::ops::DerefMut;

use super::domain::Domain;
use super::host::Host;
use super::turn::Turn;

impl<S: DerefMut<Target = [Domain]>, H: Host> Turn<'_, S, H> {
    /// Whether the domain may make another request now, or have its credit filled.
    pub(super) fn pay(&mut self, i: usize) -> bool {
        let Some(price) = self.coordinator.price() else {
            return true;
        };
        let now = self.now;
        let paid = self.amend(i, |domain| domain.rate.pay(price, now));
        paid.unwrap_or(false)
    }

    /// Lets a domain pay for what donors are asked for on its behalf.
    pub(super) fn charge(&mut self, i: usize, pages: u64) {
        if let Some(price) = self.coordinator.price() {
            let now = self.now;
            // Whoever has gone meanwhile need not pay.
            let _ = self.amend(i, |domain| domain.rate.charge(price, pages, now));
        }
    }
}
