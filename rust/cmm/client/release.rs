// SPDX-License-Identifier: GPL-2.0

//! What goes back to Dom0 unasked.

use super::ask::{Refusal, Ticket};
use super::holdings::Holdings;
use super::machine::Client;
use super::say::SendError;
use super::shell::Shell;
use crate::protocol::{Up, Violation};
use crate::time::Nanos;

impl<S: Shell> Client<S> {
    /// Somebody wants to release `pages`. The memory may be given back in the ticket's connection,
    /// and then the shell says [`Client::released`].
    ///
    /// # Errors
    ///
    /// More than was borrowed, or without a connection.
    pub fn release(&mut self, pages: u64, has: &Holdings) -> Result<Ticket, Refusal> {
        if !self.is_open() {
            return Err(Refusal::Send(SendError::NotConnected));
        }
        if pages > has.borrowed() {
            return Err(Refusal::NotBorrowed);
        }
        Ok(self.ticket())
    }

    /// As [`Client::release`], for what was read ahead and nobody wants.
    pub fn release_readahead(&mut self) -> Ticket {
        self.ticket()
    }

    /// The toolstack lets the domain have so many pages at most.
    pub fn set_largest(&mut self, pages: u64) {
        self.largest.set(pages);
    }

    /// What the domain has borrowed too much: with that it is larger than its toolstack lets it be.
    pub fn above_largest(&self, has: &Holdings) -> u64 {
        self.largest.above(has)
    }

    /// So many pages of that went back.
    pub fn returned_above_largest(&mut self, pages: u64, now: Nanos) {
        self.largest.returned(pages, now);
    }

    fn ticket(&mut self) -> Ticket {
        Ticket {
            serial: self.requests.fresh_serial(),
            epoch: self.epoch(),
        }
    }

    /// So many pages, at least one, went back to Xen.
    ///
    /// # Errors
    ///
    /// Dom0 has not been told. If the lane is full, the shell may try again a while; once the
    /// connection is over, the next one's claim tells.
    pub fn released(&mut self, ticket: Ticket, pages: u64) -> Result<(), SendError> {
        if ticket.epoch != self.epoch() {
            return Err(SendError::NotConnected);
        }
        let id = ticket.serial;
        self.say(&Up::Release { id, pages })
    }

    /// Dom0 has left no room for [that](Self::released) for so long that it must be dead.
    pub fn stalled(&mut self, ticket: Ticket) {
        if ticket.epoch == self.epoch() {
            self.break_off(Violation::LaneFull);
        }
    }
}
