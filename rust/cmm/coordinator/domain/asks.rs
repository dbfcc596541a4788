// SPDX-License-Identifier: GPL-2.0

//! What a domain was asked and has not answered.

use crate::protocol::{COORDINATOR_ID, MAX_ASKS};
use crate::time::Nanos;
use crate::DomId;

/// A `Reclaim`, `Give` or `Revoke` that is not answered.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Ask {
    pub(in super::super) id: u32,
    pub(in super::super) pages: u64,
    pub(in super::super) since: Nanos,
    /// How long the answer may take for there being so many pages, besides what any may take.
    pub(in super::super) allowed: Nanos,
    pub(in super::super) purpose: Purpose,
}

impl Ask {
    /// When it is late, if any answer may take `timeout`.
    pub(in super::super) fn due(&self, timeout: Nanos) -> Nanos {
        self.since
            .saturating_add(timeout)
            .saturating_add(self.allowed)
    }
}

/// What an [`Ask`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Purpose {
    /// `Reclaim` for a request.
    Request {
        /// Whose.
        dom: DomId,
        /// Which, by its serial: ids may be used again.
        serial: u64,
    },
    /// `Reclaim` for the reserve.
    Reserve,
    /// `Reclaim` by the administrator.
    TakeByHand,
    /// `Reclaim` that nobody waits for any more.
    Late {
        /// Whether it was for the reserve.
        reserve: bool,
    },
    /// `Revoke` of credit.
    Revoke,
    /// `Give` of what the domain lent.
    Repay,
    /// `Give` by the administrator.
    GiveByHand,
}

impl Purpose {
    pub(in super::super) fn is_give(self) -> bool {
        matches!(self, Self::Repay | Self::GiveByHand)
    }

    pub(in super::super) fn is_reclaim(self) -> bool {
        !self.is_give() && self != Self::Revoke
    }

    fn is_late(self) -> bool {
        matches!(self, Self::Late { .. })
    }

    /// Whether only memory that is plainly unused was asked for.
    pub(in super::super) fn is_background(self) -> bool {
        matches!(self, Self::Reserve | Self::Late { reserve: true })
    }

    /// Whether somebody goes on without the answer if it does not come in time. Nobody waits for what is taken by hand,
    /// and it must not go to the pool.
    fn can_be_late(self) -> bool {
        matches!(self, Self::Request { .. } | Self::Reserve)
    }
}

/// The table of questions, and what they ask for together.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Asks {
    table: [Option<Ask>; MAX_ASKS],
    open: u8,
    /// Pages asked for in `Reclaim`s and not known to be given or kept. Those of an earlier connection count until it is
    /// decided what became of them.
    reclaiming: u64,
    /// Those of them that the reserve waits for.
    filling: u64,
}

impl Asks {
    /// An earlier back-end asked for so many pages.
    pub(super) fn recalled(reclaiming: u64) -> Self {
        Self {
            reclaiming,
            ..Self::default()
        }
    }

    pub(in super::super) fn has_room(&self) -> bool {
        usize::from(self.open) < MAX_ASKS
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.open == 0
    }

    pub(in super::super) fn reclaiming(&self) -> u64 {
        self.reclaiming
    }

    pub(in super::super) fn filling(&self) -> u64 {
        self.filling
    }

    pub(in super::super) fn iter(&self) -> impl Iterator<Item = &Ask> {
        self.table.iter().flatten()
    }

    pub(in super::super) fn get(&self, id: u32) -> Option<Ask> {
        self.iter().find(|ask| ask.id == id).copied()
    }

    /// Whether any of them is for this.
    pub(in super::super) fn is_any(&self, purpose: Purpose) -> bool {
        self.iter().any(|ask| ask.purpose == purpose)
    }

    /// Writes a question down under an id that none has and that comes after `last`, or returns `None`: there is no room.
    pub(in super::super) fn open(
        &mut self,
        last: u32,
        pages: u64,
        since: Nanos,
        allowed: Nanos,
        purpose: Purpose,
    ) -> Option<u32> {
        let place = self.table.iter().position(Option::is_none)?;
        let mut id = COORDINATOR_ID | last.wrapping_add(1);
        // No more often than there are ids in use.
        while self.get(id).is_some() {
            id = COORDINATOR_ID | id.wrapping_add(1);
        }
        *self.table.get_mut(place)? = Some(Ask {
            id,
            pages,
            since,
            allowed,
            purpose,
        });
        self.open += 1;
        if purpose.is_reclaim() {
            self.reclaiming = self.reclaiming.saturating_add(pages);
        }
        if purpose == Purpose::Reserve {
            self.filling += pages;
        }
        Some(id)
    }

    /// Takes a question away that was answered, or never reached its front-end.
    pub(in super::super) fn close(&mut self, id: u32) -> Option<Ask> {
        let mut places = self.table.iter_mut();
        let place = places.find(|place| place.is_some_and(|ask| ask.id == id))?;
        let ask = place.take()?;
        self.open -= 1;
        if ask.purpose.is_reclaim() {
            // No less than it was: all questions are in it.
            self.reclaiming -= ask.pages;
        }
        if ask.purpose == Purpose::Reserve {
            self.filling -= ask.pages;
        }
        Some(ask)
    }

    /// When the first of those was asked that somebody waits for. One that is allowed more time counts as asked later by
    /// as much.
    pub(in super::super) fn waited_for_since(&self) -> Option<Nanos> {
        if self.is_empty() {
            return None;
        }
        let waited_for = self.iter().filter(|ask| ask.purpose.can_be_late());
        waited_for
            .map(|ask| ask.since.saturating_add(ask.allowed))
            .min()
    }

    /// When the last of those was asked that may yet be answered, more time counting likewise.
    pub(in super::super) fn asked_last(&self) -> Option<Nanos> {
        let awaited = self.iter().filter(|ask| !ask.purpose.is_late());
        awaited
            .map(|ask| ask.since.saturating_add(ask.allowed))
            .max()
    }

    /// When what was given must have been taken, if that may take `within`.
    pub(in super::super) fn take_by(&self, within: Nanos) -> Option<Nanos> {
        let given = self.iter().filter(|ask| ask.purpose.is_give());
        given.map(|ask| ask.due(within)).min()
    }

    /// All that was given, and is not known to be taken.
    pub(in super::super) fn all_given(&self) -> u64 {
        let given = self.iter().filter(|ask| ask.purpose.is_give());
        given.map(|ask| ask.pages).sum()
    }

    /// How much was given by hand, and is not known to be taken.
    pub(in super::super) fn given_by_hand(&self) -> u64 {
        let by_hand = self.iter().filter(|ask| ask.purpose == Purpose::GiveByHand);
        by_hand.map(|ask| ask.pages).sum()
    }

    /// Gives up waiting for one that is late now. Returns what it was.
    pub(in super::super) fn give_up(&mut self, timeout: Nanos, now: Nanos) -> Option<Ask> {
        let mut asks = self.table.iter_mut().flatten();
        let ask = asks.find(|ask| ask.due(timeout) <= now && ask.purpose.can_be_late())?;
        let was = *ask;
        let reserve = was.purpose == Purpose::Reserve;
        ask.purpose = Purpose::Late { reserve };
        if reserve {
            self.filling -= was.pages;
        }
        Some(was)
    }

    /// Its front-end is gone: returns what it will not answer. What it did about that is not known.
    pub(in super::super) fn clear(&mut self) -> [Option<Ask>; MAX_ASKS] {
        self.open = 0;
        self.filling = 0;
        core::mem::take(&mut self.table)
    }

    /// What became of all that was asked for is decided.
    pub(in super::super) fn reconciled(&mut self) {
        self.reclaiming = 0;
    }
}
