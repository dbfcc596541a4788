// SPDX-License-Identifier: GPL-2.0

//! A front-end: what it believes, and what it does with a message.

use std::collections::{BTreeMap, VecDeque};

use cmm::coordinator::Nanos;
use cmm::protocol::{Down, Up};

/// How a front-end cheats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Says that it gave what it kept.
    Keeps,
    /// Says that it did not take what it took.
    Hides,
    /// Answers twice.
    Repeats,
    /// Names more pages than it was asked for.
    Exaggerates,
    /// Answers what was never asked.
    Invents,
    /// Sends requests without end.
    Floods,
    /// Does not answer.
    Silent,
}

/// The front-end of one domain.
#[derive(Clone, Debug, Default)]
pub struct Frontend {
    /// What it believes to have borrowed (positive) or lent (negative).
    pub balance: i64,
    /// That of the one before, which was unloaded and left it to the stock balloon.
    pub handed_over: i64,
    /// Messages it has sent and the back-end has not read.
    pub up: VecDeque<Up>,
    /// Messages it has not read.
    pub down: VecDeque<Down>,
    /// Requests without an answer, and when one is due.
    pub open: BTreeMap<u32, Nanos>,
    /// Requests granted and not yet taken.
    pub granted: BTreeMap<u32, u64>,
    /// What it may take without asking.
    pub credit: u64,
    /// What it took of that and has not said yet; part of its balance.
    pub drawn: u64,
    /// What it cheats at, if it does.
    pub lie: Option<Lie>,
    next_id: u32,
}

impl Frontend {
    /// A fresh id that is not in use.
    pub fn fresh_id(&mut self) -> u32 {
        loop {
            // Few ids, so that they come again.
            self.next_id = self.next_id % 64 + 1;
            let id = self.next_id;
            let sent = self
                .up
                .iter()
                .any(|up| matches!(up, Up::Request { id: other, .. } if *other == id));
            if !self.open.contains_key(&id) && !self.granted.contains_key(&id) && !sent {
                return id;
            }
        }
    }

    /// How many requests an honest front-end counts as open: it knows of an answer when it has read it.
    pub fn unfinished(&self) -> usize {
        let asked = |up: &&Up| matches!(up, Up::Request { .. });
        let denied = |down: &&Down| matches!(down, Down::Grant { pages: 0, .. });
        self.open.len()
            + self.granted.len()
            + self.up.iter().filter(asked).count()
            + self.down.iter().filter(denied).count()
    }

    /// Forgets everything about the connection.
    pub fn disconnect(&mut self) {
        *self = Self {
            balance: self.balance,
            handed_over: self.handed_over,
            next_id: self.next_id,
            ..Self::default()
        };
    }
}
