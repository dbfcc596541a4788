// SPDX-License-Identifier: GPL-2.0

//! Requests: from the question to the memory, or to a reason why there is none.

use crate::{
    pages::Pages,
    session::{
        Session,
        DEFAULT_DEADLINE_US, //
    }, //
};
use cmm::{
    protocol::{
        GrantReason,
        RequestReason,
        Up,
        Urgency,
        Violation,
        MAX_REQUESTS, //
    },
    reason::Reason, //
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
    time::msecs_to_jiffies, //
};
use xen::{
    balloon,
    timer::now, //
};

/// How long after its deadline an answer is still waited for, in ms: Dom0 answers by the deadline,
/// but its answer has to get here.
const GRACE_MS: u32 = 1000;

/// How long to wait for an answer before the CPU goes idle, in ns: after such a time what that costs
/// does not matter any more.
const LINGER: u64 = 5_000_000;

/// Dom0's answer to a request.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Answer {
    pages: u64,
    reason: GrantReason,
    /// When it came.
    at: u64,
}

/// Dom0 is not woken to hear that less than this has been taken: its own view may lag that far.
const QUIET_PAGES: u64 = 512;

/// What is known of an open request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Dom0 has not answered.
    Waiting,
    /// Dom0 has not answered, and nobody waits for it any more.
    Abandoned,
    /// Dom0 has answered.
    Answered(Answer),
    /// The connection went away.
    Lost,
}

#[derive(Clone, Copy)]
struct Open {
    id: u32,
    pages: u64,
    progress: Progress,
}

/// The requests Dom0 has not answered, and those whose answer has not been used.
pub(crate) struct Requests {
    open: [Option<Open>; MAX_REQUESTS],
    last_id: u32,
}

impl Requests {
    pub(crate) const fn new() -> Self {
        Self {
            open: [None; MAX_REQUESTS],
            last_id: 0,
        }
    }

    /// An id the other side has not seen lately: our half of them, without 0.
    pub(crate) fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id % (i32::MAX as u32) + 1;
        self.last_id
    }

    /// Reserves a place for a request; `None` if as many are open as may be.
    fn begin(&mut self, pages: u64) -> Option<u32> {
        let id = self.next_id();
        let place = self.open.iter_mut().find(|place| place.is_none())?;
        *place = Some(Open {
            id,
            pages,
            progress: Progress::Waiting,
        });
        Some(id)
    }

    fn place(&mut self, id: u32) -> Option<&mut Option<Open>> {
        self.open
            .iter_mut()
            .find(|place| matches!(place, Some(open) if open.id == id))
    }

    /// Takes down an answer of Dom0's. Returns whether nobody waits for it.
    pub(crate) fn answer(
        &mut self,
        id: u32,
        pages: u64,
        reason: GrantReason,
    ) -> Result<bool, Violation> {
        let place = self.place(id).ok_or(Violation::Unasked(id))?;
        match place {
            Some(open) if pages > open.pages => Err(Violation::Excess {
                id,
                said: pages,
                allowed: open.pages,
            }),
            Some(open) if open.progress == Progress::Waiting => {
                let at = now();
                open.progress = Progress::Answered(Answer { pages, reason, at });
                Ok(false)
            }
            Some(open) if open.progress == Progress::Abandoned => {
                *place = None;
                Ok(true)
            }
            _ => Err(Violation::Unasked(id)),
        }
    }

    /// Whether something has become of a request.
    fn is_over(&mut self, id: u32) -> bool {
        matches!(
            self.place(id),
            Some(Some(Open {
                progress: Progress::Answered(_) | Progress::Lost,
                ..
            }))
        )
    }

    /// What became of a request; `None` if nothing has yet. One without an answer has come to its end.
    fn result(&mut self, id: u32) -> Option<Result<Answer>> {
        let place = self.place(id)?;
        match place.as_ref()?.progress {
            Progress::Answered(answer) => Some(Ok(answer)),
            Progress::Lost => {
                *place = None;
                Some(Err(ENODEV))
            }
            Progress::Waiting | Progress::Abandoned => None,
        }
    }

    /// Frees the place of a request: it was not sent after all, or it has come to its end.
    ///
    /// To Dom0, too, a request is open until it has been told what was taken.
    fn close(&mut self, id: u32) {
        if let Some(place) = self.place(id) {
            *place = None;
        }
    }

    /// Nobody waits for this request any more.
    fn abandon(&mut self, id: u32) {
        if let Some(Some(open)) = self.place(id) {
            open.progress = Progress::Abandoned;
        }
    }

    /// There will be no answers.
    pub(crate) fn lose_all(&mut self) {
        for place in &mut self.open {
            match place {
                Some(open) if open.progress == Progress::Abandoned => *place = None,
                Some(open) => open.progress = Progress::Lost,
                None => (),
            }
        }
    }
}

/// What to ask Dom0 for.
struct Wish {
    pages: u64,
    /// How long the answer may take.
    deadline_us: u64,
    /// Whether more may be asked for, to be kept for a next request.
    may_fetch_ahead: bool,
}

/// What a request came to.
#[derive(Clone, Copy)]
pub(crate) struct Outcome {
    /// The pages that have come, and are with the page allocator.
    pub(crate) pages: u64,
    /// Why not more.
    pub(crate) reason: Reason,
}

impl Session {
    /// Asks Dom0 for `pages`, waits for the answer, and takes what is granted.
    ///
    /// # Errors
    ///
    /// `ENODEV` without a connection, `EAGAIN` before the stock balloon driver has come to rest,
    /// `EDQUOT` above the ceiling, `EBUSY` if as many requests are open as may be, `EINTR` on a
    /// signal (what comes then is given back), `ETIMEDOUT` if Dom0 stays silent.
    pub(crate) fn request(&self, pages: u64) -> Result<Outcome> {
        let started = now();
        let mut stopwatch = Stopwatch::begin(0, pages, started);
        if self.is_orphan() {
            return Err(ENODEV);
        }
        if !balloon::is_settled() {
            return Err(EAGAIN);
        }
        let (taken, reason) = if self.take_ahead(pages, started, &mut stopwatch) {
            (pages, Reason::GRANTED)
        } else {
            match self.draw(pages, &mut stopwatch)? {
                0 => self.ask_and_take(&self.wish(pages), &mut stopwatch)?,
                drawn => (drawn, Reason::of(pages, pages, GrantReason::Full, drawn)),
            }
        };

        self.last_granted.store(taken, Relaxed);
        self.last_reason.store(reason.to_number(), Relaxed);
        let latency = self.parts.lock().taken(&stopwatch);
        self.last_latency.store(latency, Relaxed);
        Ok(Outcome {
            pages: taken,
            reason,
        })
    }

    /// Takes `pages` of what earlier requests fetched ahead, if there are as many.
    fn take_ahead(&self, pages: u64, now: u64, stopwatch: &mut Stopwatch) -> bool {
        if self.fetched_ahead.load(Relaxed) < pages {
            return false;
        }
        let taken = self.change(|memory| memory.take_ahead(pages, stopwatch)) == pages;
        if taken {
            self.state.lock().ahead.hit(now);
        }
        taken
    }

    /// Takes `pages` on credit, without waiting for anybody; Dom0 is told afterwards. Returns how
    /// many it got: none if the credit does not suffice.
    fn draw(&self, pages: u64, stopwatch: &mut Stopwatch) -> Result<u64> {
        let epoch = {
            let mut state = self.state.lock();
            if !state.reserve_credit(pages) {
                return Ok(0);
            }
            state.epoch
        };
        let drawn = self.change_in(epoch, |memory| memory.draw(pages, stopwatch))?;
        self.state.lock().use_credit(epoch, pages, drawn);
        Ok(drawn)
    }

    /// What somebody who writes `request_kb` wishes for.
    fn wish(&self, pages: u64) -> Wish {
        Wish {
            pages,
            deadline_us: self.deadline_us.load(Relaxed),
            may_fetch_ahead: true,
        }
    }

    /// Takes back all that was lent, as far as Dom0 has it.
    pub(crate) fn take_back(&self) -> Result {
        self.give_up_ahead();
        let lent = u64::try_from(-self.balance.load(Relaxed)).unwrap_or(0);
        self.take_again(lent)
    }

    /// Takes `pages` that this domain had before: exactly that many, and soon.
    pub(crate) fn take_again(&self, pages: u64) -> Result {
        if pages == 0 {
            return Ok(());
        }
        let wish = Wish {
            pages,
            deadline_us: DEFAULT_DEADLINE_US,
            may_fetch_ahead: false,
        };
        self.ask_and_take(&wish, &mut Stopwatch::default())
            .map(|_| ())
    }

    /// Asks Dom0, and takes what it grants. Returns how many of the pages have come, and why not more.
    fn ask_and_take(&self, wish: &Wish, stopwatch: &mut Stopwatch) -> Result<(u64, Reason)> {
        let pages = wish.pages;
        let (id, epoch) = self.ask(wish)?;
        stopwatch.id = id;
        stopwatch.split(Phase::Ask, now());
        let answer = self.wait_for_answer(id, wish.deadline_us)?;
        stopwatch.split(Phase::Answer, answer.at);
        stopwatch.split(Phase::WakeUp, now());
        let taken = self.take_granted(id, epoch, answer.pages, pages, stopwatch);
        self.state.lock().requests.close(id);
        let taken = taken?.min(pages);
        let reason = Reason::of(pages, answer.pages, answer.reason, taken);
        Ok((taken, reason))
    }

    /// Sends a request, for some pages more than wished for if this domain asks for little, often.
    fn ask(&self, wish: &Wish) -> Result<(u32, u32)> {
        let pages = wish.pages;
        let size = (balloon::baseline() as u64).saturating_add_signed(self.balance.load(Relaxed));

        let mut state = self.state.lock();
        if !state.is_connected() {
            return Err(ENODEV);
        }
        if size.saturating_add(pages) > state.ceiling {
            return Err(EDQUOT);
        }
        let room = state.ceiling.saturating_sub(size);
        let asked = if wish.may_fetch_ahead {
            state.ahead.miss(pages, now()).min(room).max(pages)
        } else {
            pages
        };
        let id = state.requests.begin(asked).ok_or(EBUSY)?;
        let sent = state.push(&Up::Request {
            id,
            pages: asked,
            deadline_us: wish.deadline_us,
            reason: RequestReason::Manual,
        });
        if let Err(err) = sent {
            state.requests.close(id);
            return Err(err);
        }
        Ok((id, state.epoch))
    }

    /// Waits a little while for an answer without going idle, if this CPU has nothing else to do.
    fn linger(&self, id: u32) {
        let Some(halter) = self.state.lock().halter() else {
            return;
        };
        let began = now();
        let is_over = || self.state.lock().requests.is_over(id);
        while !is_over() && now() - began < LINGER && halter.halt_unless(is_over) {}
    }

    fn wait_for_answer(&self, id: u32, deadline_us: u64) -> Result<Answer> {
        let deadline_ms = u32::try_from(deadline_us / 1000).unwrap_or(u32::MAX);
        let mut jiffies = msecs_to_jiffies(deadline_ms.saturating_add(GRACE_MS));

        self.linger(id);
        let mut state = self.state.lock();
        loop {
            if let Some(result) = state.requests.result(id) {
                return result;
            }
            let err = match self.changed.wait_interruptible_timeout(&mut state, jiffies) {
                CondVarTimeoutResult::Woken { jiffies: left } => {
                    jiffies = left;
                    continue;
                }
                CondVarTimeoutResult::Timeout => ETIMEDOUT,
                CondVarTimeoutResult::Signal { .. } => EINTR,
            };
            // The answer may have come after all.
            return state.requests.result(id).unwrap_or_else(|| {
                state.requests.abandon(id);
                Err(err)
            });
        }
    }

    /// Takes the memory a grant allows, and says how much that was. Pages beyond `wanted` are kept at
    /// hand.
    fn take_granted(
        &self,
        id: u32,
        epoch: u32,
        granted: u64,
        wanted: u64,
        stopwatch: &mut Stopwatch,
    ) -> Result<u64> {
        if granted == 0 {
            return Ok(0);
        }
        let taken = self.change_in(epoch, |memory| memory.take(granted, wanted, stopwatch))?;
        let took = Up::Took { id, pages: taken };
        // If Dom0 is gone, the next connection's claim tells it.
        let _ = if granted < QUIET_PAGES {
            self.send_quietly(epoch, &took)
        } else {
            self.send(epoch, &took)
        };
        Ok(taken)
    }

    /// Gives back `pages` of what was borrowed.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is more than was borrowed, `ENODEV` without a connection, `EAGAIN` if the
    /// kernel cannot spare that much now: what it could spare has been given back.
    pub(crate) fn release(&self, pages: u64) -> Result {
        self.release_by(pages, |memory, pages| {
            memory.give(pages, Urgency::Urgent, &mut Stopwatch::default())
        })
    }

    /// As [`Session::release`], in a domain whose processes are all frozen.
    pub(crate) fn release_frozen(&self, pages: u64) -> Result {
        self.release_by(pages, Pages::give_frozen)
    }

    fn release_by(&self, pages: u64, give: fn(&mut Pages, u64) -> u64) -> Result {
        let (id, epoch) = {
            let mut state = self.state.lock();
            if self.is_orphan() || !state.is_connected() {
                return Err(ENODEV);
            }
            (state.requests.next_id(), state.epoch)
        };
        if i64::try_from(pages).map_or(true, |pages| pages > self.balance.load(Relaxed)) {
            return Err(EINVAL);
        }

        let given = self.change_in(epoch, |memory| {
            // Another may have been quicker.
            let borrowed = u64::try_from(memory.balance()).unwrap_or(0);
            let pages = pages.min(borrowed);
            let in_use = borrowed.saturating_sub(memory.ahead());
            let given = give(memory, pages.min(in_use));
            // What is at hand is not what somebody is done with, but it is borrowed, too.
            given + memory.give_ahead(pages - given, &mut Stopwatch::default())
        })?;
        if given > 0 {
            let _ = self.send(epoch, &Up::Release { id, pages: given });
        }
        if given < pages {
            return Err(EAGAIN);
        }
        Ok(())
    }
}
