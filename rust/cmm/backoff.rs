// SPDX-License-Identifier: GPL-2.0

//! Leaving somebody alone who disappointed.

use crate::time::{Nanos, MILLISECOND, SECOND};

/// After the first disappointment: as long as a donor may take to answer, so that who is merely slow is asked again soon
/// after it has answered.
const FIRST: Nanos = 100 * MILLISECOND;

/// At most: who has become useful again is found to be so within a minute, and who never does costs one question a
/// minute.
const LONGEST: Nanos = 60 * SECOND;

/// Leaves somebody alone for a while after a disappointment, and for twice as long after each further one in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    until: Nanos,
    failures: u8,
}

impl Backoff {
    /// Nobody has disappointed.
    pub const fn new() -> Self {
        Self {
            until: 0,
            failures: 0,
        }
    }

    /// Until when it lasts.
    pub const fn until(&self) -> Nanos {
        self.until
    }

    /// Whether another try may be made now.
    pub const fn is_over(&self, now: Nanos) -> bool {
        self.until <= now
    }

    /// How many disappointments there were in a row.
    pub const fn failures(&self) -> u8 {
        self.failures
    }

    /// A try failed.
    pub fn fail(&mut self, now: Nanos) {
        self.fail_within(LONGEST, now);
    }

    /// As [`Backoff::fail`], of somebody who may be of use again soon: the next try is to be made after `longest` at the
    /// latest.
    pub fn fail_within(&mut self, longest: Nanos, now: Nanos) {
        let pause = (FIRST << self.failures.min(10)).min(longest);
        self.until = now.saturating_add(pause);
        self.failures = self.failures.saturating_add(1);
    }

    /// A try succeeded: the next disappointment is a first one. What was begun lasts as long as it was to.
    pub fn succeed(&mut self) {
        self.failures = 0;
    }

    /// Makes no try before `at`, though nobody disappointed.
    pub fn wait_until(&mut self, at: Nanos) {
        self.until = self.until.max(at);
    }
}
