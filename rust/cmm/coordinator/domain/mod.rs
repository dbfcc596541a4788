// SPDX-License-Identifier: GPL-2.0

//! What the coordinator remembers about one domain.

mod asks;
mod cap;
mod credit;
mod pace;
mod rate;
mod requests;
mod turnover;

pub(super) use asks::{Ask, Asks, Purpose};
pub use cap::{Cap, Uncertain};
pub(super) use credit::Credit;
pub(super) use pace::Pace;
pub(super) use rate::{Price, RateLimit};
pub(super) use requests::{Class, Request, Requests};
pub(super) use turnover::Turnover;

use super::fair::Account;
use super::host::Reservation;
use super::policy::readiness;
use super::record::Record;
use super::settings::Limits;
use super::view::View;
use crate::backoff::Backoff;
use crate::pages::{above, signed};
use crate::protocol::MAX_REQUESTS;
use crate::time::{Nanos, SECOND};
use crate::DomId;

/// How long a domain has to take what it was granted, besides the time that it takes to move so much. Whoever waits for
/// memory takes it as soon as it runs. A domain that does not run must not keep it from others.
pub(super) const TAKEN_WITHIN: Nanos = 2 * SECOND;

/// Room for one domain in the coordinator's storage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Domain {
    dom: DomId,
    /// Its pages in the books, besides its credit and what is held for its requests.
    balance: i64,
    in_flight: u64,
    /// What it had, less its balance, when nothing was in flight last; `None` if nobody looked.
    own: Option<i64>,
    /// The most that it was ever seen to have, less our part in that but for credit; `None` if nobody looked.
    most_own: Option<i64>,
    /// What it said that it gave, and nobody saw it have. Its toolstack may be about to say that it was to have that.
    pub(super) unproven: u64,
    /// An earlier back-end knew it, and what it had then was not written down.
    had_is_unknown: bool,
    /// What ended of what was in flight, and may have been taken all the same.
    doubtful: u64,
    /// Its front-end is gone, and expected until then to come again and say what it took.
    expected_until: Nanos,
    connection: Connection,
    /// The limits changed and the front-end has not been told.
    pub(super) limits_due: bool,
    limits: Limits,
    /// How readily a domain of this weight is used as a donor.
    readiness: u64,
    /// What it has, by Xen's last word, in pages.
    pub(super) current: u64,
    pub(super) cap: Cap,
    /// What it says it could give, less what it gave since.
    pub(super) available: u64,
    /// How fast it gives.
    pub(super) pace: Pace,
    /// It was late or short as a donor.
    pub(super) shy: Backoff,
    /// It had less free memory than the reserve wanted of it.
    pub(super) refused: Backoff,
    /// It did not take what it was given back.
    pub(super) declined: Backoff,
    pub(super) credit: Credit,
    pub(super) rate: RateLimit,
    pub(super) turnover: Turnover,
    /// What it has had, and may have before others.
    pub(super) account: Account,
    /// How many claims of its front-end were not believed.
    pub(super) disbelieved: u32,
    pub(super) asks: Asks,
    pub(super) requests: Requests,
}

/// Whether there is a front-end to talk to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Connection {
    /// None, and nothing is open with it.
    #[default]
    Away,
    /// One that is believed within limits.
    Connected,
    /// None any more, since earlier in this turn; what was open with it is dealt with at the turn's end.
    Failed,
    /// Likewise, because it broke the protocol.
    SentAway,
}

/// The pages of one domain, by their place in the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Taken by it, or lent by it, which is negative.
    Balance,
    /// Its cap already has room for them, and it has not said that it took them.
    InFlight,
    /// Likewise, but it may take them whenever it likes.
    Credit,
    /// In Xen's free memory, put aside for its request of this id.
    Held(u32),
}

impl Domain {
    /// A domain of which nothing is known but what is said here. Its pages are not in it yet.
    pub(super) fn new(dom: DomId, target: u64, limits: Limits) -> Self {
        Self {
            dom,
            cap: Cap::new(target),
            ..Self::default()
        }
        .with_limits(limits)
    }

    /// A domain that an earlier back-end knew. Its pages are not in it yet.
    pub(super) fn recalled(dom: DomId, record: &Record) -> Self {
        Self {
            cap: Cap::recalled(record),
            asks: Asks::recalled(record.reclaiming),
            doubtful: record.doubtful,
            had_is_unknown: true,
            ..Self::new(dom, record.target, record.limits)
        }
    }

    fn with_limits(mut self, limits: Limits) -> Self {
        self.set_limits(limits);
        self
    }

    pub(super) fn dom(&self) -> DomId {
        self.dom
    }

    /// How readily it is used as a donor: by its weight, and an eighth as readily after each disappointment.
    pub(super) fn readiness(&self) -> u64 {
        let shift = 3 * u32::from(self.shy.failures().min(10));
        (self.readiness >> shift).max(1)
    }

    /// In which class each of its requests waits that lacks pages.
    pub(super) fn unserved(&self) -> [Option<Class>; MAX_REQUESTS] {
        self.requests.unserved(self.owed(), self.limits.protected)
    }

    /// Of its requests that lack pages, and go before no others, the one that has least: a small one does not wait for a
    /// large one. Returns its place.
    pub(super) fn next_in_turn(&self) -> Option<usize> {
        let classes = self.unserved().into_iter().enumerate();
        let in_turn = classes.filter(|(_, class)| *class == Some(Class::Other));
        let requests = in_turn.filter_map(|(place, _)| {
            let request = self.requests.waiting_at(place)?;
            Some((request.held, request.serial, place))
        });
        requests.min().map(|(.., place)| place)
    }

    /// Whether there is a front-end to talk to.
    pub(super) fn is_connected(&self) -> bool {
        self.connection == Connection::Connected
    }

    /// Whether there is, or was earlier in this turn.
    pub(super) fn has_open_ends(&self) -> bool {
        self.connection != Connection::Away
    }

    /// A front-end connected, which understands credit or does not.
    pub(super) fn connect(&mut self, understands_credit: bool) {
        self.connection = Connection::Connected;
        self.credit.begin(understands_credit);
        self.limits_due = true;
        // What it did as a donor is not forgotten, or connecting again would be the way to be asked, and late, again.
        self.available = 0;
    }

    /// Its connection came to an end in the course of this turn.
    pub(super) fn fail(&mut self) {
        self.connection = Connection::Failed;
    }

    /// Likewise, because it broke the protocol.
    pub(super) fn send_away(&mut self) {
        self.connection = Connection::SentAway;
    }

    /// Whether it was sent away earlier in this turn.
    pub(super) fn is_sent_away(&self) -> bool {
        self.connection == Connection::SentAway
    }

    /// Its connection came to an end, and what was open with it is dealt with.
    pub(super) fn disconnect(&mut self) {
        self.connection = Connection::Away;
        self.credit.end();
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.readiness = readiness(limits.weight);
    }

    /// Pages borrowed (positive) or lent (negative).
    pub(super) fn balance(&self) -> i64 {
        self.balance
    }

    /// Pages granted or given and not yet said to be taken.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Xen says that it has so many pages, and some are about to be in flight.
    pub(super) fn note_own(&mut self, current: u64) {
        if self.in_flight == 0 {
            self.own = Some(signed(current) - self.balance);
        }
    }

    /// Its stock balloon is about to change its size.
    pub(super) fn forget_own(&mut self) {
        self.own = None;
    }

    /// So much of its credit is drawn, or credit no longer. It may have been populated all the time, and been counted.
    pub(super) fn less_credit(&mut self, pages: u64) {
        self.own = self.own.map(|own| own - signed(pages));
    }

    /// What it has taken of what was in flight, if it has `current` pages; `None` if it is not known what it had before.
    pub(super) fn taken_at(&self, current: u64) -> Option<u64> {
        let taken = signed(current) - self.balance - self.own?;
        Some(above(taken, 0))
    }

    /// What ended of what was in flight, and may have been taken all the same.
    pub(super) fn doubtful(&self) -> u64 {
        self.doubtful
    }

    pub(super) fn set_doubtful(&mut self, pages: u64) {
        self.doubtful = pages;
    }

    /// Its front-end went, and may come again.
    pub(super) fn expect_until(&mut self, until: Nanos) {
        self.expected_until = until;
    }

    /// When all that is in flight must have been taken; `None` if nothing is, or if that has ended already.
    pub(super) fn take_by(&self) -> Option<Nanos> {
        if self.in_flight == 0 || self.cap.is_pinned() {
            None
        } else if self.has_open_ends() {
            let (granted, given) = (self.requests.take_by(), self.asks.take_by(TAKEN_WITHIN));
            granted.into_iter().chain(given).min()
        } else {
            Some(self.expected_until).filter(|until| *until < Nanos::MAX)
        }
    }

    /// What it was granted and given, and has not said what it took of it.
    pub(super) fn unsaid(&self) -> u64 {
        self.requests.all_granted() + self.asks.all_given()
    }

    /// Puts pages into a part of the domain's. `false` if there is no such part.
    pub(super) fn put(&mut self, part: Part, pages: u64) -> bool {
        match part {
            Part::Balance => self.balance += signed(pages),
            Part::InFlight => self.in_flight += pages,
            Part::Credit => self.credit.put(pages),
            Part::Held(id) => return self.requests.put(id, pages),
        }
        true
    }

    /// Takes pages out of a part, as many as there are. Returns how many. A balance has any number: it becomes a debt.
    pub(super) fn take(&mut self, part: Part, pages: u64) -> u64 {
        match part {
            Part::Balance => {
                self.balance -= signed(pages);
                pages
            }
            Part::InFlight => {
                let taken = pages.min(self.in_flight);
                self.in_flight -= taken;
                taken
            }
            Part::Credit => self.credit.take(pages),
            Part::Held(id) => self.requests.take(id, pages),
        }
    }

    /// What its balance is when its front-end connects and claims that it is `claim`, or claims nothing.
    ///
    /// The front-end knows best, but is believed only as far as it can be true. If it does not say, Xen's word on the
    /// size of the domain decides what it took, and what was asked for counts as not given.
    pub(super) fn believed(&self, claim: Option<i64>) -> i64 {
        let least = self.least();
        let balance = match claim {
            Some(claim) if claim < least => {
                claim.max(self.balance - signed(self.asks.reclaiming()))
            }
            // It gave back what it had borrowed or read ahead when nobody read what it said, or went away when
            // there was no back-end to give it to, and left that to the stock balloon driver.
            Some(claim) => claim,
            None => (signed(self.current) - signed(self.cap.target())).max(self.balance),
        };
        let most = match claim {
            Some(claim) if self.is_due_less(claim) => claim,
            // It took some of what had ended.
            Some(_) => self.ours() + signed(self.doubtful),
            None => self.ours(),
        };
        balance.max(least).min(most)
    }

    /// The least that its balance can be by Xen's word: with any less it would be larger than it can have been. What it
    /// took below its cap it may have given, too.
    fn least(&self) -> i64 {
        let given = self.most_had() - signed(self.current) + signed(self.cap.below());
        self.ours() - given
    }

    /// The most that it can have had before it gave what it says now.
    fn most_had(&self) -> i64 {
        let ours = self.ours();
        if self.had_is_unknown {
            return self.cap.most(ours);
        }
        self.cap.most_had(ours, self.most_own.unwrap_or(0))
    }

    /// Xen says that it has so many pages. What it has given, and not said yet, is not in that any more: so what was seen
    /// before counts, too. Credit may be taken or not: it counts as its own as long as it has not said so.
    pub(super) fn saw(&mut self, current: u64) {
        let own = signed(current) - self.certain();
        self.most_own = self.most_own.max(Some(own));
    }

    /// What it had is known from now on.
    pub(super) fn reconciled(&mut self) {
        self.asks.reconciled();
        self.had_is_unknown = false;
        (self.doubtful, self.unproven) = (0, 0);
    }

    /// How much of what it says that it gave it can have had, if it has `current` pages now and may have more than it is
    /// to have. What it gave first may be what had ended, and what it has not said that it took.
    pub(super) fn can_have_given(&self, current: u64) -> u64 {
        let had = self.most_had();
        if had == self.cap.most(self.ours()) {
            // Its cap says that.
            return u64::MAX;
        }
        above(
            had + signed(self.doubtful + self.cap.below()),
            signed(current),
        )
    }

    /// Whether a lender claims to be owed less than the ledger says, and has what it says to have already.
    ///
    /// So it is if its stock balloon, which it left its debts to, got memory elsewhere, or if the toolstack meanwhile
    /// made it as small as lending had.
    fn is_due_less(&self, claim: i64) -> bool {
        (self.ours() + 1..=0).contains(&claim)
            && signed(self.current) >= signed(self.cap.target()).saturating_add(claim)
    }

    /// What our hand adds to the toolstack's cap.
    pub(super) fn ours(&self) -> i64 {
        self.certain() + signed(self.credit.pages())
    }

    /// What our hand adds to its size once it has taken what it was granted and given.
    fn certain(&self) -> i64 {
        self.balance + signed(self.in_flight)
    }

    /// Pages of which it is not known whether it has them.
    pub(super) fn uncertain(&self) -> Uncertain {
        Uncertain {
            reclaiming: self.asks.reclaiming(),
            in_flight: self.in_flight,
        }
    }

    pub(super) fn is_lender(&self) -> bool {
        self.balance < 0
    }

    /// What the domain has lent, less what is on its way back, in pages.
    pub(super) fn owed(&self) -> u64 {
        self.certain().min(0).unsigned_abs()
    }

    /// How much it may grow under its ceiling, and its toolstack's, if it has `current` pages now.
    pub(super) fn room(&self, current: u64) -> u64 {
        let bound = self.cap.bound().unwrap_or(u64::MAX);
        bound
            .min(self.limits.ceiling)
            .saturating_sub(current + self.in_flight + self.credit.pages())
    }

    /// What its credit should be by what is known of it, if each domain's should be `pages`.
    pub(super) fn credit_due(&self, pages: u64) -> u64 {
        if self.is_connected() && self.credit.is_understood() {
            let room = self.room(self.current) + self.credit.pages();
            pages.min(room)
        } else {
            0
        }
    }

    /// What its floor leaves to be asked for, in pages.
    pub(super) fn above_floor(&self) -> u64 {
        self.current
            .saturating_sub(self.limits.floor)
            .saturating_sub(self.asks.reclaiming())
    }

    /// What it could give without hurting itself, in pages.
    pub(super) fn spare(&self) -> u64 {
        if self.limits.protected {
            return 0;
        }
        self.available
            .saturating_sub(self.asks.reclaiming())
            .min(self.above_floor())
    }

    /// What it borrowed and could be made to give, in pages.
    pub(super) fn recallable(&self) -> u64 {
        if self.limits.protected {
            return 0;
        }
        self.balance
            .max(0)
            .unsigned_abs()
            .saturating_sub(self.asks.reclaiming())
            .min(self.above_floor())
    }

    /// Whether it has been asked to give for a request, or been granted what it asked for, and has not answered.
    pub(super) fn is_waited_for(&self) -> bool {
        let mut asks = self.asks.iter();
        let mut requests = self.requests.iter();
        self.is_connected()
            && (asks.any(|ask| matches!(ask.purpose, Purpose::Request { .. }))
                || requests.any(|request| !request.is_waiting()))
    }

    pub(super) fn record(&self) -> Record {
        let mut record = Record {
            balance: self.balance,
            // Credit ends with the connection: what was drawn is as uncertain as what was granted.
            in_flight: self.in_flight + self.credit.pages(),
            reclaiming: self.asks.reclaiming(),
            doubtful: self.doubtful,
            limits: self.limits,
            ..Record::default()
        };
        self.cap.record(&mut record);
        record
    }

    pub(super) fn view(&self) -> View {
        View {
            dom: self.dom(),
            connected: self.is_connected(),
            balance: self.balance,
            in_flight: self.in_flight,
            credit: self.credit.pages(),
            reclaiming: self.asks.reclaiming(),
            forgiven: self.cap.forgiven(),
            pinned: self.cap.is_pinned(),
            doubtful: self.doubtful,
            available: self.available,
            limits: self.limits,
            seen: Reservation {
                current: self.current,
                maximum: self.cap.seen(),
            },
            waiting: self.requests.waiting(),
            penalty: self.shy.failures(),
            disbelieved: self.disbelieved,
        }
    }
}
