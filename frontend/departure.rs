// SPDX-License-Identifier: GPL-2.0

//! Settles before the domain is suspended, and keeps it from that if it would have more memory than it
//! could be restored with.
//!
//! The toolstack restores a domain as large as it wants it to have been, and not a megabyte larger. What
//! is borrowed comes on top of that: an image with it in cannot be restored, and the domain would be lost.

use crate::session::Session;
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    }, //
};
use xen::freezer::Freeze;

/// What the toolstack leaves a domain above its target, less what else may need that, in pages: half of
/// the megabyte.
const ROOM: i64 = 128;

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
        self.session.settle_frozen();
        let balance = self.session.balance.load(Relaxed);
        if balance <= ROOM {
            return Ok(());
        }
        pr_err!(
            "not suspended: {} KiB of borrowed memory are in use, with which the domain could not be \
            restored. Free some, or have it given more (xl mem-set)\n",
            cmm::pages::to_kib(balance.unsigned_abs())
        );
        Err(EBUSY)
    }
}
