// SPDX-License-Identifier: GPL-2.0

//! What the client says to Dom0, and when Dom0 is woken to hear it.

use super::machine::Client;
use super::shell::Shell;
use crate::protocol::{Up, Violation};
use crate::ring::PushError;

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// There is no connection, or not the one that the message belongs to.
    NotConnected,
    /// The lane up has no room for this kind of message.
    Full,
    /// Dom0 broke the protocol: the connection is over.
    Broken,
}

impl<S: Shell> Client<S> {
    /// Puts a message in the lane up, and wakes Dom0.
    pub(super) fn say(&mut self, message: &Up) -> Result<(), SendError> {
        self.say_quietly(message)?;
        self.be_heard();
        Ok(())
    }

    /// As [`Client::say`], for what need not be heard at once: an event costs as much as some
    /// pages. Dom0 hears of it with the next message, or the next [tick](Self::tick).
    pub(super) fn say_quietly(&mut self, message: &Up) -> Result<(), SendError> {
        // If there is no room now, the next message or tick says it.
        let _ = self.tell_drawn();
        self.enqueue(message)
    }

    /// Answers Dom0, waking it or not. Returns whether it has been told. There is always room for
    /// an answer, if Dom0 asks for no more than it may.
    pub(super) fn answer_with(&mut self, message: &Up, wake: bool) -> bool {
        let sent = if wake {
            self.say(message)
        } else {
            self.say_quietly(message)
        };
        if sent == Err(SendError::Full) {
            self.break_off(Violation::LaneFull);
        }
        sent.is_ok()
    }

    /// Says all that Dom0 has not heard yet, as far as there is room.
    pub fn catch_up(&mut self) {
        let _ = self.tell_drawn();
        self.be_heard();
    }

    /// Says what was drawn on credit, in one message for all, which Dom0 is not woken for. It takes
    /// no room from answers: these are bounded, and always fit.
    fn tell_drawn(&mut self) -> Result<(), SendError> {
        let pages = self.credit.untold();
        if pages == 0 {
            return Ok(());
        }
        let id = self.requests.fresh_serial();
        self.enqueue(&Up::Drew { id, pages })?;
        self.credit.all_told();
        Ok(())
    }

    fn enqueue(&mut self, message: &Up) -> Result<(), SendError> {
        let wire = self.connection.wire_mut();
        match wire.ok_or(SendError::NotConnected)?.push(message) {
            Ok(()) => Ok(()),
            Err(PushError::Full) => Err(SendError::Full),
            Err(PushError::Violation(why)) => {
                self.break_off(why);
                Err(SendError::Broken)
            }
        }
    }

    fn be_heard(&mut self) {
        if let Some(wire) = self.connection.wire_mut() {
            wire.be_heard();
        }
    }
}
