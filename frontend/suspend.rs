// SPDX-License-Identifier: GPL-2.0

//! Errnos: the domain is not suspended if it would have more memory than it could be restored with.

use crate::{
    ending::Ending,
    session::Session, //
};
use cmm::client::is_restorable;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use xen::out_of_tree::freezer::Freeze;

/// Has a say in whether the domain is suspended.
pub(crate) struct Suspend {
    session: Arc<Session>,
    ending: Arc<Ending>,
}

impl Suspend {
    pub(crate) fn new(session: Arc<Session>, ending: Arc<Ending>) -> Self {
        Self { session, ending }
    }
}

impl Freeze for Suspend {
    fn freeze(&self) -> Result {
        self.ending.suspend();
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
        self.ending.resume();
    }
}
