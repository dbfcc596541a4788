// SPDX-License-Identifier: GPL-2.0

//! Xenbus: what the driver keeps of its device.

use crate::{
    auto::{
        Automatic,
        Hand,
        Watch, //
    },
    connection::Connection,
    debugfs::Debugfs,
    report::Reporter,
    rescue::Rescue,
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
    awake_timer::AwakeTimer,
    oom::OomNotifier,
    out_of_tree::freezer::Freezer,
    timer::Timer,
    worker::Worker, //
};

/// The driver's data of the device `cmm-0`.
///
/// The fields are dropped in order: timers first, then the connection, and then what both use.
#[pin_data]
pub(crate) struct Frontend {
    #[pin]
    pub(crate) reports: Timer<Reporter>,
    pub(crate) _watch: AwakeTimer<Watch>,
    pub(crate) _rescue: Pin<KBox<OomNotifier<Rescue>>>,
    pub(crate) _hand: Arc<Worker<Hand>>,
    #[pin]
    pub(crate) connection: Mutex<Option<Connection>>,
    pub(crate) _debugfs: Debugfs,
    pub(crate) _suspend: Freezer<Suspend>,
    pub(crate) automatic: Arc<Automatic>,
    pub(crate) session: Arc<Session>,
    /// A connection could not be made, for a reason of our own: to try again at once would not help.
    pub(crate) has_failed: Atomic<bool>,
}
