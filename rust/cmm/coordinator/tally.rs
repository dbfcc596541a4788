// SPDX-License-Identifier: GPL-2.0

//! What is counted over all domains, so that nobody has to look at all of them for it.

use super::domain::Domain;

/// What one domain adds, or what all do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// How many have lent.
    pub(super) lenders: u32,
    /// How many requests wait.
    pub(super) waiting: u32,
    /// Pages that their credits lack.
    pub(super) lacking: u64,
    /// Pages put aside for their requests.
    pub(super) held: u64,
    /// Pages that they have been asked for to fill the reserve.
    pub(super) filling: u64,
    /// Pages that they may take and have not said that they took.
    pub(super) promised: u64,
    /// What our hand adds to their caps, in pages.
    pub(super) ours: i64,
}

impl Tally {
    #[inline]
    pub(super) fn of(domain: &Domain) -> Self {
        Self {
            lenders: u32::from(domain.is_lender()),
            waiting: u32::from(domain.requests.waiting()),
            lacking: domain.credit.lacks(),
            held: domain.requests.held(),
            filling: domain.asks.filling(),
            promised: domain.in_flight() + domain.credit.pages(),
            ours: domain.ours(),
        }
    }

    #[inline]
    pub(super) fn add(&mut self, one: Self) {
        self.lenders += one.lenders;
        self.waiting += one.waiting;
        self.lacking += one.lacking;
        self.held += one.held;
        self.filling += one.filling;
        self.promised += one.promised;
        self.ours += one.ours;
    }

    /// Takes one out that is in it.
    #[inline]
    pub(super) fn remove(&mut self, one: Self) {
        self.lenders -= one.lenders;
        self.waiting -= one.waiting;
        self.lacking -= one.lacking;
        self.held -= one.held;
        self.filling -= one.filling;
        self.promised -= one.promised;
        self.ours -= one.ours;
    }
}
