// SPDX-License-Identifier: GPL-2.0

//! Credit: what the domain may take without asking, and what it took of that.

/// Pages to have prepopulated, if there is credit for them: 1 MiB, a few small requests' worth.
const PREPOPULATED: u64 = 256;

/// The domain's credit with Dom0, in pages.
#[derive(Debug)]
pub(super) struct Credit {
    /// May be taken without asking.
    left: u64,
    /// Those of `left` that are populated already, or about to be. Memory and this number change
    /// one after the other: the shell may have some that it does not count, until it puts all away.
    prepopulated: u64,
    /// Were taken, and Dom0 does not know.
    untold: u64,
}

impl Credit {
    pub(super) const fn new() -> Self {
        Self {
            left: 0,
            prepopulated: 0,
            untold: 0,
        }
    }

    pub(super) fn left(&self) -> u64 {
        self.left
    }

    pub(super) fn untold(&self) -> u64 {
        self.untold
    }

    /// Dom0 has been told of all that was taken.
    pub(super) fn all_told(&mut self) {
        self.untold = 0;
    }

    /// Dom0 allows so many pages more.
    pub(super) fn extend(&mut self, pages: u64) {
        self.left = self.left.saturating_add(pages);
    }

    /// Puts `pages` aside to be taken, if there are as many.
    pub(super) fn reserve(&mut self, pages: u64) -> bool {
        if pages > self.left {
            return false;
        }
        self.left -= pages;
        self.prepopulated = self.prepopulated.saturating_sub(pages);
        true
    }

    /// Of the pages put aside, `drawn` were taken. Returns whether Dom0 should hear of it now:
    /// while there is plenty, there is no hurry.
    pub(super) fn draw(&mut self, reserved: u64, drawn: u64) -> bool {
        self.left = self.left.saturating_add(reserved.saturating_sub(drawn));
        self.untold = self.untold.saturating_add(drawn);
        self.left < self.untold
    }

    /// Returns up to `pages` of it. Says how many, and how many more than there is credit for are
    /// prepopulated now, which are to be put away.
    pub(super) fn revoke(&mut self, pages: u64) -> (u64, u64) {
        let returned = self.left.min(pages);
        self.left -= returned;
        let surplus = self.prepopulated.saturating_sub(self.left);
        self.prepopulated -= surplus;
        (returned, surplus)
    }

    /// How many pages to prepopulate; `None` if it is not worth the while.
    pub(super) fn lacking(&self) -> Option<u64> {
        let most = self.left.min(PREPOPULATED);
        (self.prepopulated < most.div_ceil(2)).then(|| most - self.prepopulated)
    }

    /// So many are about to be prepopulated.
    pub(super) fn prepopulate(&mut self, pages: u64) {
        self.prepopulated = self.prepopulated.saturating_add(pages);
    }

    /// So many of those prepopulated are not there.
    pub(super) fn put_away(&mut self, pages: u64) {
        self.prepopulated = self.prepopulated.saturating_sub(pages);
    }

    /// The connection is over, and the credit with it. The next one's claim tells Dom0 what was
    /// taken.
    pub(super) fn end(&mut self) {
        self.left = 0;
        self.untold = 0;
    }
}
