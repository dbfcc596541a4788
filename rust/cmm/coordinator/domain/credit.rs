// SPDX-License-Identifier: GPL-2.0

//! what a domain may take without asking, and tells afterwards.

/// A domain's credit.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Credit {
    /// Whether its front-end understands credit. Without that it has none.
    understood: bool,
    /// It returned less than it was asked for, and has said nothing since: it is about to draw the rest.
    is_drawing: bool,
    /// What it may take, less what it said it took.
    pages: u64,
    /// What it should be.
    goal: u64,
}

impl Credit {
    /// A front-end connects: its credit begins at nothing.
    pub(in super::super) fn begin(&mut self, understood: bool) {
        self.understood = understood;
        self.is_drawing = false;
    }

    /// Its front-end is gone; what it had is in flight by now.
    pub(in super::super) fn end(&mut self) {
        self.understood = false;
        self.goal = 0;
    }

    pub(in super::super) fn is_understood(&self) -> bool {
        self.understood
    }

    pub(in super::super) fn pages(&self) -> u64 {
        self.pages
    }

    pub(in super::super) fn goal(&self) -> u64 {
        self.goal
    }

    pub(in super::super) fn set_goal(&mut self, pages: u64) {
        self.goal = pages;
    }

    /// What lacks in it, if it has run low: not for every page that is drawn, or there would be a message for each.
    pub(in super::super) fn lacks(&self) -> u64 {
        if self.pages <= self.goal / 2 {
            self.goal - self.pages
        } else {
            0
        }
    }

    /// What is too much of it.
    pub(in super::super) fn surplus(&self) -> u64 {
        self.pages.saturating_sub(self.goal)
    }

    /// Whether what is too much can be had back.
    pub(in super::super) fn can_be_revoked(&self) -> bool {
        self.surplus() > 0 && !self.is_drawing
    }

    /// Its front-end said something: if it drew, that was in it.
    pub(in super::super) fn heard(&mut self) {
        self.is_drawing = false;
    }

    /// Its front-end returned `said` of `asked` pages, which are out of it by now.
    pub(in super::super) fn returned(&mut self, asked: u64, said: u64) {
        // If none is left, all that it drew has been told.
        self.is_drawing = said < asked && self.pages > 0;
    }

    pub(super) fn put(&mut self, pages: u64) {
        self.pages += pages;
    }

    pub(super) fn take(&mut self, pages: u64) -> u64 {
        let taken = pages.min(self.pages);
        self.pages -= taken;
        taken
    }
}
