// SPDX-License-Identifier: GPL-2.0

//! Locks: the timer, in whose interrupt Dom0 is told how much this domain could spare.

use crate::{
    pages::{
        kernel_memory,
        spare, //
    },
    session::Session, //
};
use cmm::client::{
    Figures,
    INTERVAL, //
};
use kernel::sync::{
    atomic::Relaxed,
    Arc, //
};
use xen::{
    balloon,
    memory,
    timer::{
        now,
        Expire,
        Timer, //
    }, //
};

/// Lets the client say what is due, again and again, as long as there is a connection.
pub(crate) struct Reporter {
    session: Arc<Session>,
}

impl Reporter {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self { session }
    }
}

impl Expire for Reporter {
    fn expire(&self, timer: &Timer<Self>) {
        let session = &self.session;
        if balloon::is_at_target() {
            session.was_at_target.store(true, Relaxed);
        }
        let memory = kernel_memory();
        let figures = Figures {
            // Before the balance, which may change meanwhile: that is told next time, then.
            moves: session.moves.load(Relaxed),
            has: session.holdings(),
            spare: spare(&memory),
            committed: memory::committed() as u64,
            above_target: balloon::above_target(),
            total_ram: memory.total,
            has_leftovers: session.has_leftovers.load(Relaxed),
        };
        let goes_on = session.client.lock().tick(&figures, now());
        if !goes_on {
            session.givable.store(0, Relaxed);
            return;
        }
        // What was seen in the middle of a change nobody could account for.
        if !session.is_changing() && session.moves.load(Relaxed) == figures.moves {
            session.givable.store(memory.givable(), Relaxed);
        }
        timer.arm(INTERVAL);
    }
}
