// SPDX-License-Identifier: GPL-2.0

//! What a driver that goes leaves to the balloon driver, and what the next one takes back of it.
//!
//! It stands in xenstore meanwhile, where whoever administers the domain can write what he likes. The
//! domain must not be hurt by that: what cannot be is not believed, and no more is lent again than
//! the domain can spare.

use crate::pages::{above, signed};

/// What a driver that goes leaves to the balloon driver, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandedOver {
    /// Borrowed (positive) or lent (negative), without what is deferred.
    pub balance: i64,
    /// What of it that was lent the balloon driver counts as given already.
    pub deferred: u64,
}

impl HandedOver {
    /// Whether a domain with so many page `frames` could have left that.
    pub fn is_possible(&self, frames: u64) -> bool {
        let moved = self.balance.unsigned_abs().saturating_add(self.deferred);
        let is_lender = self.deferred == 0 || self.balance <= 0;
        is_lender && moved <= frames
    }

    /// What of it the next driver takes back, when the domain is `above_target` pages larger than its
    /// toolstack wants, by the balloon driver's books, and can spare `spare`: of what was lent, that
    /// which it has not got otherwise meanwhile, and of the rest what it can spare.
    #[must_use]
    pub fn bounded(self, above_target: i64, spare: u64) -> Self {
        let lacking = above(0, above_target);
        let most = signed(lacking.saturating_add(spare));
        Self {
            balance: self.balance.max(-most),
            ..self
        }
    }
}
