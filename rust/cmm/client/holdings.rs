// SPDX-License-Identifier: GPL-2.0

//! What a domain has, as its shell counts it.

use crate::pages::above;

/// What a domain has, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// What it would have without borrowing or lending.
    pub baseline: u64,
    /// What it has borrowed (positive) or lent (negative).
    pub balance: i64,
    /// What it has borrowed and nobody has asked for yet.
    pub readahead: u64,
}

impl Holdings {
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

    /// What of that it has borrowed somebody asked for.
    pub const fn in_use(&self) -> u64 {
        self.borrowed().saturating_sub(self.readahead)
    }
}
