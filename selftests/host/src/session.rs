// SPDX-License-Identifier: GPL-2.0

//! What a front-end keeps around its client, as `frontend/session.rs` and `frontend/pages.rs` do.

use cmm::client::{Answer, Demand, Ticket};
use cmm::coordinator::Nanos;

use crate::guest::Guest;

/// The front-end of one domain.
#[derive(Debug, Default)]
pub struct Session {
    /// What decides, and its connection.
    pub guest: Guest,
    /// Borrowed (positive) or lent (negative).
    pub balance: i64,
    /// That of the one before, which was unloaded and left it to the stock balloon.
    pub handed_over: i64,
    /// What of a debt was not left to it: it counts as given there already.
    pub handed_deferred: u64,
    /// Populated, part of the balance, and nobody has asked for it yet.
    pub readahead: u64,
    /// Lent, and its toolstack does not want it to have it back.
    pub deferred: u64,
    /// Populated on credit, and no part of the balance.
    pub prepopulated: u64,
    /// How often the balance has changed.
    pub moves: u32,
    /// Processes that wait for an answer, or were just woken by one.
    pub waiting: Vec<Waiter>,
    /// The demand that the channel's thread is at.
    pub begun: Option<Begun>,
    /// What went back to Xen, and Dom0 has had no room to be told.
    pub untold: Vec<Untold>,
    /// Dom0 left no room for so long that it was given up.
    pub stalled: bool,
    /// There was no front-end, and the stock balloon got memory.
    pub used_room: bool,
    /// Dom0 has not believed a claim for that, and the books differ.
    pub doubted: bool,
}

/// A process that waits for what it asked for.
#[derive(Clone, Copy, Debug)]
pub struct Waiter {
    /// Its request.
    pub ticket: Ticket,
    /// What it asked for; the client may have asked for more.
    pub wanted: u64,
    /// How long it waits.
    pub until: Nanos,
    /// Dom0's answer: it runs soon, and takes what was granted.
    pub answer: Option<Answer>,
}

/// A demand that is being met. It is admitted, carried out and answered one after the other, and anything may happen
/// in between.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// The demand.
    pub demand: Demand,
    /// Its connection.
    pub epoch: u32,
    /// How many pages were moved for it, once they have been.
    pub moved: Option<u64>,
}

/// Pages that went back to Xen.
#[derive(Clone, Copy, Debug)]
pub struct Untold {
    /// Whose.
    pub ticket: Ticket,
    /// How many.
    pub pages: u64,
    /// How long there is to be tried.
    pub until: Nanos,
}

impl Session {
    /// The balance has changed by so much.
    pub fn moved(&mut self, pages: i64) {
        if pages != 0 {
            self.balance += pages;
            self.moves = self.moves.wrapping_add(1);
        }
    }
}
