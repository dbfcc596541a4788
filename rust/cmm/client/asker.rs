// SPDX-License-Identifier: GPL-2.0

//! What a program has asked for, and goes back when it ends: so one that dies leaks nothing.
//!
//! Pages are not told apart: what it holds is a number. What somebody else has given back meanwhile, who may do so by
//! hand, it does not hold any more, though it does not know.

use super::holdings::Holdings;

/// A program that asks for memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    held: u64,
}

impl Asker {
    /// What it has asked for and not given back, in pages.
    pub const fn held(&self) -> u64 {
        self.held
    }

    /// It got so many pages.
    pub fn got(&mut self, pages: u64) {
        self.held = self.held.saturating_add(pages);
    }

    /// It gives so many back: how many of them the domain `has` borrowed still. `None` if that is more than it holds.
    pub fn gives_back(&self, pages: u64, has: &Holdings) -> Option<u64> {
        (pages <= self.held).then(|| pages.min(has.in_use()))
    }

    /// So many went back, and the domain `has` that left. What the kernel could not spare it holds still.
    pub fn gave_back(&mut self, given: u64, has: &Holdings) {
        self.held = self.held.saturating_sub(given).min(has.in_use());
    }
}
