// SPDX-License-Identifier: GPL-2.0

//! The coordinator: decides who gives, how much, and what is answered.
//!
//! It is a state machine. The shell reports each thing that happens as an [`Event`]; the coordinator carries out what
//! follows through the shell's [`Host`], and says when it wants to be woken. What one event does is bounded: of what is
//! due at once, by as much as one event does of it, and the rest follows in the next, which comes at once.
//!
//! What is known:
//!
//! - `domain`: one domain, in parts: whose cap it is, its questions, its requests, its credit, its rate, its back-offs;
//! - `domains`: all of them, and every search among them;
//! - `index`: the tables by which they are found;
//! - `books`: where each page is; `check` proves them;
//! - `settings`, `policy`: what the administrator set;
//! - `known`: all of that together.
//!
//! What is done about it, in the course of a `turn`:
//!
//! - `requests`: from being accepted to being answered, exactly once;
//! - `donors`: who is asked to give, and what becomes of the answers;
//! - `fair`: whose turn it is of those who wait for more than there is;
//! - `returns`, `reserve`: what becomes of pages that nobody waits for;
//! - `untaken`: what becomes of pages that nobody takes;
//! - `missing`: what becomes of pages that the pool should have, and Xen has not;
//! - `credit`, `rate`: what domains may take without asking, and how often they may ask;
//! - `caps`: what makes Xen keep to the books;
//! - `boost`: whom a transfer waits for runs soon;
//! - `lifecycle`, `admin`: domains come and go, knobs are turned.

mod admin;
mod books;
mod boost;
mod caps;
mod check;
mod credit;
mod domain;
mod domains;
mod donors;
mod event;
mod fair;
mod fault;
mod filing;
mod host;
mod index;
mod known;
mod lifecycle;
mod missing;
mod policy;
mod rate;
mod record;
mod refused;
mod requests;
mod reserve;
mod returns;
mod settings;
mod tally;
mod top;
mod turn;
mod unfiled;
mod untaken;
mod view;
mod watched;

pub use crate::time::{Nanos, MICROSECOND, MILLISECOND, SECOND};
pub use check::Broken;
pub use domain::{Cap, Uncertain};
pub use domains::Entry;
pub use event::Event;
pub use host::{Activity, Gone, Host, Reservation, SendError};
pub use known::Coordinator;
pub use policy::Policy;
pub use record::Record;
pub use refused::Refused;
pub use settings::{Limits, Settings};
pub use view::{Question, View};

use crate::pages::signed;
use crate::protocol::{Up, Violation};
use crate::tables::{Index, Storage};
use crate::DomId;
use domain::Purpose;
use fault::Fault;
use requests::Wish;
use turn::Turn;
use watched::Watched;

impl<S: Storage<Item = Entry>> Coordinator<S> {
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
        let coordinator = self;
        Turn {
            coordinator,
            now,
            host,
            about: None,
            asks_first: false,
        }
        .handle(event)
    }

    /// The storage, to look at.
    pub fn storage(&self) -> &S {
        self.domains.storage()
    }

    /// The storage, for more places to be added behind those that are there, which must stay as they are.
    pub fn storage_mut(&mut self) -> &mut S {
        self.domains.storage_mut()
    }

    /// When a [`Tick`](Event::Tick) is due; perhaps earlier than anything happens, never later.
    pub fn next_deadline(&self) -> Option<Nanos> {
        (self.next != Nanos::MAX).then_some(self.next)
    }

    /// What to write down about a domain.
    pub fn record(&self, dom: DomId) -> Option<Record> {
        let domains = &self.domains;
        Some(domains.get(domains.find(dom)?)?.record())
    }

    /// A domain, for knobs.
    pub fn domain(&self, dom: DomId) -> Option<View> {
        let domains = &self.domains;
        Some(domains.get(domains.find(dom)?)?.view())
    }

    /// What a domain was asked under this id, if it has not answered.
    pub fn question(&self, dom: DomId, id: u32) -> Option<Question> {
        let domains = &self.domains;
        let ask = domains.get(domains.find(dom)?)?.asks.get(id)?;
        Some(Question {
            pages: ask.pages,
            since: ask.since,
            requester: match ask.purpose {
                Purpose::Request { dom, .. } => Some(dom),
                _ => None,
            },
        })
    }

    /// All domains, in no order.
    pub fn domains(&self) -> impl Iterator<Item = View> + '_ {
        self.domains.all().map(|(_, domain)| domain.view())
    }

    /// How many places there are to look at for [`domain_at`](Self::domain_at), used or not.
    pub fn places(&self) -> usize {
        self.domains.places()
    }

    /// The domain in a place, if one is there: for walks through all that go on where they stopped.
    pub fn domain_at(&self, place: usize) -> Option<View> {
        Some(self.domains.get(self.domains.at(place)?)?.view())
    }

    /// Whether the books balance. Costs nothing, and proves less than [`check`](Self::check).
    pub fn is_balanced(&self) -> bool {
        let pool = signed(self.pool() + self.books.missing());
        let sum = self.domains.last_tally().ours + pool + self.books.unbooked();
        sum == 0 && self.books.shortfalls() == 0
    }

    /// How many domains are known.
    pub fn len(&self) -> usize {
        self.domains.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many requests wait for an answer.
    pub fn waiting(&self) -> usize {
        self.domains.last_tally().waiting as usize
    }

    /// Pages that donors gave and nobody has taken, as far as Xen has them.
    pub fn pool(&self) -> u64 {
        self.books.free() + self.domains.last_tally().held
    }

    /// What holds for all domains now; to be written down for the next coordinator.
    pub fn settings(&self) -> Settings {
        Settings {
            // The next finds out by itself what Xen has of it.
            pool: self.pool() + self.books.missing(),
            unbooked: Some(self.books.unbooked()),
            ..self.settings
        }
    }
}

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    /// The order of the steps is that in which pages and answers flow, so that one turn does what can be done:
    ///
    /// 1. Who is late is passed over, and what nobody took ends, before the event is taken in: it may be what lets another
    ///    be asked, or served.
    /// 2. The event, and what an earlier back-end left, make the pool larger, if anything does.
    /// 3. Requests that wait share the pool before any of them is looked at: donors would be asked for what is there.
    /// 4. Requests are answered, and donors asked; then those that no donor had room for try again, for they may need
    ///    none any more. Who has not answered is looked at again only now: it may just have.
    /// 5. What the pool still has goes to credits, then what is too much to the lenders; and if it is too little, donors
    ///    are asked, last, because each step before may have changed what it should have.
    /// 6. Those with whom dealing went wrong are dealt with when nothing is going on any more. They count as
    ///    disconnected from the moment it went wrong.
    fn handle(&mut self, event: Event) -> Result<(), Refused> {
        if self.coordinator.next <= self.now {
            // Each step that leaves something for later says so.
            self.coordinator.next = Nanos::MAX;
        }
        if !self.coordinator.domains.begin(self.now) {
            self.wake(self.now);
        }
        self.pass_over_late();
        self.end_untaken();
        let result = self.take_in(event);
        self.inherit();
        self.look_for_missing();
        self.serve();
        self.drive_ready();
        self.watch();
        self.adjust_credits();
        self.repay();
        self.fill();
        self.bury_failed();
        self.wake_for_rest();
        result
    }

    /// Asks for a tick when the first of the domains is due; or at once, if not all that is due was done.
    fn wake_for_rest(&mut self) {
        let is_crowd_roused = self.coordinator.rouse_crowd(self.now);
        let domains = &mut self.coordinator.domains;
        let (answer, asked) = (domains.first_to_answer(), domains.first_asked());
        let untaken = domains.first_untaken();
        let is_behind = is_crowd_roused
            || domains.is_any_ready()
            || self.coordinator.requests_come_first()
            || (self.coordinator.shutting_down && answer.is_some());
        if is_behind {
            self.wake(self.now);
        }
        if self.coordinator.domains.crowd() > 0 && !is_crowd_roused {
            let until = self.coordinator.may_give_until(true);
            if until > self.now {
                self.wake(until);
            }
        }
        for (due, _) in answer.into_iter().chain(untaken) {
            self.wake(due);
        }
        if let Some((since, _)) = asked {
            self.wake(self.late_after(since));
        }
    }

    fn take_in(&mut self, event: Event) -> Result<(), Refused> {
        match event {
            Event::Recall { dom, record } => self.recall(dom, &record)?,
            Event::Attach {
                dom,
                claim,
                credit,
                limits,
                target,
            } => {
                self.register(dom, target, limits)?;
                self.attach(dom, claim, credit)?;
                self.about = self.coordinator.domains.find(dom);
            }
            Event::Detach { dom } => self.leave(self.known(dom)?)?,
            Event::SentAway { dom } => self.send_away(self.known(dom)?)?,
            Event::Died { dom } => self.died(self.known(dom)?)?,
            Event::Up { dom, up } => self.receive(dom, up)?,
            Event::Tick => {}
            Event::ToolstackChanged { dom, target } => {
                let i = self.known(dom)?;
                self.retarget(i, target)?;
                self.about = Some(i);
            }
            Event::SetFloor { dom, pages } => {
                self.set_limits(self.known(dom)?, |limits| limits.floor = pages)?;
            }
            Event::SetCeiling { dom, pages } => {
                self.set_limits(self.known(dom)?, |limits| limits.ceiling = pages)?;
            }
            Event::SetWeight { dom, weight } => {
                self.set_limits(self.known(dom)?, |limits| limits.weight = weight)?;
            }
            Event::SetProtected { dom, protected } => {
                self.set_limits(self.known(dom)?, |limits| limits.protected = protected)?;
            }
            Event::SetReserve { pages } => {
                self.set(|settings| settings.reserve = pages)?;
                self.resize_pool();
            }
            Event::SetCredit { pages } => {
                self.set(|settings| settings.credit = pages)?;
                self.resize_pool();
                self.coordinator.review.all();
            }
            Event::SetDonorTimeout { nanos } => {
                self.set(|settings| settings.donor_timeout = nanos)?;
            }
            Event::SetPolicy(policy) => self.set(|settings| settings.policy = policy)?,
            Event::SetAskReady(ready) => self.set(|settings| settings.ask_ready = ready)?,
            Event::SetBoost(boost) => {
                self.set(|settings| settings.boost = boost)?;
                self.coordinator.watched = Watched::default();
            }
            Event::Give { dom, pages } => self.give_by_hand(self.known(dom)?, pages)?,
            Event::Take { dom, pages } => self.take_by_hand(self.known(dom)?, pages)?,
            Event::ShutDown => self.shut_down(),
        }
        Ok(())
    }

    /// A front-end sent a message.
    fn receive(&mut self, dom: DomId, up: Up) -> Result<(), Refused> {
        let i = self.known(dom)?;
        if !self.domain(i)?.is_connected() {
            return Err(Refused::NotConnected);
        }
        let heard = self.hear(i, up);
        self.note_fault(i, heard);
        self.tell_limits(i);
        self.about = Some(i);
        Ok(())
    }

    fn hear(&mut self, i: Index, up: Up) -> Result<(), Fault> {
        self.amend(i, |domain| domain.credit.heard())?;
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
                self.accept(i, wish)
            }
            Up::Release { id: _, pages } => self.released(i, pages),
            Up::Offered { id, pages } => {
                let ask = self.domain(i)?.asks.get(id);
                let ask = ask.filter(|ask| !ask.purpose.is_give());
                let ask = ask.ok_or(Violation::Unasked(id))?;
                if ask.purpose == Purpose::Revoke {
                    self.returned(i, &ask, pages)
                } else {
                    self.offered(i, &ask, pages)
                }
            }
            Up::Took { id, pages } => self.took(i, id, pages),
            Up::Drew { id, pages } => self.drew(i, id, pages),
            Up::Cancel { id } => self.cancel(i, id),
            Up::Stats { available, .. } => {
                self.change(i, |domain| domain.available = available)?;
                self.look_at_pool();
                Ok(self.sync_cap(i)?)
            }
        }
    }
}
