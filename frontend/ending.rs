// SPDX-License-Identifier: GPL-2.0

//! Locks: the domain settles because its device is taken away or the module unloaded, in a thread
//! that others need not wait for.

use crate::{
    auto::Automatic,
    session::Session, //
};
use cmm::client::Shell;
use kernel::{
    current,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc,
        Mutex, //
    }, //
};
use xen::{
    event_channel::Thread,
    out_of_tree::priority::NormalPriority, //
};

/// How the dealings with Dom0 end in good order, for all who have a part in that.
#[pin_data]
pub(crate) struct Ending {
    automatic: Arc<Automatic>,
    session: Arc<Session>,
    /// The toolstack takes the device away, and the channel's thread is to settle and to close it.
    taken_away: Atomic<bool>,
    /// Held while the domain settles.
    #[pin]
    settling: Mutex<()>,
}

impl Ending {
    pub(crate) fn new(automatic: Arc<Automatic>, session: Arc<Session>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                automatic,
                session,
                taken_away: Atomic::new(false),
                settling <- new_mutex!(()),
            }),
            GFP_KERNEL,
        )
    }

    /// The toolstack takes the device away: nothing new is begun, and the channel's thread does the
    /// rest. Returns `false` if there is no connection, and so nothing to be done.
    pub(crate) fn begin(&self) -> bool {
        self.automatic.forbid();
        self.taken_away.store(true, Relaxed);
        self.wake_thread()
    }

    /// The connection is over, whatever it ended by: there is nothing to settle any more.
    pub(crate) fn cancel(&self) {
        self.taken_away.store(false, Relaxed);
    }

    /// For the channel's thread: what [`begin`](Self::begin) has left to it.
    pub(crate) fn go_on(&self, thread: &Thread<'_>) {
        if !self.taken_away.load(Relaxed) {
            return;
        }
        let _patience = NormalPriority::begin(thread);
        let _settling = self.settling.lock();
        // Whoever suspends the domain has it settle by itself, and then this would meet another
        // domain.
        if self.session.client.lock().is_suspending() {
            return;
        }
        self.settle_and_disconnect();
        if self.taken_away.xchg(false, Full) {
            thread.device().frontend_closed();
        }
    }

    /// The device is about to go, and others wait for that: nothing new is begun, and whoever waits for
    /// Dom0 comes back.
    pub(crate) fn hurry(&self) {
        self.automatic.forbid();
        self.session.leave_soon();
    }

    /// The device goes: settles as far as that takes but a moment, and ends the connection.
    pub(crate) fn settle_shortly(&self) {
        let _settling = self.settling.lock();
        self.automatic.pause();
        self.session.settle_shortly();
    }

    /// Settles, and ends the connection, for whoever unloads the module. Waits for Dom0. Who kills that has
    /// not wanted the domain to leave its debts, which are then settled as
    /// [`settle_shortly`](Self::settle_shortly) does.
    pub(crate) fn settle_early(&self) {
        let _settling = self.settling.lock();
        self.automatic.pause();
        self.session.settle();
        if !current!().signal_pending() {
            self.session.disconnect();
        }
    }

    /// The domain is about to be suspended: who settles has come to an end after this, and nobody
    /// begins.
    pub(crate) fn suspend(&self) {
        self.session.client.lock().set_suspending(true);
        drop(self.settling.lock());
    }

    /// It goes on, and with it what it had begun.
    pub(crate) fn resume(&self) {
        self.session.client.lock().set_suspending(false);
        if self.taken_away.load(Relaxed) {
            self.wake_thread();
        }
    }

    fn settle_and_disconnect(&self) {
        self.automatic.pause();
        self.session.settle();
        self.session.disconnect();
    }

    /// Returns `false` if there is no connection.
    fn wake_thread(&self) -> bool {
        let client = self.session.client.lock();
        client.shell().map(Shell::wake_thread).is_some()
    }
}
