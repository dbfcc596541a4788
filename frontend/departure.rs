// SPDX-License-Identifier: GPL-2.0

//! Settles before the domain is suspended, and keeps it from that if it would have more memory than it
//! could be restored with.

use crate::session::Session;
use cmm::{
    image::{
        is_restorable,
        least_left, //
    },
    timing::Stopwatch, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    }, //
};
use xen::{
    freezer::Freeze,
    memory, //
};

/// Has a say in whether the domain is suspended.
pub(crate) struct Departure {
    session: Arc<Session>,
}

impl Departure {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self { session }
    }
}

impl Freeze for Departure {
    fn freeze(&self) -> Result {
        self.session.state.lock().departing = true;
        let left = self.session.settle_frozen();
        if is_restorable(left) {
            return Ok(());
        }
        pr_err!(
            "not suspended: {} KiB of borrowed memory are in use, with which the domain could not be \
            restored. Free some, or have it given more (xl mem-set)\n",
            cmm::pages::to_kib(left.unsigned_abs())
        );
        Err(EBUSY)
    }

    fn thaw(&self) {
        self.session.state.lock().departing = false;
    }
}

impl Session {
    /// As [`Session::settle`], in a domain whose processes are all frozen. Returns the balance that is
    /// left, or would be: if that is too much, all is as before, for the domain goes on.
    fn settle_frozen(&self) -> i64 {
        self.put_away();
        let balance = self.pages.lock().balance();
        let ahead = self.fetched_ahead.load(Relaxed);
        let least = least_left(balance, ahead, memory::available() as u64);
        if !is_restorable(least) {
            return least;
        }
        if self.state.lock().is_connected() {
            self.settle_by(Self::release_frozen);
        } else {
            self.give_unheard();
        }
        let left = self.balance.load(Relaxed);
        if !is_restorable(left) {
            // The kernel could spare less than it said.
            let _ = self.take_again((balance - left).unsigned_abs());
        }
        left
    }

    /// Gives back what was borrowed while there is nobody to tell: the next connection's claim does.
    fn give_unheard(&self) {
        self.change(|memory| {
            if !self.state.lock().has_link() {
                memory.give_ahead(u64::MAX, &mut Stopwatch::default());
                let borrowed = u64::try_from(memory.balance()).unwrap_or(0);
                memory.give_frozen(borrowed);
            }
        });
    }
}
