// SPDX-License-Identifier: GPL-2.0

//! The reserve: pages kept ready, so that a request need not wait for a donor.

use core::ops::DerefMut;

use super::donors::backoff;
use super::host::Host;
use super::policy::Need;
use super::slot::{Purpose, Slot};
use super::Coordinator;
use crate::protocol::Urgency;
use crate::time::{Nanos, MILLISECOND};

/// How long the pool has been low before it is filled. A request that took from it has its memory by then: the donors'
/// work, for which nobody waits, would otherwise compete with it for the CPU.
const SETTLING: Nanos = 50 * MILLISECOND;

impl<S: DerefMut<Target = [Slot]>> Coordinator<S> {
    /// What the pool should have: the reserve, and what credits lack.
    pub(super) fn wanted(&self) -> u64 {
        self.settings.reserve.saturating_add(self.lacking)
    }

    /// Fills the pool from donors when it has run low.
    pub(super) fn fill<H: Host>(&mut self, now: Nanos, host: &mut H) {
        let wanted = self.wanted();
        let coming = self.free.saturating_add(self.filling);
        // Not for every page that is taken: that would be a message for each.
        let low = wanted.saturating_sub(wanted / 4);
        if coming >= low || self.shutting_down {
            self.low = false;
            return;
        }
        if !core::mem::replace(&mut self.low, true) {
            self.fill_after = self.fill_after.max(now.saturating_add(SETTLING));
        }
        if self.fill_after > now {
            self.wake(self.fill_after);
            return;
        }
        let need = Need {
            pages: wanted.saturating_sub(coming),
            recall: 0,
        };
        let asked = self.ask_several(need, Purpose::Reserve, Urgency::Background, now, host);
        if asked.pages > 0 {
            self.fill_failures = 0;
        }
        if coming.saturating_add(asked.pages) >= low {
            return;
        }
        if asked.stale > 0 {
            // Now we know better, and others may do.
            self.wake(now);
        } else {
            self.fill_after = now.saturating_add(backoff(self.fill_failures));
            self.fill_failures = self.fill_failures.saturating_add(1);
            self.wake(self.fill_after);
        }
    }
}
