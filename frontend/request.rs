// SPDX-License-Identifier: GPL-2.0

//! Locks: whoever wishes for memory waits here for Dom0's answer, and takes what it grants.

use crate::{
    errors::refused,
    pages::{
        Pages,
        BATCH, //
    },
    session::Session,
    tracing::{
        self,
        Met, //
    }, //
};
use cmm::{
    client::{
        Answer,
        Reason,
        Ticket,
        Waiting,
        Way,
        Wish, //
    },
    protocol::{
        GrantReason,
        RequestReason, //
    },
    timing::{
        Phase,
        Stopwatch, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        CondVarTimeoutResult, //
    },
    time::{
        delay::fsleep,
        msecs_to_jiffies,
        Delta, //
    }, //
};
use xen::{
    balloon,
    timer::now,
    trace::way, //
};

/// How long after its deadline an answer is still waited for, in ms: Dom0 answers by the deadline,
/// but its answer has to get here.
const GRACE_MS: u32 = 1000;

/// The same for whoever cannot wait, in ns.
const SHORT_GRACE: u64 = 50_000_000;

/// How long to wait for an answer before the CPU goes idle, in ns: after such a time what that costs
/// does not matter any more.
const LINGER: u64 = 5_000_000;

impl Session {
    /// Gets `pages` for somebody who asks by hand, or a program, and waits for `deadline_us` at most, or
    /// for as long as that usually takes if it is 0. Returns how many have come and are with the page
    /// allocator, and why not more.
    ///
    /// # Errors
    ///
    /// - `ENODEV`: there is no connection;
    /// - `EDQUOT`: the domain would be above its ceiling;
    /// - `EBUSY`: as many requests are open as may be;
    /// - `EINTR`: a signal came (what comes then is given back);
    /// - `ETIMEDOUT`: Dom0 stays silent.
    pub(crate) fn request(&self, pages: u64, deadline_us: u64) -> Result<(u64, Reason)> {
        let started = now();
        let mut stopwatch = Stopwatch::begin(0, pages, started);
        let wish = Wish {
            pages,
            deadline_us,
            reason: RequestReason::Manual,
            exact: false,
        };
        let (taken, reason) = tracing::wish(&wish, started, |met| {
            if self.is_orphan() {
                return Err(ENODEV);
            }
            if !self.reaches_target() {
                return Ok((0, Reason::AboveTarget));
            }
            self.meet(&wish, &mut stopwatch, started, met)
        })?;

        self.last_granted.store(taken, Relaxed);
        self.last_reason.store(reason.to_number(), Relaxed);
        if reason != Reason::AboveTarget {
            let latency = self.timings.lock().taken(&stopwatch);
            self.last_latency.store(latency, Relaxed);
        }
        Ok((taken, reason))
    }

    /// Whether the domain is no larger than its toolstack wants. If it is not, and has been, it is
    /// brought there: what is asked for would be more than Xen lets it have.
    fn reaches_target(&self) -> bool {
        self.defer();
        // What the toolstack wants first has not come back.
        if self.deferred.load(Relaxed) > 0 {
            return false;
        }
        if balloon::is_at_target() {
            self.was_at_target.store(true, Relaxed);
            return true;
        }
        // One that has only just begun gets there by itself.
        if self.was_at_target.load(Relaxed) {
            self.change(Pages::shrink_to_target);
        }
        balloon::is_at_target()
    }

    /// Takes `pages` that this domain had before: exactly that many, and soon.
    pub(crate) fn take_again(&self, pages: u64) -> Result {
        if pages > 0 {
            let (wish, started) = (Wish::take_back(pages), now());
            let mut stopwatch = Stopwatch::default();
            tracing::wish(&wish, started, |met| {
                self.meet(&wish, &mut stopwatch, started, met)
            })?;
        }
        Ok(())
    }

    /// Meets a wish of the domain's own. Returns how many pages have come.
    ///
    /// # Errors
    ///
    /// As [`Session::request`], and `EBUSY` also if this domain's memory is being moved.
    pub(crate) fn meet_by_itself(&self, wish: &Wish) -> Result<u64> {
        if self.is_orphan() {
            return Err(ENODEV);
        }
        let (started, mut stopwatch) = (now(), Stopwatch::default());
        let met = tracing::wish(wish, started, |met| {
            self.meet(wish, &mut stopwatch, started, met)
        });
        Ok(met?.0)
    }

    /// Meets a wish, the way the client says. Returns how many of the pages have come, and why not
    /// more.
    fn meet(
        &self,
        wish: &Wish,
        stopwatch: &mut Stopwatch,
        now: u64,
        met: &mut Met,
    ) -> Result<(u64, Reason)> {
        if self.is_leaving() {
            return Err(ENODEV);
        }
        let (mut wish, mut has) = (*wish, self.holdings());
        let pages = wish.pages;
        loop {
            let way = self.client.lock().request(&wish, &has, now);
            match way.map_err(refused)? {
                Way::Readahead => {
                    let taken = self.change_for(wish.reason, |memory| {
                        memory.take_readahead(pages, stopwatch)
                    })?;
                    if taken == pages {
                        met.way = way::READ_AHEAD;
                        return Ok((pages, Reason::GRANTED));
                    }
                    // Another was quicker.
                    has.readahead = 0;
                }
                Way::Credit { epoch } => {
                    let drawn = self
                        .change_for_in(epoch, wish.reason, |memory| memory.draw(pages, stopwatch));
                    // What was reserved is credit again if nothing was drawn.
                    self.client.lock().drew(epoch, pages, drawn.unwrap_or(0));
                    let drawn = drawn?;
                    if drawn > 0 {
                        met.way = way::CREDIT;
                        let reason = Reason::of(pages, pages, GrantReason::Full, drawn);
                        return Ok((drawn, reason));
                    }
                    // Xen has none, or the kernel no frames for it. Dom0 knows what to do.
                    wish.exact = true;
                }
                Way::Dom0(ticket) => {
                    met.way = way::DOM0;
                    met.id = ticket.serial;
                    return self.take_granted(ticket, &wish, stopwatch);
                }
            }
        }
    }

    /// Waits for Dom0's answer, takes what it grants, and says how much that was.
    fn take_granted(
        &self,
        ticket: Ticket,
        wish: &Wish,
        stopwatch: &mut Stopwatch,
    ) -> Result<(u64, Reason)> {
        stopwatch.id = ticket.serial;
        stopwatch.split(Phase::Ask, now());
        let answer = self.wait_for_answer(ticket, wish)?;
        stopwatch.split(Phase::Answer, answer.at);
        stopwatch.split(Phase::WakeUp, now());
        let taken = match answer.pages {
            0 => Ok(0),
            granted => self.take_in_portions(ticket.epoch, granted, wish, stopwatch),
        };
        let said = taken.unwrap_or(0);
        self.client.lock().took(ticket, answer.pages, said);
        let taken = taken?.min(wish.pages);
        let reason = Reason::of(wish.pages, answer.pages, answer.reason, taken);
        Ok((taken, reason))
    }

    /// Takes what was granted, a portion at a time: others who move memory, for a small request
    /// perhaps, need not wait until a large one has all of it.
    ///
    /// # Errors
    ///
    /// - `ENODEV`: the connection is over, and nothing was taken;
    /// - `EBUSY`: the memory was being moved, and nothing was taken.
    fn take_in_portions(
        &self,
        epoch: u32,
        granted: u64,
        wish: &Wish,
        stopwatch: &mut Stopwatch,
    ) -> Result<u64> {
        let mut taken = 0;
        while taken < granted {
            let portion = (granted - taken).min(BATCH as u64);
            let wanted = wish.pages.saturating_sub(taken);
            let more = self.change_for_in(epoch, wish.reason, |memory| {
                memory.take(portion, wanted, stopwatch)
            });
            match more {
                Ok(more) => taken += more,
                Err(err) if taken == 0 => return Err(err),
                // The next connection has claimed what was taken before.
                Err(_) => break,
            }
            if more != Ok(portion) || self.is_leaving() {
                break;
            }
        }
        Ok(taken)
    }

    /// Waits a little while for an answer without going idle, if this CPU has nothing else to do.
    fn linger(&self, ticket: Ticket) {
        let Some(halter) = self.client.lock().shell().map(|link| link.halter.clone()) else {
            return;
        };
        let began = now();
        let is_over = || self.is_leaving() || self.client.lock().is_over(ticket);
        while !is_over() && now() - began < LINGER && halter.halt_unless(is_over) {}
    }

    fn wait_for_answer(&self, ticket: Ticket, wish: &Wish) -> Result<Answer> {
        self.linger(ticket);
        match wish.reason {
            RequestReason::Emergency => self.wait_in_need(ticket, wish),
            RequestReason::Manual | RequestReason::Automatic => self.wait(ticket, wish),
        }
    }

    fn wait(&self, ticket: Ticket, wish: &Wish) -> Result<Answer> {
        let deadline_ms = u32::try_from(wish.patience_us() / 1000).unwrap_or(u32::MAX);
        let mut jiffies = msecs_to_jiffies(deadline_ms.saturating_add(GRACE_MS));
        // Why it is not waited for any longer.
        let mut enough = None;

        let mut client = self.client.lock();
        loop {
            if self.is_leaving() {
                enough = enough.or(Some(ENODEV));
            }
            match client.look(ticket, enough.is_none()) {
                Waiting::Answered(answer) => return Ok(answer),
                Waiting::Lost => return Err(ENODEV),
                Waiting::GivenUp => return Err(enough.unwrap_or(ETIMEDOUT)),
                Waiting::On => (),
            }
            match self
                .changed
                .wait_interruptible_timeout(&mut client, jiffies)
            {
                CondVarTimeoutResult::Woken { jiffies: left } => jiffies = left,
                // The answer may have come after all.
                CondVarTimeoutResult::Timeout => enough = Some(ETIMEDOUT),
                CondVarTimeoutResult::Signal { .. } => enough = Some(EINTR),
            }
        }
    }

    /// As [`Session::wait`], whatever signals come: a process that is about to be killed for want of
    /// memory must not be because a timer of its own went off.
    fn wait_in_need(&self, ticket: Ticket, wish: &Wish) -> Result<Answer> {
        let end = now() + wish.patience_us() * 1000 + SHORT_GRACE;
        loop {
            let patient = now() < end && !self.is_leaving();
            match self.client.lock().look(ticket, patient) {
                Waiting::Answered(answer) => return Ok(answer),
                Waiting::Lost => return Err(ENODEV),
                Waiting::GivenUp => return Err(ETIMEDOUT),
                Waiting::On => (),
            }
            fsleep(Delta::from_millis(1));
        }
    }
}
