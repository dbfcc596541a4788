// SPDX-License-Identifier: GPL-2.0

//! The reserve: pages kept ready, so that a request need not wait for a donor.

use super::domain::Purpose;
use super::domains::Entry;
use super::host::Host;
use super::policy::Need;
use super::turn::Turn;
use crate::protocol::Urgency;
use crate::tables::Storage;
use crate::time::{Nanos, MILLISECOND};

/// How long the pool has been low before it is filled. A request that took from it has its memory by then: the donors'
/// work, for which nobody waits, would otherwise compete with it for the CPU.
const DELAY: Nanos = 50 * MILLISECOND;

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    /// Fills the pool from donors when it has run low.
    pub(super) fn fill(&mut self) {
        let now = self.now;
        let coordinator = &mut *self.coordinator;
        let wanted = coordinator.wanted();
        let coming = coordinator.books.free() + coordinator.domains.tally().filling;
        // Not for every page that is taken: that would be a message for each.
        let low = wanted - wanted / 4;
        if coming >= low || coordinator.shutting_down {
            coordinator.filling.low = false;
            return;
        }
        let filling = &mut coordinator.filling;
        if !core::mem::replace(&mut filling.low, true) {
            filling.backoff.wait_until(now.saturating_add(DELAY));
        }
        if !filling.backoff.is_over(now) {
            let until = filling.backoff.until();
            self.wake(until);
            return;
        }
        let need = Need {
            pages: wanted - coming,
            recall: 0,
        };
        let asked = self.ask_several(need, Purpose::Reserve, Urgency::Background);
        let filling = &mut self.coordinator.filling;
        if asked.pages > 0 {
            filling.backoff.succeed();
        }
        if coming + asked.pages >= low || asked.in_portions {
            return;
        }
        if asked.stale > 0 {
            // Now we know better, and others may do.
            self.wake(now);
        } else {
            filling.backoff.fail(now);
            let until = filling.backoff.until();
            self.wake(until);
        }
    }
}
