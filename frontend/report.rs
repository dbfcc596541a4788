// SPDX-License-Identifier: GPL-2.0

//! Reports: Dom0 is told how much this domain could spare, whenever that has changed.

use crate::{
    pages,
    session::Session, //
};
use cmm::{
    protocol::Up,
    spare::is_worth_telling, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};
use xen::{
    balloon,
    memory,
    timer::{
        Expire,
        Timer, //
    }, //
};

/// How often to look, in ns.
const INTERVAL: u64 = 100_000_000;

/// Sends reports, from the timer's interrupt.
pub(crate) struct Reporter {
    session: Arc<Session>,
    /// What was last reported as available, in connection `epoch`.
    available: Atomic<u64>,
    epoch: Atomic<u32>,
}

impl Reporter {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            available: Atomic::new(0),
            epoch: Atomic::new(0),
        }
    }

    /// Dom0 counts down what this domain gives, and not up all that it gets: after either, it wants to
    /// know, even if in the end nothing has changed.
    fn is_news(&self, available: u64, epoch: u32) -> bool {
        if self.session.moved.load(Relaxed) {
            return true;
        }
        epoch != self.epoch.load(Relaxed)
            || is_worth_telling(available, self.available.load(Relaxed))
    }
}

impl Expire for Reporter {
    fn expire(&self, timer: &Timer<Self>) {
        let balance = self.session.balance.load(Relaxed);
        let available = pages::spare() as u64 + self.session.fetched_ahead.load(Relaxed);

        let mut state = self.session.state.lock();
        if state.wants_stock() || self.session.is_untidy(&state) {
            state.wake_thread();
        }
        state.catch_up();
        if self.is_news(available, state.epoch) {
            let report = Up::Stats {
                available,
                size: (balloon::baseline() as u64).saturating_add_signed(balance),
                total_ram: memory::total() as u64,
            };
            match state.push(&report) {
                Ok(()) => {
                    self.session.moved.store(false, Relaxed);
                    self.available.store(available, Relaxed);
                    self.epoch.store(state.epoch, Relaxed);
                }
                Err(err) if err == EAGAIN => (),
                // The next connection sets the timer again.
                Err(_) => return,
            }
        }
        timer.arm(INTERVAL);
    }
}
