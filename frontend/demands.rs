// SPDX-License-Identifier: GPL-2.0

//! Memory: what Dom0 demands and what it lends on credit is moved, in the channel's thread.

use crate::{
    pages::{
        Pages,
        BATCH, //
    },
    session::Session,
    tracing, //
};
use cmm::{
    client::{
        Demand,
        Task, //
    },
    timing::{
        Phase,
        Stopwatch, //
    },
};
use kernel::prelude::*;
use xen::{
    balloon,
    event_channel::Thread,
    out_of_tree::priority::NormalPriority,
    timer::now, //
};

impl Session {
    /// Does what Dom0 has demanded, one demand at a time.
    pub(crate) fn carry_out(&self, thread: &Thread<'_>) {
        loop {
            // Not in the loop's condition, which would keep the lock.
            let next = self.client.lock().next_demand();
            let Some((demand, epoch)) = next else {
                return;
            };
            // What takes long leaves others their share of the CPU meanwhile.
            let _patience = (demand.pages() >= BATCH as u64).then(|| NormalPriority::begin(thread));
            let mut stopwatch = start(&demand);
            let moved = tracing::demand(&demand, || self.move_for(epoch, &demand, &mut stopwatch));
            let told = moved.is_some_and(|pages| self.client.lock().answer(epoch, &demand, pages));
            if matches!(demand, Demand::Reclaim { .. }) {
                self.timings.lock().given(&stopwatch);
            }
            if !told {
                // The next connection's claim tells it.
                pr_info!("Dom0 went away before it could be answered\n");
            }
        }
    }

    /// Moves memory as a demand has it; returns how much, or `None` if nobody asks any more.
    fn move_for(&self, epoch: u32, demand: &Demand, stopwatch: &mut Stopwatch) -> Option<u64> {
        self.change(|memory| {
            let task = self.client.lock().admit(epoch, demand)?;
            Some(match task {
                Task::Give { pages, urgency } => {
                    let mut given = memory.give_readahead(pages, stopwatch);
                    given += memory.give(pages - given, urgency, stopwatch);
                    if let Some(committed) = memory.refused_at() {
                        self.client.lock().refused_by_kernel(committed, now());
                    }
                    given
                }
                Task::Take { pages } => memory.take(pages, pages, stopwatch),
                Task::PutAway { surplus, returned } => {
                    memory.put_away(surplus as usize);
                    returned
                }
            })
        })
    }

    /// Has the toolstack's will, if it is that this domain, which has lent, be smaller: first what it
    /// has lent is to come back.
    pub(crate) fn defer(&self) {
        if self.holdings().to_defer(balloon::above_target()) != 0 {
            self.change(Pages::defer);
        }
    }

    /// Cancels debts, if Dom0 has answered that they were paid.
    pub(crate) fn cancel_recalled(&self) {
        let recalled = self.client.lock().next_recalled();
        if let Some((ticket, granted)) = recalled {
            let granted = usize::try_from(granted).unwrap_or(usize::MAX);
            let cancelled = self.change_in(ticket.epoch, |memory| memory.cancel(granted) as u64);
            let cancelled = cancelled.unwrap_or(0);
            self.client.lock().took(ticket, granted as u64, cancelled);
        }
    }

    /// Gets memory on credit before anybody asks for it, so that a small request need not even
    /// trouble Xen.
    pub(crate) fn prepopulate(&self) {
        self.change(|memory| {
            let Some(wanted) = self.client.lock().prepopulate() else {
                return;
            };
            let got = memory.prepopulate(wanted as usize) as u64;
            if got < wanted {
                self.client.lock().fell_short(wanted - got);
            }
        });
    }
}

/// The stopwatch of carrying a demand out, at its start.
fn start(demand: &Demand) -> Stopwatch {
    let Demand::Reclaim {
        serial, pages, at, ..
    } = *demand
    else {
        return Stopwatch::default();
    };
    let mut stopwatch = Stopwatch::begin(serial, pages, at);
    stopwatch.split(Phase::WakeUp, now());
    stopwatch
}
