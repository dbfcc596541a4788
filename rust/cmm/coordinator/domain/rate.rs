// SPDX-License-Identifier: GPL-2.0

//! How often a domain may ask.

use crate::protocol::EXTENT_PAGES;
use crate::time::{Nanos, SECOND};

/// What a request costs, in time: a domain that has used up its time is refused.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Price {
    request: Nanos,
    /// How far a domain's account may be ahead of the clock.
    burst: Nanos,
}

impl Price {
    /// At so many requests a second, and so many at once; `None` if any number may be made.
    pub(in super::super) fn new(rate: u32, burst: u32) -> Option<Self> {
        let request = SECOND.checked_div(rate.into())?;
        // At most a second for each of 2^32.
        let burst = request * Nanos::from(burst.max(1));
        Some(Self { request, burst })
    }
}

/// A domain's account: when its requests so far, and what donors were asked for by them, are paid for.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct RateLimit {
    paid_until: Nanos,
}

impl RateLimit {
    /// Pays for a request if it can. `false` if it has made too many.
    pub(in super::super) fn pay(&mut self, price: Price, now: Nanos) -> bool {
        let paid_until = self.paid_until.max(now).saturating_add(price.request);
        let allowed = paid_until - now <= price.burst;
        if allowed {
            self.paid_until = paid_until;
        }
        allowed
    }

    /// Lets it pay for what donors are asked for on its behalf, whether it waits for their answers or not: as much as
    /// for another request for each extent. Nothing is refused for that, but later requests may be.
    pub(in super::super) fn charge(&mut self, price: Price, pages: u64, now: Nanos) {
        let price = price.request.saturating_mul(pages / EXTENT_PAGES);
        self.paid_until = self.paid_until.max(now).saturating_add(price);
    }

    /// Gives it back what it paid for pages that a donor did not give when it was asked: it is not to pay for what others
    /// say and do not keep.
    pub(in super::super) fn refund(&mut self, price: Price, pages: u64) {
        let price = price.request.saturating_mul(pages / EXTENT_PAGES);
        self.paid_until = self.paid_until.saturating_sub(price);
    }
}
