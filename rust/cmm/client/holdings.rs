// SPDX-License-Identifier: GPL-2.0

//! What a domain has, as its shell counts it.

use crate::pages::{above, signed};

/// What a domain has, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// What it would have without borrowing or lending: what is deferred counts.
    pub baseline: u64,
    /// What it has borrowed (positive) or lent (negative).
    pub balance: i64,
    /// What it has borrowed and nobody has asked for yet.
    pub readahead: u64,
    /// What of that it has lent its toolstack does not want it to have back.
    pub deferred: u64,
}

impl Holdings {
    /// By how much more, or less, of what it has lent is to be [deferred](Self::deferred), if it is
    /// `above` what its toolstack wants, or below, by its balloon's books.
    pub fn to_defer(&self, above: i64) -> i64 {
        let deferred = signed(self.deferred);
        deferred.saturating_add(above).clamp(0, signed(self.lent())) - deferred
    }

    /// What it has from Xen.
    pub const fn size(&self) -> u64 {
        self.baseline.saturating_add_signed(self.balance)
    }

    /// What it has borrowed.
    pub const fn borrowed(&self) -> u64 {
        above(self.balance, 0)
    }

    /// What it has lent.
    pub const fn lent(&self) -> u64 {
        above(0, self.balance)
    }

    /// What of that it has lent is to come back to it.
    pub const fn due_back(&self) -> u64 {
        self.lent().saturating_sub(self.deferred)
    }

    /// What of that it has borrowed somebody asked for.
    pub const fn in_use(&self) -> u64 {
        self.borrowed().saturating_sub(self.readahead)
    }
}
