// SPDX-License-Identifier: GPL-2.0

//! A lender that its toolstack makes smaller: what it has lent is recalled first.
//!
//! The stock balloon driver does not know of what the domain has lent. If it shrank the domain by
//! what the toolstack wants it to have less, it would do so on top of that, and could leave it next
//! to nothing. So as much of the debt as the shrink needs is *deferred*: in the balloon driver's
//! books the shrink has taken place. Once that much comes back, on demand or of itself, it is not
//! taken, but left to Xen; nothing else has to be done.

use super::ask::{Ticket, Wish};
use super::holdings::Holdings;
use super::machine::Client;
use super::requests::Outcome;
use super::shell::Shell;
use crate::protocol::MAX_PAGES;
use crate::time::Nanos;

impl<S: Shell> Client<S> {
    /// Asks Dom0 for what is deferred, if that is due.
    pub(super) fn recall(&mut self, has: &Holdings, now: Nanos) {
        if has.deferred == 0 || self.suspending || !self.recall.is_due(now) {
            return;
        }
        let wish = Wish::take_back(has.deferred.min(MAX_PAGES));
        // If it cannot be sent now, there is another time.
        let ticket = self.ask_dom0(&wish, has, now).ok();
        let open = ticket.map(|ticket| (ticket.serial, ticket.epoch));
        self.recall.begin(open, now);
    }

    /// When that is due, if anything is deferred.
    pub(super) fn recall_due_at(&self, has: &Holdings) -> Option<Nanos> {
        let is_wanted = has.deferred > 0 && !self.suspending;
        self.recall.due_at().filter(|_| is_wanted)
    }

    fn recalled(&self) -> Option<Ticket> {
        let (serial, epoch) = self.recall.open()?;
        Some(Ticket { serial, epoch })
    }

    /// Whether Dom0 has answered that.
    pub(super) fn is_recalled(&self) -> bool {
        self.recalled().is_some_and(|ticket| self.is_over(ticket))
    }

    /// All that was lent is going to be taken back: what comes for the recall goes back, and there is no
    /// other until the domain goes on, or the next connection.
    pub fn stop_recalling(&mut self) {
        self.recall.stop();
        let Some(ticket) = self.recalled() else {
            return;
        };
        self.give_up(ticket);
        match self.next_recalled() {
            Some((ticket, granted)) => self.took(ticket, granted, 0),
            None => self.recall.end(0),
        }
    }

    /// How much Dom0 grants of what was recalled, if it has answered. So much of the debt, if it is as
    /// large still, is to be cancelled in the ticket's connection, and then the shell says
    /// [`Client::took`].
    pub fn next_recalled(&mut self) -> Option<(Ticket, u64)> {
        let ticket = self.recalled()?;
        let granted = match self.outcome(ticket)? {
            Outcome::Answered(answer) => answer.pages,
            Outcome::Lost => 0,
        };
        self.recall.end(granted);
        Some((ticket, granted))
    }
}
