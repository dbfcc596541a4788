// SPDX-License-Identifier: GPL-2.0

//! All that the coordinator knows.

use super::books::Books;
use super::domain::Price;
use super::domains::{Domains, Entry};
use super::fair::VirtualTime;
use super::settings::Settings;
use super::watched::Watched;
use crate::backoff::Backoff;
use crate::pages::{signed, MOST_PAGES};
use crate::protocol::MAX_PAGES;
use crate::tables::Storage;
use crate::time::Nanos;

/// The coordinator. Its storage, and thereby how many domains it can serve, is the shell's.
#[derive(Debug)]
pub struct Coordinator<S> {
    pub(super) domains: Domains<S>,
    pub(super) books: Books,
    pub(super) settings: Settings,
    pub(super) shutting_down: bool,
    /// When something is due; `Nanos::MAX` for never.
    pub(super) next: Nanos,
    /// The pool grew, and requests that wait may have a share.
    pub(super) free_grew: bool,
    /// How many of those who wait until a donor has room for a question may try again.
    pub(super) retries: usize,
    /// After which time, at which no donor could give any more, they have tried last.
    tried_after: Nanos,
    /// How much those have had who wait.
    pub(super) virtual_time: VirtualTime,
    pub(super) last_serial: u64,
    pub(super) last_ask: u32,
    pub(super) repayment: Repayment,
    pub(super) filling: Filling,
    pub(super) looking: Looking,
    pub(super) review: Review,
    pub(super) watched: Watched,
}

/// When lenders get back what they lent.
#[derive(Debug)]
pub(super) struct Repayment {
    /// Lenders that an earlier back-end knew may still come until then.
    pub(super) lenders_due: Nanos,
    /// What domains borrowed, less what they lent, that an earlier back-end knew and this one does not.
    pub(super) unclaimed: i64,
}

/// When the reserve is filled.
#[derive(Debug, Default)]
pub(super) struct Filling {
    /// The pool was low when it was last looked at.
    pub(super) low: bool,
    /// Donors had not enough.
    pub(super) backoff: Backoff,
}

/// When Xen is asked whether it has the pool.
#[derive(Debug, Default)]
pub(super) struct Looking {
    /// When it was asked last.
    pub(super) at: Nanos,
    /// It had not all of it.
    pub(super) backoff: Backoff,
}

/// Whose credit may have to change: all from this place on.
#[derive(Debug, Default)]
pub(super) struct Review {
    pub(super) from: Option<usize>,
}

impl Review {
    /// All credits may have to change.
    pub(super) fn all(&mut self) {
        self.from = Some(0);
    }
}

impl<S: Storage<Item = Entry>> Coordinator<S> {
    /// Starts with no domains.
    pub fn new(storage: S, settings: Settings) -> Self {
        let pool = settings.pool.min(MOST_PAGES);
        // What an earlier back-end's domains, known to it and not yet to this one, had between them.
        let unclaimed = match settings.unbooked {
            Some(unbooked) => -signed(pool) - unbooked,
            None => 0,
        };
        Self {
            domains: Domains::new(storage),
            books: Books::new(pool),
            settings: Settings {
                reserve: settings.reserve.min(MAX_PAGES),
                credit: settings.credit.min(MAX_PAGES),
                ..settings
            },
            shutting_down: false,
            next: Nanos::MAX,
            free_grew: false,
            retries: 0,
            tried_after: Nanos::MAX,
            virtual_time: VirtualTime::default(),
            last_serial: 0,
            last_ask: 0,
            repayment: Repayment {
                // Their memory is in a pool that an earlier back-end left.
                lenders_due: if pool > 0 || unclaimed != 0 {
                    Nanos::MAX
                } else {
                    0
                },
                unclaimed,
            },
            filling: Filling::default(),
            looking: Looking::default(),
            review: Review::default(),
            watched: Watched::default(),
        }
    }

    /// Requests that wait may have a share of what has just come to the pool: all others who want some of it wait until
    /// they have had it.
    pub(super) fn requests_come_first(&mut self) -> bool {
        self.free_grew && self.books.free() > 0 && self.domains.tally().waiting > 0
    }

    /// Until when one may answer who could give, and is asked for so much already that no further question has room. An
    /// answer that is late may never come, and is not waited for. 0 for never.
    pub(super) fn may_give_until(&mut self, recalls: bool) -> Nanos {
        let since = self.domains.full_since(recalls);
        since.map_or(0, |since| since.saturating_add(self.settings.donor_timeout))
    }

    /// Whether anybody has been asked to give for a request, and is not late.
    pub(super) fn may_share(&mut self) -> bool {
        self.domains.first_asked().is_some()
    }

    /// Lets all who wait until a donor has room for a question try again, once each, if one has, or none will. Returns
    /// whether there is one to try now.
    pub(super) fn rouse_crowd(&mut self, now: Nanos) -> bool {
        if self.domains.crowd() == 0 {
            self.domains.forget_donors_changed();
            return false;
        }
        let until = self.may_give_until(true);
        // While others have donors asked, there may be something to share: once more is enough.
        let is_hopeless = until <= now && (until != self.tried_after || !self.may_share());
        if self.domains.have_donors_changed() || is_hopeless {
            if is_hopeless {
                self.tried_after = until;
            }
            // Each tries once: whoever does not succeed waits again, behind the others.
            self.retries = self.domains.crowd();
        }
        let is_of_use = self.domains.is_any_donor() || self.may_give_until(false) <= now;
        self.retries > 0 && is_of_use
    }

    /// What the pool should have: the reserve, and what credits lack.
    pub(super) fn wanted(&mut self) -> u64 {
        self.settings.reserve + self.domains.tally().lacking
    }

    /// What a request costs.
    pub(super) fn price(&self) -> Option<Price> {
        Price::new(self.settings.request_rate, self.settings.request_burst)
    }

    /// Asks for a tick at this time.
    pub(super) fn wake(&mut self, at: Nanos) {
        self.next = self.next.min(at);
    }
}
