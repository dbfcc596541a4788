// SPDX-License-Identifier: GPL-2.0

//! Storage that knows how often it was used: what an event costs, without a clock.

use std::cell::Cell;

use cmm::tables::Storage;

/// Counts every access to a place.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    inner: S,
    accesses: Cell<u64>,
}

impl<S> Counted<S> {
    /// Counts from 0 on.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            accesses: Cell::new(0),
        }
    }

    /// What is counted, for more places to be added.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// How often a place was read or written since this was last asked for.
    pub fn take(&self) -> u64 {
        self.accesses.take()
    }

    fn count(&self) {
        self.accesses.set(self.accesses.get() + 1);
    }
}

impl<S: Storage> Storage for Counted<S> {
    type Item = S::Item;

    fn places(&self) -> usize {
        self.inner.places()
    }

    fn place(&self, at: usize) -> Option<&S::Item> {
        self.count();
        self.inner.place(at)
    }

    fn place_mut(&mut self, at: usize) -> Option<&mut S::Item> {
        self.count();
        self.inner.place_mut(at)
    }
}
