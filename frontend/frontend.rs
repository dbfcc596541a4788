// SPDX-License-Identifier: GPL-2.0

//! Xenbus: what the driver keeps of its device.

use crate::{
    askers::Askers,
    auto::{
        Automatic,
        Hand,
        Watch, //
    },
    connection::Connection,
    debugfs::Debugfs,
    devices::Entry,
    ending::Ending,
    report::{
        Reporter,
        Reports, //
    },
    rescue::Rescue,
    session::Session,
    suspend::Suspend, //
};
use cmm::pages::from_kib;
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
    misc_device::MiscDevice,
    oom::OomNotifier,
    out_of_tree::freezer::Freezer,
    timer::Timer,
    worker::Worker,
    xenstore, //
};

/// Hears of the size the toolstack wants the domain to have, as the balloon driver does, but for what
/// the domain has lent, and of the size it lets it have at most.
pub(crate) struct Target(pub(crate) Arc<Session>);

impl xenstore::Watcher for Target {
    fn changed(&self) {
        let kib = xenstore::read_number(c"memory", c"static-max");
        match kib.and_then(|kib| from_kib(kib).ok_or(EINVAL)) {
            Ok(pages) => self.0.client.lock().set_largest(pages),
            Err(err) if err == EINVAL => {
                pr_warn!("memory/static-max is nonsense: what was said before holds\n");
            }
            // Nobody says how large the domain may be.
            Err(_) => (),
        }
        self.0.defer();
    }
}

/// The driver's data of the device `cmm-0`.
///
/// The fields are dropped in order: the watch and timers first, then the connection, and then what
/// both use.
#[pin_data]
pub(crate) struct Frontend {
    #[pin]
    pub(crate) target: xenstore::Watch<Target>,
    #[pin]
    pub(crate) _programs: MiscDevice<Askers>,
    pub(crate) _reports: AwakeTimer<Reports>,
    pub(crate) alarm: Arc<Timer<Reporter>>,
    pub(crate) _watch: AwakeTimer<Watch>,
    pub(crate) _rescue: Pin<KBox<OomNotifier<Rescue>>>,
    pub(crate) _hand: Arc<Worker<Hand>>,
    #[pin]
    pub(crate) connection: Mutex<Option<Connection>>,
    pub(crate) _debugfs: Debugfs,
    pub(crate) _suspend: Freezer<Suspend>,
    pub(crate) _entry: Entry,
    pub(crate) ending: Arc<Ending>,
    pub(crate) automatic: Arc<Automatic>,
    pub(crate) session: Arc<Session>,
    /// A connection could not be made, for a reason of our own: to try again at once would not help.
    pub(crate) has_failed: Atomic<bool>,
}
