// SPDX-License-Identifier: GPL-2.0

//! Who is woken when: what an event is for, and whether whoever waits for an answer goes on.
//!
//! The shell calls all of this under its lock, and waits in a way that gives the lock up and sleeps
//! in one step. What an event brought is taken out of the ring before anybody is woken, and whoever
//! wakes looks again: so none can miss it.

use super::ask::Ticket;
use super::machine::Client;
use super::requests::{Answer, Outcome};
use super::shell::Shell;
use crate::time::Nanos;

/// What an event was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Event {
    /// For nothing.
    Nothing,
    /// Something came in, for whoever waits: all are to be woken.
    Some,
    /// As `Some`, and there is something to do for the shell's thread.
    Work,
}

/// How it goes on with whoever waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Waiting {
    /// The answer is there. The shell says [`Client::took`], if it grants anything.
    Answered(Answer),
    /// There will be none.
    Lost,
    /// It has been waited for long enough, and what is granted after all goes back.
    GivenUp,
    /// Wait until woken.
    On,
}

impl<S: Shell> Client<S> {
    /// An event came: takes all messages in.
    pub fn event(&mut self, now: Nanos) -> Event {
        match self.drain(now) {
            0 => Event::Nothing,
            _ if self.has_work() => Event::Work,
            _ => Event::Some,
        }
    }

    /// Whoever waits for an answer looks: at first, and whenever woken. With `patient` being false it
    /// will not wait any more.
    pub fn look(&mut self, ticket: Ticket, patient: bool) -> Waiting {
        match self.outcome(ticket) {
            Some(Outcome::Answered(answer)) => Waiting::Answered(answer),
            Some(Outcome::Lost) => Waiting::Lost,
            None if patient => Waiting::On,
            None => {
                self.give_up(ticket);
                Waiting::GivenUp
            }
        }
    }
}
