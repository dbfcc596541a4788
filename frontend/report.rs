// SPDX-License-Identifier: GPL-2.0

//! Locks: the timer, in whose interrupt Dom0 is told how much this domain could spare.

use crate::{
    pages::spare_of,
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
        let available = memory::available() as u64;
        let figures = Figures {
            // Before the balance, which may change meanwhile: that is told next time, then.
            moves: session.moves.load(Relaxed),
            has: session.holdings(),
            spare: spare_of(available),
            total_ram: memory::total() as u64,
            has_leftovers: session.has_leftovers.load(Relaxed),
        };
        let goes_on = session.client.lock().tick(&figures, now());
        let known = if goes_on { available } else { 0 };
        session.available.store(known, Relaxed);
        if goes_on {
            timer.arm(INTERVAL);
        }
    }
}
