// SPDX-License-Identifier: GPL-2.0

//! What a domain has others do for it: a share of one CPU, which it earns as time passes.
//!
//! Who is asked for memory wakes up, finds pages, clears them and gives them up, and has the same to do when they come
//! back. Who asks and gives back in a loop has others work all the time, whatever it costs itself. What it keeps does not
//! count, if it never had as much before: so a domain may grow as far as it is let, however much that is, and a program
//! that needs memory now and then pays for little. Who has used up its share is granted nothing until it has earned
//! enough again.
//!
//! What a domain had is forgotten in a minute, so that one that grew once may do so again.

use crate::pages::above;
use crate::time::{Nanos, MICROSECOND, SECOND};

/// What it takes a donor to be asked, and to be given back, whatever it is for; by `make latency`, about.
const QUESTION: Nanos = 100 * MICROSECOND;

/// And for each page.
const PAGE: Nanos = 3 * MICROSECOND;

/// A domain earns a nanosecond of others' time in so many.
const EARNS_IN: Nanos = 5;

/// How much may be saved up: for 10 000 questions, or 2 GiB and a half.
const MOST: Nanos = 2 * SECOND;

/// In what time all is forgotten that a domain had.
const FORGETS_IN: Nanos = 60 * SECOND;

/// What a domain had others do for it lately.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Turnover {
    /// When it will have saved up [`MOST`].
    full_at: Nanos,
    /// The most it has borrowed, less what has been forgotten since, in pages.
    most: u64,
    /// When that was.
    seen: Nanos,
}

impl Turnover {
    /// Whether it has used up its share.
    pub(in super::super) fn is_spent(&self, now: Nanos) -> bool {
        self.full_at > now.saturating_add(MOST * EARNS_IN)
    }

    /// So many others are asked for so many pages.
    pub(in super::super) fn charge(&mut self, questions: u8, pages: u64, now: Nanos) {
        let nanos = QUESTION * Nanos::from(questions) + PAGE.saturating_mul(pages);
        let earned_in = nanos.saturating_mul(EARNS_IN);
        self.full_at = self.full_at.max(now).saturating_add(earned_in);
    }

    /// One of those others had nothing to give, which it finds in no time, or did not answer.
    pub(in super::super) fn refund_question(&mut self) {
        self.full_at = self.full_at.saturating_sub(QUESTION * EARNS_IN);
    }

    /// So many pages of those did not come, or need not be paid for.
    pub(in super::super) fn refund(&mut self, pages: u64) {
        let earned_in = PAGE.saturating_mul(pages).saturating_mul(EARNS_IN);
        self.full_at = self.full_at.saturating_sub(earned_in);
    }

    /// It took so many pages, and has borrowed so much with them, or lent, if that is negative: what it never had before
    /// need not be paid for.
    pub(in super::super) fn took(&mut self, pages: u64, balance: i64, now: Nanos) {
        let forgotten = self.forgotten(now);
        let most = self.most - forgotten;
        let borrowed = above(balance, 0);
        self.refund(pages.min(borrowed.saturating_sub(most)));
        self.most = most.max(borrowed);
        self.seen = now;
    }

    fn forgotten(&self, now: Nanos) -> u64 {
        let since = now.saturating_sub(self.seen).min(FORGETS_IN);
        self.most.saturating_mul(since / MICROSECOND) / (FORGETS_IN / MICROSECOND)
    }
}
