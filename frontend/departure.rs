// SPDX-License-Identifier: GPL-2.0

//! Settles before the domain is suspended, and keeps it from that if it would have more memory than it
//! could be restored with.

use crate::session::Session;
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    }, //
};
use xen::freezer::Freeze;

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
        self.session.settle_frozen();
        let balance = self.session.balance.load(Relaxed);
        if cmm::image::is_restorable(balance) {
            return Ok(());
        }
        pr_err!(
            "not suspended: {} KiB of borrowed memory are in use, with which the domain could not be \
            restored. Free some, or have it given more (xl mem-set)\n",
            cmm::pages::to_kib(balance.unsigned_abs())
        );
        Err(EBUSY)
    }

    fn thaw(&self) {
        self.session.state.lock().departing = false;
    }
}
