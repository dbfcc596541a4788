// SPDX-License-Identifier: GPL-2.0

//! The rules of the ledger, checked.

use core::ops::DerefMut;

use super::ledger::signed;
use super::slot::{Purpose, Request, Slot};
use super::Coordinator;
use crate::DomId;

/// Which rule of the ledger is broken, and at which domain if at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Where, if at one domain.
    pub dom: Option<DomId>,
    /// Which rule.
    pub rule: &'static str,
}

/// Sums over all domains, to be compared with what is kept as it changes.
#[derive(Default)]
struct Sums {
    ours: i64,
    held: u64,
    waiting: usize,
    lenders: usize,
    filling: u64,
    lacking: u64,
}

impl<S: DerefMut<Target = [Slot]>> Coordinator<S> {
    /// Checks every rule of the ledger; slow, for tests and debugfs.
    ///
    /// # Errors
    ///
    /// The first rule found broken.
    pub fn check(&self) -> Result<(), Broken> {
        let mut sums = Sums::default();
        for slot in self.live() {
            check_slot(slot, &mut sums).map_err(|rule| Broken {
                dom: Some(slot.dom),
                rule,
            })?;
        }
        let mut pairs = self.live().windows(2);
        let sorted = pairs.all(|pair| matches!(pair, [a, b] if a.dom < b.dom));
        let sum = sums
            .ours
            .saturating_add(signed(self.held))
            .saturating_add(signed(self.free))
            .saturating_add(self.adrift);
        let rules = [
            (sorted, "domains are in order, each once"),
            (sum == 0, "pages are conserved"),
            (sums.held == self.held, "pages put aside are counted"),
            (sums.waiting == self.waiting, "waiting requests are counted"),
            (sums.lenders == self.lenders, "lenders are counted"),
            (
                sums.filling == self.filling,
                "pages asked for the reserve are counted",
            ),
            (
                sums.lacking == self.lacking,
                "pages that credits lack are counted",
            ),
        ];
        match rules.iter().find(|(kept, _)| !kept) {
            Some((_, rule)) => Err(Broken { dom: None, rule }),
            None => Ok(()),
        }
    }
}

fn check_slot(slot: &Slot, sums: &mut Sums) -> Result<(), &'static str> {
    let mut waiting = 0;
    let mut granted = 0u64;
    for request in slot.requests.iter().flatten() {
        granted = granted.saturating_add(request.granted);
        sums.held = sums.held.saturating_add(request.held);
        waiting += usize::from(Request::is_waiting(request));
        if request.held > request.want || request.want > request.pages {
            return Err("no request holds more than it may have");
        }
    }
    let mut asked = 0u64;
    let mut given = 0u64;
    for ask in slot.asks.iter().flatten() {
        if ask.purpose.is_give() {
            given = given.saturating_add(ask.pages);
        } else if ask.purpose.is_reclaim() {
            asked = asked.saturating_add(ask.pages);
        }
        if ask.purpose == Purpose::Reserve {
            sums.filling = sums.filling.saturating_add(ask.pages);
        }
    }
    sums.ours = sums.ours.saturating_add(slot.ours());
    sums.lacking = sums.lacking.saturating_add(slot.lacks_credit());
    sums.waiting += waiting;
    sums.lenders += usize::from(slot.is_lender());
    let in_use = slot.asks.iter().flatten().count();
    let rules = [
        (
            usize::from(slot.waiting) == waiting,
            "its waiting requests are counted",
        ),
        (
            usize::from(slot.asked) == in_use,
            "its questions are counted",
        ),
        (
            !slot.connected || slot.in_flight == granted.saturating_add(given),
            "what is in flight was granted or given",
        ),
        (
            !slot.connected || slot.reclaiming == asked,
            "what it is asked for is counted",
        ),
        (
            slot.connected || (waiting == 0 && in_use == 0),
            "nothing is open with a front-end that is gone",
        ),
        (
            (slot.connected && slot.takes_credit) || (slot.credit == 0 && slot.credit_goal == 0),
            "only a front-end that understands it has credit",
        ),
        (slot.limits.check().is_ok(), "its limits make sense"),
    ];
    match rules.iter().find(|(kept, _)| !kept) {
        Some((_, rule)) => Err(rule),
        None => Ok(()),
    }
}
