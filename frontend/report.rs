// SPDX-License-Identifier: GPL-2.0

//! Locks: the timers, in whose interrupts Dom0 is told how much this domain could spare.
//!
//! While something runs, one that wakes nobody has the client look. It says whether there is to be
//! another look though nothing runs then: for that there is an alarm.

use crate::{
    pages::{
        kernel_memory,
        spare, //
    },
    session::Session, //
};
use cmm::client::{
    Figures,
    Next, //
};
use kernel::sync::{
    atomic::{
        Atomic,
        Relaxed,
        Release, //
    },
    Arc, //
};
use xen::{
    awake_timer::WhileAwake,
    balloon,
    cpus,
    memory,
    timer::{
        now,
        Expire,
        Timer, //
    }, //
};

/// How often to see whether there is a connection, in ns. Each begins with an alarm.
const LATER: u64 = 1_000_000_000;

/// Lets the client say what is due, as long as there is a connection. It is the alarm.
pub(crate) struct Reporter {
    session: Arc<Session>,
    /// How often it went off.
    pub(crate) alarms: Atomic<u64>,
}

impl Reporter {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            alarms: Atomic::new(0),
        }
    }

    /// Has the client look; returns when it is to look again, if there is a connection.
    fn look(&self) -> Option<Next> {
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
            busy: cpus::busy(),
        };
        let now = now();
        let next = session.client.lock().tick(&figures, now);
        if next.is_none() {
            session.givable.store(0, Relaxed);
        } else if !session.is_changing() && session.moves.load(Relaxed) == figures.moves {
            // What was seen in the middle of a change nobody could account for.
            session.looked_at.store(now, Relaxed);
            session.total_then.store(memory.total, Relaxed);
            // Whoever sees this sees what is beside it.
            session.givable.store(memory.givable(), Release);
        }
        next
    }
}

impl Expire for Reporter {
    fn expire(&self, alarm: &Timer<Self>) {
        self.alarms.add(1, Relaxed);
        if let Some(asleep) = self.look().and_then(|next| next.asleep) {
            alarm.arm(asleep);
        }
    }
}

/// Has the client look while something runs.
pub(crate) struct Reports(pub(crate) Arc<Timer<Reporter>>);

impl WhileAwake for Reports {
    fn look(&self) -> u64 {
        let reporter = self.0.target();
        let due_in = reporter.session.client.lock().tick_is_due_in(now());
        if due_in > 0 {
            return due_in;
        }
        let Some(next) = reporter.look() else {
            return LATER;
        };
        if let Some(asleep) = next.asleep {
            self.0.arm(asleep);
        }
        next.awake
    }
}
