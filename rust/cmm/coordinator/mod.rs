// SPDX-License-Identifier: GPL-2.0

//! The coordinator: decides who gives, how much, and what is answered.
//!
//! It is a state machine. The shell reports each thing that happens as an [`Event`]; the coordinator carries out what
//! follows through the shell's [`Host`], and says when it wants to be woken. Everything that one event can cause takes
//! a number of steps proportional to the number of domains at worst.
//!
//! - `request`: from being accepted to being answered, exactly once.
//! - `donors`, `policy`: who is asked to give, and what becomes of the answers.
//! - `lenders`, `reserve`: what becomes of pages that nobody waits for.
//! - `credit`: what domains may take without asking.
//! - `boost`: whom a transfer waits for runs soon.
//! - `ledger`: the books, and the caps that make Xen keep to them; `check` proves them.
//! - `lifecycle`, `admin`: domains come and go, knobs are turned.

mod admin;
mod boost;
mod check;
mod credit;
mod donors;
mod event;
mod host;
mod ledger;
mod lenders;
mod lifecycle;
mod policy;
mod record;
mod request;
mod reserve;
mod slot;
mod todo;
mod top;
mod view;

use core::ops::DerefMut;

pub use crate::time::{Nanos, MICROSECOND, MILLISECOND, SECOND};
pub use check::Broken;
pub use event::{Event, Limits, Refused, Settings};
pub use host::{Activity, Gone, Host, Reservation, SendError};
pub use policy::Policy;
pub use record::Record;
pub use slot::Slot;
pub use view::View;

use crate::protocol::Up;
use crate::DomId;
use boost::Watched;
use ledger::{signed, Fault};
use request::Wish;
use todo::Todo;

/// How many domains' requests are looked at in one event; the others follow in the next.
const DRIVEN_AT_ONCE: usize = 32;

/// The coordinator. Its storage, and thereby how many domains it can serve, is the shell's.
#[derive(Debug)]
pub struct Coordinator<S> {
    /// The first `len` are in use, in the order of their domains' numbers.
    slots: S,
    len: usize,
    settings: Settings,
    shutting_down: bool,
    /// When something is due; `Nanos::MAX` for never.
    next: Nanos,
    /// Pages in the pool for whoever comes.
    free: u64,
    /// Pages in the pool put aside for requests.
    held: u64,
    /// What the administrator moved out of (positive) or into the books, and debts forgotten.
    adrift: i64,
    /// What domains borrowed, less what they lent, that an earlier back-end knew and this one does not.
    unclaimed: i64,
    /// Pages that donors have been asked for to fill the reserve.
    filling: u64,
    /// How many requests wait.
    waiting: usize,
    /// How many domains have lent.
    lenders: usize,
    /// Pages that the domains' credits lack.
    lacking: u64,
    /// Whose credit may have to change, because of the event at hand.
    credit_due: Option<DomId>,
    /// Whose credit waits for the pool to grow.
    unfilled: Todo,
    /// From which domain on credits may have to change.
    review: Option<DomId>,
    /// The pool grew, and requests that wait may have a share.
    free_grew: bool,
    /// Requests wait until a donor has room for a question.
    crowded: bool,
    repay_after: Nanos,
    /// Lenders that an earlier back-end knew may still come until then.
    lenders_due: Nanos,
    fill_after: Nanos,
    /// The pool was low when it was last looked at.
    low: bool,
    fill_failures: u8,
    requests_seen: u64,
    last_ask: u32,
    todo: Todo,
    watched: Watched,
}

impl<S: DerefMut<Target = [Slot]>> Coordinator<S> {
    /// Starts with no domains.
    pub fn new(storage: S, settings: Settings) -> Self {
        let pool = settings.pool.min(1 << 40);
        let adrift = settings
            .adrift
            .unwrap_or_else(|| signed(pool).saturating_neg());
        let unclaimed = signed(pool).saturating_add(adrift).saturating_neg();
        Self {
            slots: storage,
            len: 0,
            settings,
            shutting_down: false,
            next: Nanos::MAX,
            free: pool,
            held: 0,
            adrift: signed(pool).saturating_neg(),
            unclaimed,
            filling: 0,
            waiting: 0,
            lenders: 0,
            lacking: 0,
            credit_due: None,
            unfilled: Todo::default(),
            review: None,
            free_grew: false,
            crowded: false,
            repay_after: 0,
            // Their memory is in a pool that an earlier back-end left.
            lenders_due: if pool > 0 || unclaimed != 0 {
                Nanos::MAX
            } else {
                0
            },
            fill_after: 0,
            low: false,
            fill_failures: 0,
            requests_seen: 0,
            last_ask: 0,
            todo: Todo::default(),
            watched: Watched::default(),
        }
    }

    /// Takes one event in, and acts on it.
    ///
    /// # Errors
    ///
    /// The event makes no sense now; nothing has changed. What a front-end does wrong is not an error here, but ends
    /// in [`Host::disconnect`].
    pub fn handle<H: Host>(
        &mut self,
        event: Event,
        now: Nanos,
        host: &mut H,
    ) -> Result<(), Refused> {
        if self.next <= now {
            self.tick(now);
        }
        let result = self.take_in(event, now, host);
        self.inherit(now);
        self.serve();
        self.retry_crowded();
        self.drive_ready(now, host);
        self.watch(now, host);
        self.adjust_credits(now, host);
        self.repay(now, host);
        self.fill(now, host);
        if (self.free_grew && self.waiting > 0) || !self.todo.is_empty() {
            self.wake(now);
        }
        result
    }

    fn take_in<H: Host>(&mut self, event: Event, now: Nanos, host: &mut H) -> Result<(), Refused> {
        match event {
            Event::Recall { dom, record } => {
                self.expect_lenders(now);
                if self.find(dom).is_none() {
                    self.insert(dom, record, true)?;
                }
            }
            Event::Attach {
                dom,
                claim,
                credit,
                limits,
                target,
            } => {
                self.meet(dom, target, limits, host)?;
                self.attach(dom, claim, credit, host)?;
                self.credit_due = Some(dom);
            }
            Event::Detach { dom } => self.leave(self.known(dom)?, now),
            Event::Died { dom } => self.died(self.known(dom)?),
            Event::Up { dom, up } => {
                let i = self.known(dom)?;
                if !self.slot(i).is_some_and(|slot| slot.connected) {
                    return Err(Refused::NotConnected);
                }
                let heard = self.hear(i, up, now, host);
                self.settle_fault(i, heard, host);
                self.tell_limits(i, host);
                self.credit_due = Some(dom);
            }
            Event::Tick => {}
            Event::ToolstackChanged { dom, target } => {
                let i = self.known(dom)?;
                self.retarget(i, target, host)?;
                self.repay_after = 0;
                self.credit_due = Some(dom);
            }
            Event::SetFloor { dom, pages } => {
                let change = |limits| Limits {
                    floor: pages,
                    ..limits
                };
                self.set_limits(self.known(dom)?, change, host)?;
            }
            Event::SetCeiling { dom, pages } => {
                let change = |limits| Limits {
                    ceiling: pages,
                    ..limits
                };
                self.set_limits(self.known(dom)?, change, host)?;
            }
            Event::SetWeight { dom, weight } => {
                let change = |limits| Limits { weight, ..limits };
                self.set_limits(self.known(dom)?, change, host)?;
            }
            Event::SetReserve { pages } => self.set_reserve(pages)?,
            Event::SetCredit { pages } => self.set_credit(pages)?,
            Event::SetDonorTimeout { nanos } => self.set_donor_timeout(nanos)?,
            Event::SetPolicy(policy) => self.settings.policy = policy,
            Event::SetAskReady(ready) => self.settings.ask_ready = ready,
            Event::SetBoost(boost) => {
                self.settings.boost = boost;
                self.watched = Watched::default();
            }
            Event::Give { dom, pages } => self.give_by_hand(self.known(dom)?, pages, now, host)?,
            Event::Take { dom, pages } => self.take_by_hand(self.known(dom)?, pages, now, host)?,
            Event::ShutDown => self.shut_down(now, host),
        }
        Ok(())
    }

    fn hear<H: Host>(&mut self, i: usize, up: Up, now: Nanos, host: &mut H) -> Result<(), Fault> {
        self.slot_mut(i).ok_or(Fault::Gone)?.is_drawing = false;
        match up {
            Up::Request {
                id,
                pages,
                deadline_us,
                reason,
            } => {
                let wish = Wish {
                    id,
                    pages,
                    deadline_us,
                    reason,
                };
                self.accept(i, wish, now, host)
            }
            Up::Release { id: _, pages } => self.released(i, pages, host),
            Up::Offered { id, pages } => self.offered(i, id, pages, now, host),
            Up::Took { id, pages } => self.took(i, id, pages, now, host),
            Up::Drew { id, pages } => self.drew(i, id, pages),
            Up::Stats { available, .. } => {
                let slot = self.slot_mut(i).ok_or(Fault::Gone)?;
                slot.available = available;
                Ok(self.look(i, host)?)
            }
        }
    }

    /// Does what is due, and finds out when something is due next.
    fn tick(&mut self, now: Nanos) {
        self.next = Nanos::MAX;
        for i in 0..self.len {
            let Some(slot) = self.slot(i) else { return };
            // This is all that is read of most slots.
            if slot.asked == 0 && slot.waiting == 0 {
                continue;
            }
            self.pass_over(i, now);
            let Some(slot) = self.slot(i).filter(|slot| slot.waiting > 0) else {
                continue;
            };
            let waiting = slot.requests.iter().flatten().filter(|r| r.is_waiting());
            if let Some(soonest) = waiting.map(|request| request.deadline).min() {
                if soonest <= now {
                    self.mark_ready(i);
                }
                self.wake(soonest);
            }
        }
    }

    /// Looks at the requests of the domains that were marked, a limited number of them.
    fn drive_ready<H: Host>(&mut self, now: Nanos, host: &mut H) {
        for _ in 0..DRIVEN_AT_ONCE {
            let Some(i) = self.next_ready() else { return };
            self.drive(i, now, host);
        }
    }

    fn mark_ready(&mut self, i: usize) {
        let Some(slot) = self.slot_mut(i).filter(|slot| !slot.ready) else {
            return;
        };
        slot.ready = true;
        let dom = slot.dom;
        self.todo.push(dom);
    }

    fn next_ready(&mut self) -> Option<usize> {
        while let Some(dom) = self.todo.pop() {
            if let Some(i) = self.find(dom) {
                if self
                    .slot_mut(i)
                    .is_some_and(|slot| core::mem::take(&mut slot.ready))
                {
                    return Some(i);
                }
            }
        }
        if !self.todo.has_overflowed() {
            return None;
        }
        // Those that did not fit in the list are found by looking for them.
        let Some(i) = self.live().iter().position(|slot| slot.ready) else {
            self.todo = Todo::default();
            return None;
        };
        self.slot_mut(i)?.ready = false;
        Some(i)
    }

    fn wake(&mut self, at: Nanos) {
        self.next = self.next.min(at);
    }

    fn live(&self) -> &[Slot] {
        self.slots.get(..self.len).unwrap_or_default()
    }

    fn slot(&self, i: usize) -> Option<&Slot> {
        self.live().get(i)
    }

    fn slot_mut(&mut self, i: usize) -> Option<&mut Slot> {
        self.slots.get_mut(..self.len)?.get_mut(i)
    }

    fn find(&self, dom: DomId) -> Option<usize> {
        self.live().binary_search_by_key(&dom, |slot| slot.dom).ok()
    }

    fn known(&self, dom: DomId) -> Result<usize, Refused> {
        self.find(dom).ok_or(Refused::UnknownDomain)
    }

    /// Moves into a larger storage and returns the old one; a storage too small for the domains is returned as it is.
    pub fn grow(&mut self, mut storage: S) -> S {
        let old = self.live();
        let Some(new) = storage.get_mut(..old.len()) else {
            return storage;
        };
        new.copy_from_slice(old);
        core::mem::replace(&mut self.slots, storage)
    }

    /// When a [`Tick`](Event::Tick) is due; perhaps earlier than anything happens, never later.
    pub fn next_deadline(&self) -> Option<Nanos> {
        (self.next != Nanos::MAX).then_some(self.next)
    }

    /// What to write down about a domain.
    pub fn record(&self, dom: DomId) -> Option<Record> {
        Some(self.slot(self.find(dom)?)?.record())
    }

    /// A domain, for knobs.
    pub fn domain(&self, dom: DomId) -> Option<View> {
        Some(self.slot(self.find(dom)?)?.view())
    }

    /// All domains, in the order of their numbers.
    pub fn domains(&self) -> impl Iterator<Item = View> + '_ {
        self.live().iter().map(Slot::view)
    }

    /// Pages that donors gave and nobody has taken.
    pub fn pool(&self) -> u64 {
        self.free.saturating_add(self.held)
    }

    /// What holds for all domains now; to be written down for the next coordinator.
    pub fn settings(&self) -> Settings {
        Settings {
            pool: self.pool(),
            adrift: Some(self.adrift),
            ..self.settings
        }
    }
}
