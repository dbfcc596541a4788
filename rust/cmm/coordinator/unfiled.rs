// SPDX-License-Identifier: GPL-2.0

//! Domains that have changed since they were filed.
//!
//! What happens to a domain in a turn often changes it several times, and in the end leaves it where it was: a request
//! that the pool can answer at once comes and goes. So domains are filed before somebody searches, and not before.

use crate::tables::Index;

/// How many there can be: who asks, who gives, and some more. When others change these are filed.
const MOST: usize = 4;

/// The places of domains, each once.
#[derive(Debug, Default)]
pub(super) struct Unfiled {
    places: [Index; MOST],
    count: usize,
}

impl Unfiled {
    /// Adds a domain. `false` if there is no room for it.
    #[inline]
    pub(super) fn add(&mut self, i: Index) -> bool {
        let known = self.places.get(..self.count).unwrap_or_default();
        if known.contains(&i) {
            return true;
        }
        let Some(place) = self.places.get_mut(self.count) else {
            return false;
        };
        *place = i;
        self.count += 1;
        true
    }

    /// Takes one out.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Index> {
        self.count = self.count.checked_sub(1)?;
        self.places.get(self.count).copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}
