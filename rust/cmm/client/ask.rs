// SPDX-License-Identifier: GPL-2.0

//! How a wish for memory is met, and what becomes of a request.

use super::holdings::Holdings;
use super::machine::Client;
use super::requests::Outcome;
use super::say::SendError;
use super::shell::Shell;
use crate::protocol::{default_deadline_us, RequestReason, Up};
use crate::time::Nanos;

/// Dom0 is not woken to hear that less than this has been taken: its own view may lag that far.
const QUIET_PAGES: u64 = 512;

/// How long an answer to a domain that asks by itself may take, in microseconds: what comes later
/// comes too late, and more will have been asked for.
const PATIENCE_US: u64 = 500_000;

/// A wish for memory.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// How many pages.
    pub pages: u64,
    /// How long Dom0's answer may take, in microseconds; 0 for as long as its size lets it.
    pub deadline_us: u64,
    /// Why.
    pub reason: RequestReason,
    /// Only Dom0 is asked, and for no more than that: this is what the domain had before.
    pub exact: bool,
}

impl Wish {
    /// Of the domain's own, before anybody notices: for what it has lent, `own` says, or for more.
    pub const fn by_itself(pages: u64, own: bool) -> Self {
        Self {
            pages,
            deadline_us: PATIENCE_US,
            reason: RequestReason::Automatic,
            exact: own,
        }
    }

    /// For as much as this domain has lent, or has just given back.
    pub const fn take_back(pages: u64) -> Self {
        Self {
            pages,
            deadline_us: 0,
            reason: RequestReason::Manual,
            exact: true,
        }
    }

    /// How long Dom0's answer may take, in microseconds.
    pub const fn patience_us(&self) -> u64 {
        match self.deadline_us {
            0 => default_deadline_us(self.pages),
            us => us,
        }
    }
}

/// A request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its serial.
    pub serial: u32,
    /// Which connection it belongs to.
    pub epoch: u32,
}

/// How a wish is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By what was read ahead. If that is gone, the shell is to say so and ask again.
    Readahead,
    /// By populating on credit, in this connection only; then the shell says [`Client::drew`].
    Credit {
        /// Which connection it belongs to.
        epoch: u32,
    },
    /// By Dom0, which has been asked: there will be an [outcome](Client::outcome).
    Dom0(Ticket),
}

/// Why a wish is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The domain would be larger than its ceiling.
    Ceiling,
    /// As many requests are open as may be.
    TooMany,
    /// More is to be released than was borrowed.
    NotBorrowed,
    /// Dom0 cannot be asked.
    Send(SendError),
}

impl<S: Shell> Client<S> {
    /// Finds a way for a wish: what is there already, else credit, else a request, perhaps for some
    /// pages more if this domain asks for little, often.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn request(&mut self, wish: &Wish, has: &Holdings, now: Nanos) -> Result<Way, Refusal> {
        if !wish.exact && wish.pages <= has.readahead {
            self.readahead.hit(now);
            return Ok(Way::Readahead);
        }
        if !wish.exact && self.credit.reserve(wish.pages) {
            let epoch = self.epoch();
            return Ok(Way::Credit { epoch });
        }
        self.ask_dom0(wish, has, now).map(Way::Dom0)
    }

    /// How much larger the domain may become, in pages.
    fn room(&self, has: &Holdings) -> u64 {
        let most = self.ceiling.min(self.largest.most());
        most.saturating_sub(has.size())
    }

    /// How much larger it may make itself: nothing if it cannot ask, or is about to be saved, or what
    /// comes is deferred, and so its toolstack's.
    pub fn room_by_itself(&self, has: &Holdings) -> u64 {
        if !self.is_open() || self.suspending || has.deferred > 0 {
            return 0;
        }
        self.room(has)
    }

    /// Whether what was got for a reason may be taken in a connection: it is there still, and
    /// the domain is not about to be saved with what nobody asked for.
    pub fn may_take(&self, epoch: u32, reason: RequestReason) -> bool {
        let by_itself = reason != RequestReason::Manual;
        epoch == self.epoch() && !(by_itself && self.suspending)
    }

    pub(super) fn ask_dom0(
        &mut self,
        wish: &Wish,
        has: &Holdings,
        now: Nanos,
    ) -> Result<Ticket, Refusal> {
        if !self.is_open() {
            return Err(Refusal::Send(SendError::NotConnected));
        }
        let room = self.room(has);
        if wish.pages > room {
            return Err(Refusal::Ceiling);
        }
        let pages = if wish.exact {
            wish.pages
        } else {
            // The window is never smaller than the wish.
            self.readahead.miss(wish.pages, now).min(room)
        };
        let id = self.requests.open(pages).ok_or(Refusal::TooMany)?;
        let sent = self.say(&Up::Request {
            id,
            pages,
            deadline_us: wish.deadline_us,
            reason: wish.reason,
        });
        if let Err(error) = sent {
            self.requests.close(id);
            return Err(Refusal::Send(error));
        }
        Ok(Ticket {
            serial: id,
            epoch: self.epoch(),
        })
    }

    /// What became of a request; `None` if nothing has yet. One without an answer has come to its
    /// end; of any other the shell says [`Client::took`].
    pub fn outcome(&mut self, ticket: Ticket) -> Option<Outcome> {
        let outcome = self.requests.outcome(ticket.serial)?;
        if outcome == Outcome::Lost {
            self.requests.close(ticket.serial);
        }
        Some(outcome)
    }

    /// Whether there is an [outcome](Self::outcome).
    pub fn is_over(&self, ticket: Ticket) -> bool {
        self.requests.outcome(ticket.serial).is_some()
    }

    /// Nobody waits for a request any more, and Dom0 is told so. What it has granted goes back. If it has an
    /// [outcome](Self::outcome) after all, that is the shell's business still.
    pub fn give_up(&mut self, ticket: Ticket) {
        if self.is_over(ticket) {
            return;
        }
        self.requests.give_up(ticket.serial);
        if self.shell().is_some_and(Shell::is_told_to_cancel) {
            // If there is no room, or no connection any more, its deadline ends it.
            let _ = self.say(&Up::Cancel { id: ticket.serial });
        }
    }

    /// A request comes to its end: of `granted` pages, `taken` were populated.
    pub fn took(&mut self, ticket: Ticket, granted: u64, taken: u64) {
        self.requests.close(ticket.serial);
        // If Dom0 went away meanwhile, the next connection's claim tells it.
        if granted == 0 || ticket.epoch != self.epoch() {
            return;
        }
        let took = Up::Took {
            id: ticket.serial,
            pages: taken,
        };
        let _ = self.answer_with(&took, granted >= QUIET_PAGES);
    }
}
