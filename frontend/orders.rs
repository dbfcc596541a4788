// SPDX-License-Identifier: GPL-2.0

//! What Dom0 asks of this domain, to be done in the channel's thread.

use crate::{
    pages::BATCH,
    session::Session, //
};
use cmm::{
    protocol::{
        Up,
        Urgency, //
    }, //
    timing::{
        Phase,
        Stopwatch, //
    },
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};
use xen::{
    thread::AmongOthers,
    timer::now, //
};

/// Something Dom0 asks.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    Reclaim {
        id: u32,
        pages: u64,
        urgency: Urgency,
        /// When it came.
        at: u64,
    },
    Give {
        id: u32,
        pages: u64,
    },
    Revoke {
        id: u32,
        pages: u64,
    },
}

impl Order {
    /// What to answer when `pages` pages were moved.
    fn answer(self, pages: u64) -> Up {
        match self {
            Order::Reclaim { id, .. } | Order::Revoke { id, .. } => Up::Offered { id, pages },
            Order::Give { id, .. } => Up::Took { id, pages },
        }
    }

    /// Whether it takes so long that others should have their share of the CPU meanwhile.
    fn is_long(self) -> bool {
        let (Order::Reclaim { pages, .. }
        | Order::Give { pages, .. }
        | Order::Revoke { pages, .. }) = self;
        pages > BATCH as u64
    }

    /// The stopwatch of carrying it out, at its start.
    fn stopwatch(self) -> Stopwatch {
        let mut stopwatch = Stopwatch::default();
        if let Order::Reclaim { id, pages, at, .. } = self {
            stopwatch = Stopwatch::begin(id, pages, at);
            stopwatch.split(Phase::WakeUp, now());
        }
        stopwatch
    }
}

impl Session {
    /// Does what Dom0 has asked, one order at a time.
    pub(crate) fn carry_out(&self) {
        loop {
            let (order, epoch) = {
                let mut state = self.state.lock();
                let epoch = state.epoch;
                match state.orders.iter_mut().find_map(Option::take) {
                    Some(order) => (order, epoch),
                    None => return,
                }
            };
            let _patience = order.is_long().then(AmongOthers::begin);
            let mut stopwatch = order.stopwatch();
            let done = match order {
                Order::Reclaim { pages, urgency, .. } => self.change_in(epoch, |memory| {
                    let given = memory.give_ahead(pages, &mut stopwatch);
                    given + memory.give(pages - given, urgency, &mut stopwatch)
                }),
                Order::Give { pages, .. } => self.change_in(epoch, |memory| {
                    if self.state.lock().departing {
                        return 0;
                    }
                    memory.take(pages, pages, &mut stopwatch)
                }),
                Order::Revoke { pages, .. } => {
                    self.change_in(epoch, |memory| self.revoke(memory, pages))
                }
            };
            if let (Order::Reclaim { pages, .. }, Ok(given)) = (order, &done) {
                // Dom0 believes that there is no more until it hears otherwise.
                if *given < pages {
                    self.moved.store(true, Relaxed);
                }
            }
            let sent = done.and_then(|pages| self.send(epoch, &order.answer(pages)));
            if matches!(order, Order::Reclaim { .. }) {
                self.parts.lock().given(&stopwatch);
            }
            if sent.is_err() {
                // The next connection's claim tells it.
                pr_info!("Dom0 went away before it could be answered\n");
            }
        }
    }
}
