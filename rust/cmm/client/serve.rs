// SPDX-License-Identifier: GPL-2.0

//! What Dom0 demands of this domain, and what it lends on credit.

use super::commitment::Refusal;
use super::demands::Demand;
use super::machine::Client;
use super::shell::Shell;
use crate::protocol::Urgency;
use crate::time::Nanos;

/// What the shell does for a demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Give memory: what was read ahead first.
    Give {
        /// How many pages, at most.
        pages: u64,
        /// How much to put oneself out.
        urgency: Urgency,
    },
    /// Take so many pages, at most: what is deferred is not populated.
    Take {
        /// How many.
        pages: u64,
    },
    /// Nothing but to put prepopulated pages away.
    PutAway {
        /// So many.
        surplus: u64,
        /// The demand is met with so many.
        returned: u64,
    },
}

impl<S: Shell> Client<S> {
    /// Whether there is something for the shell's thread to do, by what came in last.
    pub fn has_work(&self) -> bool {
        self.demands.is_waiting() || self.wants_to_prepopulate() || self.is_recalled()
    }

    /// Begins with a demand, the oldest. Each is to be [answered](Self::answer) in the same
    /// connection, the number of which is returned.
    pub fn next_demand(&mut self) -> Option<(Demand, u32)> {
        Some((self.demands.begin()?, self.epoch()))
    }

    /// What is to be done for a demand, to be asked when nobody else changes the domain's memory;
    /// `None` if the connection is over.
    pub fn admit(&mut self, epoch: u32, demand: &Demand) -> Option<Task> {
        if epoch != self.epoch() || !self.stage().has_claimed() {
            return None;
        }
        Some(match *demand {
            Demand::Reclaim { pages, urgency, .. } => Task::Give { pages, urgency },
            Demand::Give { pages, .. } => Task::Take {
                pages: if self.suspending { 0 } else { pages },
            },
            Demand::Revoke { pages, .. } => {
                let (returned, surplus) = self.credit.revoke(pages);
                Task::PutAway { surplus, returned }
            }
        })
    }

    /// A demand was met with so many pages. Returns whether Dom0 has been told; if not, the next
    /// connection's claim tells it.
    pub fn answer(&mut self, epoch: u32, demand: &Demand, pages: u64) -> bool {
        if epoch != self.epoch() {
            return false;
        }
        self.demands.end();
        if matches!(demand, Demand::Reclaim { .. }) && pages < demand.pages() {
            // Dom0 believes that there is no more until it hears otherwise.
            self.news.expect();
        }
        self.answer_with(&demand.answer(pages), true)
    }

    /// The kernel refuses to have so much less memory that it could give what it was asked for: it has
    /// promised its processes `committed` pages.
    pub fn refused_by_kernel(&mut self, committed: u64, now: Nanos) {
        self.refusal = Refusal::new(committed, now);
    }

    /// Of `reserved` pages on credit, `drawn` were taken. Dom0 hears of it when half of the credit
    /// is used, or with the next message or tick.
    pub fn drew(&mut self, epoch: u32, reserved: u64, drawn: u64) {
        // If the connection is over, the next one's claim tells Dom0.
        if epoch != self.epoch() || !self.stage().has_claimed() {
            return;
        }
        if self.credit.draw(reserved, drawn) {
            self.catch_up();
        }
    }

    /// Whether it is worth the while to prepopulate.
    pub(super) fn wants_to_prepopulate(&self) -> bool {
        !self.suspending && self.credit.lacking().is_some()
    }

    /// How many pages to prepopulate, if any. They count as such from now on; nobody else may
    /// change the domain's memory until [`Client::fell_short`].
    pub fn prepopulate(&mut self) -> Option<u64> {
        let pages = self.credit.lacking().filter(|_| !self.suspending)?;
        self.credit.prepopulate(pages);
        Some(pages)
    }

    /// So many of them could not be populated; or all that are have been put away, with `u64::MAX`.
    pub fn fell_short(&mut self, pages: u64) {
        self.credit.put_away(pages);
    }
}
