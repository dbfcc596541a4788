// SPDX-License-Identifier: GPL-2.0

//! What the outside may see of a domain: for knobs, tables and tests.

use super::host::Reservation;
use super::settings::Limits;
use crate::pages::above;
use crate::time::Nanos;
use crate::DomId;

/// One domain, as the coordinator sees it. All sizes in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Which domain.
    pub dom: DomId,
    /// Whether its front-end is connected.
    pub connected: bool,
    /// Borrowed (positive) or lent (negative).
    pub balance: i64,
    /// Granted or given, and not yet said to be taken.
    pub in_flight: u64,
    /// What it may take without asking, as far as it has not said that it took it.
    pub credit: u64,
    /// Asked for, and not yet answered.
    pub reclaiming: u64,
    /// Pages that it was owed and is not any more, by which its cap is lower, until the toolstack sets that.
    pub forgiven: u64,
    /// It must not grow until it has said what it took of what has ended.
    pub pinned: bool,
    /// Pages that it may have taken of what has ended.
    pub doubtful: u64,
    /// What it could give, as far as is known.
    pub available: u64,
    /// Its limits.
    pub limits: Limits,
    /// What Xen last said about it, with the cap that the coordinator has set since.
    pub seen: Reservation,
    /// How many of its requests wait for an answer.
    pub waiting: u8,
    /// How often in a row it was late or short as a donor.
    pub penalty: u8,
    /// How many claims of its front-end, of what its balance is, were not believed.
    pub disbelieved: u32,
}

impl View {
    /// What the domain has beyond its baseline.
    pub const fn borrowed(&self) -> u64 {
        above(self.balance, 0)
    }

    /// What the domain has given up of its baseline.
    pub const fn lent(&self) -> u64 {
        above(0, self.balance)
    }

    /// The size that its toolstack gave it, as far as is known.
    pub const fn baseline(&self) -> u64 {
        self.seen
            .current
            .saturating_add_signed(self.balance.saturating_neg())
    }
}

/// What a domain was asked and has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// How many pages it is about.
    pub pages: u64,
    /// When it was asked.
    pub since: Nanos,
    /// Whose request waits for the answer, if one does.
    pub requester: Option<DomId>,
}
