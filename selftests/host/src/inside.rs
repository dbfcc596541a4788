// SPDX-License-Identifier: GPL-2.0

//! What a domain does by itself: its front-end's shell, its kernel, and its stock balloon.
//!
//! The shell does for the client what `frontend/` does: it moves memory, waits, and tells what became of it. Nothing is
//! decided here. What takes time there, and may be overtaken, is several [steps](Inside::step) here.

use cmm::client::{
    is_restorable, plan, plan_frozen, spare_frozen, take_again, Figures, Outcome, Refusal,
    SendError, Stage, Step, Task, Ticket, Way, Wish,
};
use cmm::coordinator::{Nanos, MICROSECOND, SECOND};
use cmm::protocol::{RequestReason, Violation, DEFAULT_DEADLINE_US};

use crate::domain::Domain;
use crate::liar::Lie;
use crate::random::Random;
use crate::session::{Begun, Untold, Waiter};

/// How long after its deadline an answer is waited for.
const GRACE: Nanos = SECOND;

/// How long Dom0 may leave no room in the lane before it is believed dead.
const PATIENCE: Nanos = SECOND;

/// A domain, seen from within.
pub struct Inside<'a> {
    /// The domain.
    pub domain: &'a mut Domain,
    /// What Xen has for whoever populates.
    pub free: &'a mut u64,
    /// The time.
    pub now: Nanos,
    /// How many times of a thousand a kernel moves less than it should.
    pub shortfalls: u64,
    /// How much less.
    pub random: &'a mut Random,
}

impl Inside<'_> {
    /// Populates up to `pages`, as Xen lets it. Returns how many.
    pub fn populate(&mut self, pages: u64) -> u64 {
        let room = self.domain.maximum.saturating_sub(self.domain.current);
        let taken = pages.min(room).min(*self.free);
        self.domain.current += taken;
        *self.free -= taken;
        taken
    }

    /// Gives `pages`, of which it has as many, back to Xen.
    fn give_back(&mut self, pages: u64) -> u64 {
        self.domain.current -= pages;
        *self.free += pages;
        pages
    }

    /// Gives up to `pages` back to Xen, but keeps what the domain needs. Returns how many.
    pub fn give_up(&mut self, pages: u64) -> u64 {
        self.give_back(pages.min(self.domain.spare()))
    }

    /// So many, or, now and then, fewer: a kernel promises nothing.
    fn perhaps_fewer(&mut self, pages: u64) -> u64 {
        if self.random.permille(self.shortfalls) {
            self.random.range(0, pages + 1)
        } else {
            pages
        }
    }

    /// Takes what was granted; those beyond `wanted` are readahead. Returns how many came.
    fn take(&mut self, granted: u64, wanted: u64) -> u64 {
        let cancelled = self.cancel(granted);
        let wanted = wanted.saturating_sub(cancelled);
        let pages = self.perhaps_fewer(granted - cancelled);
        let taken = self.populate(pages);
        self.domain.session.moved(taken as i64);
        self.domain.session.readahead += taken.saturating_sub(wanted);
        cancelled + taken
    }

    /// Takes on credit, what is prepopulated first.
    fn draw_credit(&mut self, wanted: u64) -> u64 {
        let session = &mut self.domain.session;
        let prepopulated = wanted.min(session.prepopulated);
        session.prepopulated -= prepopulated;
        let pages = self.perhaps_fewer(wanted - prepopulated);
        let drawn = prepopulated + self.populate(pages);
        self.domain.session.moved(drawn as i64);
        drawn
    }

    /// Gives up to `pages` for Dom0, what was read ahead first.
    fn give(&mut self, pages: u64) -> u64 {
        let ahead = self.give_readahead(pages);
        let more = self.perhaps_fewer(pages - ahead);
        let given = self.give_up(more);
        self.domain.session.moved(-(given as i64));
        ahead + given
    }

    fn give_readahead(&mut self, pages: u64) -> u64 {
        let given = pages.min(self.domain.session.readahead);
        self.domain.session.readahead -= given;
        self.domain.session.moved(-(given as i64));
        self.give_back(given)
    }

    /// Puts up to `pages` of what was prepopulated away.
    fn put_away(&mut self, pages: u64) {
        let pages = pages.min(self.domain.session.prepopulated);
        self.domain.session.prepopulated -= pages;
        self.give_back(pages);
    }

    /// Has nothing prepopulated any more.
    fn put_all_away(&mut self) {
        self.domain.session.guest.client.fell_short(u64::MAX);
        self.put_away(u64::MAX);
    }

    /// A process wants memory. It has it at once, or waits.
    ///
    /// # Errors
    ///
    /// The client refuses.
    pub fn request(&mut self, wish: &Wish) -> Result<(), Refusal> {
        let mut wish = *wish;
        loop {
            let has = self.domain.holdings();
            let session = &mut self.domain.session;
            match session.guest.client.request(&wish, &has, self.now)? {
                Way::Readahead => {
                    session.readahead -= wish.pages;
                    return Ok(());
                }
                Way::Credit { epoch } => {
                    let drawn = self.draw_credit(wish.pages);
                    let client = &mut self.domain.session.guest.client;
                    client.drew(epoch, wish.pages, drawn);
                    if drawn > 0 {
                        return Ok(());
                    }
                    wish.exact = true;
                }
                Way::Dom0(ticket) => {
                    let patience = match wish.deadline_us {
                        0 => DEFAULT_DEADLINE_US,
                        us => us,
                    };
                    let patience = patience.saturating_mul(MICROSECOND).saturating_add(GRACE);
                    session.waiting.push(Waiter {
                        ticket,
                        wanted: wish.pages,
                        until: self.now.saturating_add(patience),
                        answer: None,
                    });
                    return Ok(());
                }
            }
        }
    }

    /// A signal comes for the process that was last to ask.
    pub fn interrupt(&mut self) {
        let session = &mut self.domain.session;
        let Some(last) = session.waiting.last().map(|waiter| waiter.ticket) else {
            return;
        };
        if !session.guest.client.is_over(last) {
            session.guest.client.give_up(last);
            session.waiting.pop();
        }
    }

    /// Gives up to `pages` of what was borrowed back.
    pub fn release(&mut self, pages: u64) {
        self.release_by(pages, Self::give_up);
    }

    fn release_by(&mut self, pages: u64, give: fn(&mut Self, u64) -> u64) {
        let has = self.domain.holdings();
        let pages = pages.min(has.borrowed());
        let session = &mut self.domain.session;
        let Ok(ticket) = session.guest.client.release(pages, &has) else {
            return;
        };
        let given = give(self, pages.min(has.in_use()));
        self.domain.session.moved(-(given as i64));
        let given = given + self.give_readahead(pages - given);
        self.tell_released(ticket, given);
    }

    /// Gives back what is kept for a next request.
    fn give_up_readahead(&mut self) {
        let ticket = self.domain.session.guest.client.release_readahead();
        let given = self.give_readahead(u64::MAX);
        self.tell_released(ticket, given);
    }

    fn tell_released(&mut self, ticket: Ticket, pages: u64) {
        if pages > 0 {
            let until = self.now + PATIENCE;
            let session = &mut self.domain.session;
            session.untold.push(Untold {
                ticket,
                pages,
                until,
            });
            self.tell_untold();
        }
    }

    /// Tells Dom0 what went back, as far as there is room. Returns whether anything came of it.
    fn tell_untold(&mut self) -> bool {
        let session = &mut self.domain.session;
        let Some(untold) = session.untold.first().copied() else {
            return false;
        };
        let client = &mut session.guest.client;
        if client.released(untold.ticket, untold.pages) == Err(SendError::Full) {
            if self.now < untold.until {
                return false;
            }
            client.stalled(untold.ticket);
            session.stalled = true;
        }
        session.untold.remove(0);
        true
    }

    /// The timer expires: Dom0 hears what is news.
    pub fn tick(&mut self) {
        let figures = Figures {
            has: self.domain.holdings(),
            spare: self.domain.spare(),
            committed: 0,
            above_target: self.domain.above_target(),
            total_ram: self.domain.current,
            moves: self.domain.session.moves,
            has_leftovers: self.domain.session.readahead > 0,
            busy: self.now,
        };
        let client = &mut self.domain.session.guest.client;
        let _ = client.tick(&figures, self.now);
    }

    /// A step of the event's interrupt, and one of the channel's thread or of whoever waits. Returns whether anything
    /// happened. Not if Dom0 is caught at breaking the protocol, which is what [`Inside::fault`] tells.
    pub fn step(&mut self) -> bool {
        let client = &mut self.domain.session.guest.client;
        let heard = client.drain(self.now) > 0;
        client.stage() != Stage::Broken
            && (heard
                | self.defer()
                | self.go_on_demand()
                | self.cancel_recalled()
                | self.tell_untold()
                | self.wait()
                | self.prepopulate()
                | self.tidy_up())
    }

    /// What Dom0 did wrong, if it did, once.
    pub fn fault(&mut self) -> Option<Violation> {
        let client = &mut self.domain.session.guest.client;
        client.report_fault().ok()
    }

    /// The channel's thread begins with a demand, carries it out, or answers it.
    fn go_on_demand(&mut self) -> bool {
        let session = &mut self.domain.session;
        let client = &mut session.guest.client;
        match session.begun.take() {
            None => {
                let next = client.next_demand();
                session.begun = next.map(|(demand, epoch)| Begun {
                    demand,
                    epoch,
                    moved: None,
                });
                return session.begun.is_some();
            }
            Some(Begun {
                demand,
                epoch,
                moved: Some(pages),
            }) => {
                client.answer(epoch, &demand, pages);
                if self.domain.lane.lie == Some(Lie::Keeps) {
                    self.populate(pages);
                }
            }
            Some(begun) => {
                // `None` if nobody asks any more.
                let moved = self.carry_out(&begun);
                let moved = moved.map(|pages| Begun {
                    moved: Some(pages),
                    ..begun
                });
                self.domain.session.begun = moved;
            }
        }
        true
    }

    fn carry_out(&mut self, begun: &Begun) -> Option<u64> {
        let client = &mut self.domain.session.guest.client;
        Some(match client.admit(begun.epoch, &begun.demand)? {
            Task::Give { pages, .. } => self.give(pages),
            Task::Take { pages } => self.take(pages, pages),
            Task::PutAway { surplus, returned } => {
                self.put_away(surplus);
                returned
            }
        })
    }

    /// The toolstack wants the domain to have another size: first, what it has lent is to come back. Returns whether
    /// that changes anything.
    pub fn defer(&mut self) -> bool {
        let more = self.domain.holdings().to_defer(self.domain.above_target());
        let session = &mut self.domain.session;
        session.deferred = session.deferred.saturating_add_signed(more);
        self.domain.baseline = self.domain.baseline.saturating_add_signed(-more);
        more != 0
    }

    /// Cancels up to so much of the debt, that is deferred.
    fn cancel(&mut self, pages: u64) -> u64 {
        let session = &mut self.domain.session;
        let cancelled = pages.min(session.deferred);
        session.deferred -= cancelled;
        session.moved(cancelled as i64);
        cancelled
    }

    /// The channel's thread hears that a debt was paid.
    fn cancel_recalled(&mut self) -> bool {
        let client = &mut self.domain.session.guest.client;
        let Some((ticket, granted)) = client.next_recalled() else {
            return false;
        };
        let same = client.epoch() == ticket.epoch;
        let cancelled = self.cancel(if same { granted } else { 0 });
        let client = &mut self.domain.session.guest.client;
        client.took(ticket, granted, cancelled);
        true
    }

    /// One of those who wait is woken by its answer, takes what it was granted, or waits no longer.
    fn wait(&mut self) -> bool {
        let session = &mut self.domain.session;
        for (i, waiter) in session.waiting.iter_mut().enumerate() {
            let client = &mut session.guest.client;
            let ticket = waiter.ticket;
            if let Some(answer) = waiter.answer {
                let wanted = waiter.wanted;
                session.waiting.remove(i);
                self.take_granted(ticket, answer.pages, wanted);
                return true;
            }
            match client.outcome(ticket) {
                Some(Outcome::Answered(answer)) => {
                    waiter.answer = Some(answer);
                    return true;
                }
                None if waiter.until > self.now => {}
                None => {
                    client.give_up(ticket);
                    session.waiting.remove(i);
                    return true;
                }
                Some(Outcome::Lost) => {
                    session.waiting.remove(i);
                    return true;
                }
            }
        }
        false
    }

    fn take_granted(&mut self, ticket: Ticket, granted: u64, wanted: u64) {
        let epoch = self.domain.session.guest.client.epoch();
        let taken = if ticket.epoch == epoch {
            self.take(granted, wanted)
        } else {
            0
        };
        let client = &mut self.domain.session.guest.client;
        client.took(ticket, granted, taken);
    }

    fn prepopulate(&mut self) -> bool {
        let client = &mut self.domain.session.guest.client;
        let Some(wanted) = client.prepopulate() else {
            return false;
        };
        let pages = self.perhaps_fewer(wanted);
        let got = self.populate(pages);
        let session = &mut self.domain.session;
        session.prepopulated += got;
        if got < wanted {
            session.guest.client.fell_short(wanted - got);
        }
        got > 0
    }

    fn tidy_up(&mut self) -> bool {
        let has = self.domain.holdings();
        let client = &self.domain.session.guest.client;
        let untidy =
            has.readahead > 0 && client.is_open() && client.is_untidy(&has, true, self.now);
        if untidy {
            self.give_up_readahead();
        }
        untidy
    }

    /// The connection is over for the domain, too. Returns whether Dom0 had acted on all that it was told.
    pub fn hang_up(&mut self) -> bool {
        let guest = &mut self.domain.session.guest;
        let drained = guest
            .hang_up()
            .is_none_or(|mut remains| remains.is_drained());
        self.put_all_away();
        drained
    }

    /// Begins to settle, before the front-end goes. What it takes back has to come first.
    pub fn settle(&mut self) {
        self.put_all_away();
        self.domain.session.guest.client.stop_recalling();
        if self.domain.session.guest.client.is_open() {
            let step = plan(&self.domain.holdings());
            self.take_step(step, Self::give_up);
        }
    }

    /// No process runs any more. Those that wait are interrupted; those that have been answered take what they got.
    pub fn freeze(&mut self) {
        let session = &mut self.domain.session;
        for waiter in &session.waiting {
            session.guest.client.give_up(waiter.ticket);
        }
        let client = &session.guest.client;
        session
            .waiting
            .retain(|waiter| client.is_over(waiter.ticket));
        while self.wait() {}
    }

    /// As [`Inside::settle`], when all processes are frozen. Returns the balance that is left, or would be.
    pub fn settle_frozen(&mut self) -> i64 {
        self.domain.session.guest.client.set_suspending(true);
        self.put_all_away();
        self.domain.session.guest.client.stop_recalling();
        let has = self.domain.holdings();
        let stage = self.domain.session.guest.client.stage();
        let step = match plan_frozen(&has, self.available_frozen(), stage) {
            Ok(step) => step,
            Err(least) => return least,
        };
        self.take_step(step, Self::give_frozen);
        let left = self.domain.session.balance;
        if !is_restorable(left) {
            self.take_back(take_again(has.balance, left));
        }
        left
    }

    /// The domain goes on after all.
    pub fn thaw(&mut self) {
        self.domain.session.guest.client.set_suspending(false);
    }

    fn take_step(&mut self, step: Option<Step>, give: fn(&mut Self, u64) -> u64) {
        match step {
            None => {}
            Some(Step::Release(pages)) => self.release_by(pages, give),
            Some(Step::TakeBack(_)) => {
                self.give_up_readahead();
                self.take_back(self.domain.holdings().lent());
            }
            Some(Step::GiveUnheard(_)) => {
                self.give_readahead(u64::MAX);
                let given = give(self, self.domain.holdings().borrowed());
                self.domain.session.moved(-(given as i64));
            }
        }
    }

    fn take_back(&mut self, pages: u64) {
        if pages > 0 {
            // If nobody can be asked, it is left as it is.
            let _ = self.request(&Wish::take_back(pages));
        }
    }

    /// What a kernel has available whose processes are frozen: half of what they need is in their caches.
    fn available_frozen(&self) -> u64 {
        self.domain.spare() + self.domain.needs / 2
    }

    fn give_frozen(&mut self, pages: u64) -> u64 {
        let spare = spare_frozen(self.available_frozen());
        let pages = self.perhaps_fewer(pages.min(spare));
        self.give_back(pages)
    }

    /// The stock balloon moves up to `pages` towards the target. `spare` is what Xen has that nobody is promised.
    pub fn balloon(&mut self, pages: u64, spare: u64) {
        self.defer();
        let (target, baseline) = (self.domain.target, self.domain.baseline);
        if target > baseline {
            let got = self.populate(pages.min(target - baseline).min(spare));
            self.domain.baseline += got;
            self.domain.session.used_room |= got > 0 && !self.domain.connected;
        } else {
            self.domain.baseline -= self.give_up(pages.min(baseline - target));
        }
    }

    /// The balance becomes the stock balloon's business.
    pub fn hand_over(&mut self) {
        let session = &mut self.domain.session;
        let deferred = std::mem::take(&mut session.deferred);
        session.handed_deferred += deferred;
        let balance = std::mem::take(&mut session.balance) + deferred as i64;
        session.readahead = 0;
        session.handed_over += balance;
        self.domain.baseline = self.domain.baseline.saturating_add_signed(balance);
    }

    /// What was handed over is the front-end's again, as far as the stock balloon has not dealt with it. What was lent
    /// is lent again, all of it; what the stock balloon got instead it gives up, if it can.
    pub fn take_over(&mut self) {
        let deferred = std::mem::take(&mut self.domain.session.handed_deferred);
        self.domain.session.deferred += deferred;
        self.domain.session.balance -= deferred as i64;
        let left = self.domain.left_over();
        let handed_over = std::mem::take(&mut self.domain.session.handed_over);
        if handed_over >= 0 {
            self.domain.session.balance += left;
            self.domain.baseline -= left.unsigned_abs();
            return;
        }
        let made_up = left - handed_over;
        let kept = made_up - self.give_up(made_up.unsigned_abs()) as i64;
        self.domain.session.balance += handed_over + kept;
        let change = -handed_over - made_up;
        self.domain.baseline = self.domain.baseline.saturating_add_signed(change);
    }
}

/// A process asks Dom0 for exactly that.
pub fn exactly(pages: u64, deadline_us: u64) -> Wish {
    Wish {
        pages,
        deadline_us,
        reason: RequestReason::Manual,
        exact: true,
    }
}
