// SPDX-License-Identifier: GPL-2.0

//! The rules of the books, checked.

use super::domain::{Domain, Purpose};
use super::domains::Entry;
use super::known::Coordinator;
use super::tally::Tally;
use crate::tables::Storage;
use crate::DomId;

/// Which rule of the books is broken, and at which domain if at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Where, if at one domain.
    pub dom: Option<DomId>,
    /// Which rule.
    pub rule: &'static str,
}

impl<S: Storage<Item = Entry>> Coordinator<S> {
    /// Checks every rule of the books; slow, for tests and debugfs.
    ///
    /// # Errors
    ///
    /// The first rule found broken.
    pub fn check(&self) -> Result<(), Broken> {
        let mut tally = Tally::default();
        for (_, domain) in self.domains.all() {
            check_domain(domain).map_err(|rule| Broken {
                dom: Some(domain.dom()),
                rule,
            })?;
            tally.add(Tally::of(domain));
        }
        let broken = |rule| Broken { dom: None, rule };
        self.domains.check().map_err(broken)?;
        first_broken(&[
            (
                self.books.shortfalls() == 0,
                "no more pages were moved than there were",
            ),
            (
                tally == *self.domains.last_tally(),
                "what is counted over all domains is counted",
            ),
            (self.is_balanced(), "pages are conserved"),
        ])
        .map_err(broken)
    }
}

fn check_domain(domain: &Domain) -> Result<(), &'static str> {
    let (mut waiting, mut granted, mut held) = (0u8, 0, 0);
    for request in domain.requests.iter() {
        waiting += u8::from(request.is_waiting());
        granted += request.granted;
        held += request.held;
        if request.held > request.want || request.want > request.pages {
            return Err("no request holds more than it may have");
        }
    }
    let (mut reclaiming, mut given, mut filling) = (0, 0, 0);
    for ask in domain.asks.iter() {
        if ask.purpose.is_give() {
            given += ask.pages;
        } else if ask.purpose.is_reclaim() {
            reclaiming += ask.pages;
        }
        if ask.purpose == Purpose::Reserve {
            filling += ask.pages;
        }
    }
    let connected = domain.is_connected();
    let is_idle = domain.requests.iter().next().is_none() && domain.asks.is_empty();
    let has_credit = domain.credit.pages() > 0 || domain.credit.goal() > 0;
    first_broken(&[
        (
            domain.requests.waiting() == waiting && domain.requests.held() == held,
            "its requests are counted",
        ),
        (
            domain.asks.filling() == filling,
            "what it is asked for the reserve is counted",
        ),
        (
            !connected
                || domain.in_flight() == granted + given
                || (domain.cap.is_pinned() && domain.in_flight() < granted + given),
            "what is in flight was granted or given",
        ),
        (
            !connected || domain.asks.reclaiming() == reclaiming,
            "what it is asked for is counted",
        ),
        (
            connected || (is_idle && !domain.has_open_ends()),
            "nothing is open with a front-end that is gone",
        ),
        (
            (connected && domain.credit.is_understood()) || !has_credit,
            "only a front-end that understands it has credit",
        ),
        (domain.limits().check().is_ok(), "its limits make sense"),
    ])
}

fn first_broken(rules: &[(bool, &'static str)]) -> Result<(), &'static str> {
    match rules.iter().find(|(kept, _)| !kept) {
        Some((_, rule)) => Err(rule),
        None => Ok(()),
    }
}
