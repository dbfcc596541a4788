// SPDX-License-Identifier: GPL-2.0

//! Locks: the timer, in whose interrupt Dom0 is told how much this domain could spare.

use crate::{
    pages::spare,
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
        let figures = Figures {
            // Before the balance, which may change meanwhile: that is told next time, then.
            moves: session.moves.load(Relaxed),
            has: session.holdings(),
            spare: spare() as u64,
            total_ram: memory::total() as u64,
            has_leftovers: session.has_leftovers.load(Relaxed),
        };
        if session.client.lock().tick(&figures, now()) {
            timer.arm(INTERVAL);
        }
    }
}
