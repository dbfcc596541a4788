// SPDX-License-Identifier: GPL-2.0

//! What a broken coordinator might do. Made by its hands, once, to see that it is noticed.

use cmm::coordinator::Nanos;
use cmm::protocol::{Down, GrantReason, MAX_PAGES};

use crate::domain::CAP_MARGIN;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// It never answers a request.
    NoAnswer,
    /// It answers a request twice.
    TwoAnswers,
    /// It grants more than the domain's cap has room for.
    GrantsTooMuch,
    /// It asks a donor for all it has.
    IgnoresFloor,
    /// It does not move a cap.
    ForgetsCap,
    /// It gives a domain more credit than it is to have.
    LendsTooMuch,
}

/// A mistake that is still to be made, and from when on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pending(pub Option<(Nanos, Mistake)>);

impl Pending {
    /// Whether this mistake is to be made now. It is made once.
    pub fn errs(&mut self, now: Nanos, mistake: Mistake) -> bool {
        let errs = self.0.is_some_and(|(at, m)| at <= now && m == mistake);
        if errs {
            self.0 = None;
        }
        errs
    }

    /// What is really sent instead of `message`. No domain is to have more credit than `most_credit`.
    pub fn sent(&mut self, now: Nanos, message: Down, most_credit: u64) -> Vec<Down> {
        let mut errs = |mistake| self.errs(now, mistake);
        match message {
            // Somebody waits for it, and so is sure to be there when it is overdue.
            Down::Grant { reason, .. }
                if reason != GrantReason::Cancelled && errs(Mistake::NoAnswer) =>
            {
                vec![]
            }
            Down::Grant { .. } if errs(Mistake::TwoAnswers) => vec![message; 2],
            Down::Grant { id, pages, reason } if pages > 0 && errs(Mistake::GrantsTooMuch) => {
                let pages = pages + 2 * CAP_MARGIN;
                vec![Down::Grant { id, pages, reason }]
            }
            Down::Reclaim { id, urgency, .. } if errs(Mistake::IgnoresFloor) => {
                let pages = MAX_PAGES;
                vec![Down::Reclaim { id, pages, urgency }]
            }
            Down::Credit { pages } if errs(Mistake::LendsTooMuch) => {
                let pages = pages + most_credit;
                vec![Down::Credit { pages }]
            }
            _ => vec![message],
        }
    }
}
