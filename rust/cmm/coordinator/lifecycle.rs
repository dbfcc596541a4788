// SPDX-License-Identifier: GPL-2.0

//! Domains come, go and die.

use super::books::Place;
use super::domain::{Domain, Part, Purpose};
use super::domains::Entry;
use super::fault::Fault;
use super::host::{Gone, Host, SendError};
use super::record::Record;
use super::refused::Refused;
use super::settings::Limits;
use super::turn::Turn;
use crate::pages::{above, signed, MOST_PAGES};
use crate::protocol::Down;
use crate::tables::{Index, Storage};
use crate::time::{Nanos, SECOND};
use crate::DomId;

/// How long a front-end that went is expected before what it was granted is for others. It finds a new back-end within a
/// second; a machine full of them is busy for some. Who was sent away is not expected.
const CONNECTS_WITHIN: Nanos = 10 * SECOND;

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    /// Makes a domain known, or looks at it anew: its toolstack may have changed its size meanwhile.
    pub(super) fn register(
        &mut self,
        dom: DomId,
        target: u64,
        limits: Limits,
    ) -> Result<(), Refused> {
        if let Some(i) = self.coordinator.domains.find(dom) {
            return Ok(self.retarget(i, target)?);
        }
        limits.check()?;
        let domain = Domain::new(dom, target.min(MOST_PAGES), limits);
        self.coordinator.domains.insert(domain)?;
        Ok(())
    }

    /// An earlier back-end knew this domain.
    pub(super) fn recall(&mut self, dom: DomId, record: &Record) -> Result<(), Refused> {
        self.expect_lenders();
        if self.coordinator.domains.find(dom).is_some() {
            return Ok(());
        }
        if !record.is_sane() {
            return Err(Refused::OutOfRange);
        }
        let domain = Domain::recalled(dom, record);
        let i = self.coordinator.domains.insert(domain)?;
        // What this domain has came from, or went to, somewhere that the earlier back-end knew.
        self.transfer_signed(Place::Unbooked, Place::Of(i, Part::Balance), record.balance);
        self.transfer(
            Place::Unbooked,
            Place::Of(i, Part::InFlight),
            record.in_flight,
        );
        let expected_until = self.now.saturating_add(CONNECTS_WITHIN);
        self.change(i, |domain| {
            domain.expect_until(expected_until);
            domain.account.earn(domain.owed(), domain.owed());
        })?;
        self.coordinator.repayment.unclaimed -= record.balance + signed(record.in_flight);
        Ok(())
    }

    /// A front-end connected.
    pub(super) fn attach(
        &mut self,
        dom: DomId,
        claim: Option<i64>,
        credit: bool,
    ) -> Result<(), Refused> {
        let i = self.known(dom)?;
        self.detach(i)?;
        let reconciled = self.reconcile(i, claim);
        self.change(i, |domain| domain.connect(credit))?;
        self.note_fault(i, reconciled);
        self.tell_limits(i);
        Ok(())
    }

    pub(super) fn known(&self, dom: DomId) -> Result<Index, Refused> {
        let found = self.coordinator.domains.find(dom);
        found.ok_or(Refused::UnknownDomain)
    }

    /// Decides what became of the pages that were under way when the front-end was last seen.
    fn reconcile(&mut self, i: Index, claim: Option<i64>) -> Result<(), Fault> {
        self.sync_cap(i)?;
        let domain = self.domain(i)?;
        let most = domain.ours();
        let believed = domain.believed(claim);
        let in_flight = domain.in_flight();
        let seen = domain.taken_at(domain.current).unwrap_or(0);
        let late = above(believed, most).min(domain.doubtful());
        let left = above(most, believed);
        self.lower(i, Place::Of(i, Part::Balance), Place::Free, left)?;
        // It took all but that.
        self.transfer(
            Place::Of(i, Part::InFlight),
            Place::Of(i, Part::Balance),
            in_flight,
        );
        let unseen = above(signed(in_flight + late), signed(seen));
        self.owe_unseen(i, late, unseen)?;
        let forgiven = above(believed, most) - late;
        self.transfer(Place::Unbooked, Place::Of(i, Part::Balance), forgiven);
        self.change(i, |domain| {
            domain.reconciled();
            domain.cap.forgive(forgiven);
            if claim.is_some_and(|claim| claim != believed) {
                domain.disbelieved = domain.disbelieved.saturating_add(1);
            }
        })?;
        Ok(self.sync_cap(i)?)
    }

    /// A front-end goes by itself. If a request waits for its answer, that has been in vain, as if it came late.
    pub(super) fn leave(&mut self, i: Index) -> Result<(), Gone> {
        let now = self.now;
        self.change(i, |domain| {
            let mut asks = domain.asks.iter();
            if asks.any(|ask| matches!(ask.purpose, Purpose::Request { .. })) {
                domain.shy.fail(now);
            }
        })?;
        self.detach(i)
    }

    /// A front-end broke the protocol.
    pub(super) fn send_away(&mut self, i: Index) -> Result<(), Gone> {
        if self.domain(i)?.is_connected() {
            self.change(i, |domain| domain.send_away())?;
        }
        self.leave(i)
    }

    /// A front-end is gone; what its domain borrowed or lent stays, and what was under way stays uncertain.
    fn detach(&mut self, i: Index) -> Result<(), Gone> {
        let domain = self.domain(i)?;
        if !domain.has_open_ends() {
            return Ok(());
        }
        let (credit, requests) = (domain.credit.pages(), domain.requests);
        let expected_until = if domain.is_sent_away() {
            self.now
        } else {
            self.now.saturating_add(CONNECTS_WITHIN)
        };
        self.transfer(
            Place::Of(i, Part::Credit),
            Place::Of(i, Part::InFlight),
            credit,
        );
        for request in requests.iter_waiting() {
            let held = Place::Of(i, Part::Held(request.id));
            self.transfer(held, Place::Free, request.held);
        }
        let (asks, was_pinned) = self.change(i, |domain| {
            let was_pinned = domain.cap.is_pinned();
            domain.disconnect();
            domain.account.keep(domain.requests.recalled());
            domain.cap.unpin();
            domain.requests.clear();
            (domain.asks.clear(), was_pinned)
        })?;
        self.change(i, |domain| domain.expect_until(expected_until))?;
        if was_pinned {
            // If it is gone, it needs no cap.
            let _ = self.sync_cap(i);
        }
        for ask in asks.iter().flatten() {
            if let Purpose::Request { dom, serial } = ask.purpose {
                self.answered_for(dom, serial, ask.pages, 0);
            }
        }
        Ok(())
    }

    /// The domain does not exist any more: what it had is Xen's free memory, what it lent is owed to nobody.
    pub(super) fn died(&mut self, i: Index) -> Result<(), Gone> {
        self.detach(i)?;
        let domain = self.domain(i)?;
        let (balance, in_flight) = (domain.balance(), domain.in_flight());
        if balance < 0 {
            self.transfer(
                Place::Unbooked,
                Place::Of(i, Part::Balance),
                balance.unsigned_abs(),
            );
        } else {
            self.transfer(
                Place::Of(i, Part::Balance),
                Place::Free,
                balance.unsigned_abs(),
            );
        }
        self.transfer(Place::Of(i, Part::InFlight), Place::Free, in_flight);
        self.coordinator.domains.remove(i);
        Ok(())
    }

    /// Deals with what was open with those whose connections failed in this turn. What follows for others is done in the
    /// next, which comes at once.
    pub(super) fn bury_failed(&mut self) {
        while let Some(i) = self.coordinator.domains.pop_failed() {
            // It is known, or would not be in the queue.
            let _ = self.detach(i);
        }
    }

    /// Tells the front-end its limits, if they changed and there is room in its lane.
    pub(super) fn tell_limits(&mut self, i: Index) {
        let Ok(domain) = self.domain(i) else { return };
        if !domain.limits_due || !domain.is_connected() {
            return;
        }
        let Limits { floor, ceiling, .. } = domain.limits();
        let dom = domain.dom();
        let told = match self.host.send(dom, &Down::Limits { floor, ceiling }) {
            Ok(()) => {
                let told = self.amend(i, |domain| domain.limits_due = false);
                told.map_err(Fault::from)
            }
            // It reads on some day, and then sends something: that is when this is tried again.
            Err(SendError::Full) => Ok(()),
            Err(error) => Err(error.into()),
        };
        self.note_fault(i, told);
    }
}
