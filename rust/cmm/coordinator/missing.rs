// SPDX-License-Identifier: GPL-2.0

//! What is missing of the pool.
//!
//! The pool is a part of Xen's free memory, and that is for whoever comes: a toolstack that starts a domain, or lets one
//! grow, takes of it what it needs, and tells nobody. So Xen is asked when a domain could not take what it was granted,
//! and now and then while domains say how they fare. What Xen has not, nobody is promised any more; the reserve is filled
//! again; and what Xen has free some day beyond all that was promised is the pool's first, for lenders wait for it.

use super::books::Place;
use super::domains::Entry;
use super::host::Host;
use super::turn::Turn;
use crate::tables::Storage;
use crate::time::{Nanos, MILLISECOND, SECOND};

/// How often Xen is asked at most because a domain says how it fares.
const LOOKS_AFTER: Nanos = 100 * MILLISECOND;

/// And how seldom, when something is missing, whether anybody says anything or not: lenders wait for it.
const LOOKS_WITHIN: Nanos = 4 * SECOND;

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    /// Asks Xen whether it has the pool, unless it was asked a moment ago.
    pub(super) fn look_at_pool(&mut self) {
        if self.coordinator.looking.at.saturating_add(LOOKS_AFTER) <= self.now {
            self.count_pool();
        }
    }

    /// Asks Xen again if something is missing and that was some time ago.
    pub(super) fn look_for_missing(&mut self) {
        if self.coordinator.books.missing() == 0 {
            return;
        }
        if self.coordinator.looking.backoff.is_over(self.now) {
            self.count_pool();
        }
        if self.coordinator.books.missing() > 0 {
            let until = self.coordinator.looking.backoff.until();
            self.wake(until);
        }
    }

    /// Asks Xen whether it has the pool, and books what it has not as missing, or what it has again as there.
    pub(super) fn count_pool(&mut self) {
        let coordinator = &mut *self.coordinator;
        let free = coordinator.books.free();
        let tally = coordinator.domains.tally();
        let (pool, promised) = (free + tally.held, tally.promised);
        let missing = coordinator.books.missing();
        if pool + missing == 0 {
            return;
        }
        let looking = &mut coordinator.looking;
        looking.at = self.now;
        looking.backoff.fail_within(LOOKS_WITHIN, self.now);
        let Some(has) = self.host.free_pages() else {
            return;
        };
        // What is put aside for requests is answered soon.
        let lacks = pool.saturating_sub(has).min(free);
        self.transfer(Place::Free, Place::Missing, lacks);
        let spare = has.saturating_sub(pool).saturating_sub(promised);
        self.transfer(Place::Missing, Place::Free, missing.min(spare));
        self.forget_missing();
        if self.coordinator.books.missing() == 0 {
            self.coordinator.looking.backoff.succeed();
        }
    }

    /// What is missing and owed to nobody is Xen's, or whoever's that has it.
    fn forget_missing(&mut self) {
        let coordinator = &mut *self.coordinator;
        let is_owed = coordinator.domains.tally().lenders > 0;
        if !is_owed && coordinator.repayment.lenders_due <= self.now {
            let missing = coordinator.books.missing();
            self.transfer(Place::Missing, Place::Unbooked, missing);
        }
    }
}
