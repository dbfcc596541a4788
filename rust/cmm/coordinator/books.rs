// SPDX-License-Identifier: GPL-2.0

//! The books: pages are in one of these places, and only ever move from one to another, so that their sum is always zero.

use super::domain::Part;
use super::domains::{Domains, Entry};
use crate::pages::signed;
use crate::tables::{Index, Storage};

/// Where pages can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In Xen's free memory, for whoever comes (the reserve lives here).
    Free,
    /// Of Xen's free memory, too, by what domains said; but somebody else has it: see `missing`.
    Missing,
    /// Outside: what the administrator moved, and debts forgotten because a lender died. May be negative.
    Unbooked,
    /// With a domain: see [`Part`].
    Of(Index, Part),
}

/// What belongs to no domain, and how often the rest had less than was taken out of it.
#[derive(Debug)]
pub(super) struct Books {
    free: u64,
    missing: u64,
    unbooked: i64,
    shortfalls: u32,
}

impl Books {
    /// Nothing but a pool, which came from outside.
    pub(super) fn new(pool: u64) -> Self {
        Self {
            free: pool,
            missing: 0,
            unbooked: -signed(pool),
            shortfalls: 0,
        }
    }

    /// Pages in the pool for whoever comes.
    pub(super) fn free(&self) -> u64 {
        self.free
    }

    /// Pages of the pool that Xen does not have.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    /// Pages outside the books.
    pub(super) fn unbooked(&self) -> i64 {
        self.unbooked
    }

    /// How often more was to be moved than there was: each is a mistake of the coordinator's.
    pub(super) fn shortfalls(&self) -> u32 {
        self.shortfalls
    }

    /// Moves pages. If there are fewer than that, those there are move, which keeps the sum, and the mistake is counted:
    /// from then on the books do not balance.
    pub(super) fn transfer<S: Storage<Item = Entry>>(
        &mut self,
        domains: &mut Domains<S>,
        from: Place,
        to: Place,
        pages: u64,
    ) {
        if pages == 0 {
            return;
        }
        let moved = match (from, to) {
            (Place::Of(i, from), Place::Of(j, to)) if i == j => domains.shift(i, from, to, pages),
            _ => {
                let taken = self.take(domains, from, pages);
                if self.put(domains, to, taken) {
                    taken
                } else {
                    // Where it went does not exist.
                    self.unbooked += signed(taken);
                    0
                }
            }
        };
        if moved < pages {
            self.shortfalls = self.shortfalls.saturating_add(1);
            debug_assert!(
                false,
                "{moved} of {pages} pages moved from {from:?} to {to:?}"
            );
        }
    }

    fn take<S: Storage<Item = Entry>>(
        &mut self,
        domains: &mut Domains<S>,
        from: Place,
        pages: u64,
    ) -> u64 {
        match from {
            Place::Free => {
                let taken = pages.min(self.free);
                self.free -= taken;
                taken
            }
            Place::Missing => {
                let taken = pages.min(self.missing);
                self.missing -= taken;
                taken
            }
            Place::Unbooked => {
                self.unbooked -= signed(pages);
                pages
            }
            Place::Of(i, part) => domains.take(i, part, pages),
        }
    }

    /// `false` if the place does not exist.
    fn put<S: Storage<Item = Entry>>(
        &mut self,
        domains: &mut Domains<S>,
        to: Place,
        pages: u64,
    ) -> bool {
        match to {
            Place::Free => self.free += pages,
            Place::Missing => self.missing += pages,
            Place::Unbooked => self.unbooked += signed(pages),
            Place::Of(i, part) => return domains.put(i, part, pages),
        }
        true
    }
}
