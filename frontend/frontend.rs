// SPDX-License-Identifier: GPL-2.0

//! Xenbus: what the driver keeps of its device.

use crate::{
    connection::Connection,
    debugfs::Debugfs,
    report::Reporter,
    session::Session,
    suspend::Suspend, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Atomic,
        Arc,
        Mutex, //
    }, //
};
use xen::{
    out_of_tree::freezer::Freezer,
    timer::Timer, //
};

/// The driver's data of the device `cmm-0`.
///
/// The fields are dropped in order: the timer first, then the connection, and then what both use.
#[pin_data]
pub(crate) struct Frontend {
    #[pin]
    pub(crate) reports: Timer<Reporter>,
    #[pin]
    pub(crate) connection: Mutex<Option<Connection>>,
    pub(crate) _debugfs: Debugfs,
    pub(crate) _suspend: Freezer<Suspend>,
    pub(crate) session: Arc<Session>,
    /// A connection could not be made, for a reason of our own: to try again at once would not help.
    pub(crate) has_failed: Atomic<bool>,
}
