// SPDX-License-Identifier: GPL-2.0

//! Xenbus: the driver xen-cmmfront, the DomU's half of coordinated memory management.
//!
//! It asks Dom0 for memory when the domain is about to run out of it, or somebody writes `request_kb`,
//! and gives memory up when Dom0 asks.
//! What it decides is in [`cmm::client`]. Each file here is about one of four things:
//!
//! - xenbus: this, [`frontend`], and [`connection`];
//! - locks: [`session`], what is known and who may touch it; [`request`], who waits; [`report`], the
//!   timer; [`auto`] and [`rescue`], what the domain does by itself; [`ending`] and [`devices`], who
//!   settles; [`debugfs`];
//! - memory: [`pages`], and what makes it move, [`demands`], [`release`] and [`settle`]; [`link`],
//!   the shared page; [`timings`];
//! - errnos: [`knobs`], [`askers`], [`suspend`], [`errors`], and [`tracing`], what others may see of them.
//!
//! Lock order: who settles, who is next to change the domain's memory, that memory,
//! [`session::Session::change`], then [`session::Session::client`]. The last is taken in interrupt
//! context.

mod askers;
mod auto;
mod connection;
mod debugfs;
mod demands;
mod devices;
mod ending;
mod errors;
mod frontend;
mod knobs;
mod link;
mod pages;
mod release;
mod report;
mod request;
mod rescue;
mod session;
mod settle;
mod suspend;
mod timings;
mod tracing;

use askers::Askers;
use auto::{
    Automatic,
    Hand,
    Watch, //
};
use cmm::client::Stage;
use connection::Connection;
use debugfs::Debugfs;
use devices::{
    Devices,
    Entry, //
};
use ending::Ending;
use frontend::{
    Frontend,
    Target, //
};
use kernel::{
    device,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};
use report::{
    Reporter,
    Reports, //
};
use rescue::Rescue;
use session::Session;
use suspend::Suspend;
use xen::{
    attribute::Attribute as Knob,
    awake_timer::AwakeTimer,
    domain,
    misc_device::MiscDevice,
    oom::OomNotifier,
    out_of_tree::freezer::{
        self,
        Freezer, //
    },
    series::parameter,
    timer::Timer,
    worker::Worker,
    xenbus::{
        self,
        Device,
        Fate,
        XenbusState, //
    },
    xenstore, //
};

xen::module_xenbus_driver! {
    type: Frontend,
    name: "xen_cmmfront",
    authors: ["The xen-cmm authors"],
    description: "Coordinated memory management for Xen: the DomU half",
    license: "GPL v2",
    alias: ["xen:cmm"],
    params: {
        auto: u8 {
            default: 1,
            description: "Ask for memory and give it back by itself (default: 1); per device: the file auto",
        },
    },
}

static ID_TABLE: xenbus::IdArray<1> = xenbus::id_array([xenbus::DeviceId::new(c"cmm")]);

impl xenbus::Driver for Frontend {
    const HALF: xenbus::Half = xenbus::Half::Frontend;
    const ID_TABLE: xenbus::IdTable = &ID_TABLE;
    const ATTRIBUTES: &'static [Knob<Device<device::Bound>, Self>] = knobs::KNOBS;

    type Context = Arc<Devices>;
    type Data = Self;

    fn context() -> Result<Arc<Devices>> {
        if !domain::in_xen() {
            pr_err!("not loaded: this kernel does not run on Xen\n");
            return Err(ENODEV);
        }
        if domain::is_initial() {
            pr_err!("not loaded: this is Dom0, whose half is xen-cmmback\n");
            return Err(ENODEV);
        }
        Devices::new()
    }

    fn leave(devices: &Arc<Devices>) {
        devices.settle();
    }

    fn probe(dev: &Device<device::Core<'_>>, devices: &Arc<Devices>) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let session = Session::new(dev, settle::handed_over())?;
            let enabled = parameter(module_parameters::auto.value()) != 0;
            let automatic = Automatic::new(session.clone(), enabled)?;
            let hand = Worker::new(c"xen-cmm-auto", Hand(automatic.clone()))?;
            let hand = Arc::new(hand, GFP_KERNEL)?;
            let askers = Arc::new(Askers(hand.clone()), GFP_KERNEL)?;
            let rescue = OomNotifier::new(Rescue(hand.clone()));
            let ending = Ending::new(automatic.clone(), session.clone())?;
            let alarm = Timer::new(Reporter::new(session.clone()));
            let alarm = Arc::pin_init(alarm, GFP_KERNEL)?;
            let reports = Arc::new(Reports(alarm.clone()), GFP_KERNEL)?;
            let suspend = Suspend::new(session.clone(), ending.clone());
            Ok(try_pin_init!(Self {
                target <- xenstore::Watch::new(fmt!("memory"), Target(session.clone())),
                _programs <- MiscDevice::new(c"cmm", askers),
                _reports: AwakeTimer::new(reports)?,
                _watch: AwakeTimer::new(Arc::new(Watch(hand.clone()), GFP_KERNEL)?)?,
                _rescue: KBox::try_pin_init(rescue, GFP_KERNEL)?,
                _hand: hand,
                connection <- new_mutex!(None),
                _debugfs: Debugfs::new(session.clone(), automatic.clone(), alarm.clone())?,
                alarm,
                _suspend: Freezer::new(c"xen-cmm-settle", suspend)?,
                _entry: Entry::new(devices, &ending)?,
                ending,
                automatic,
                session,
                has_failed: Atomic::new(false),
            }))
        })
    }

    fn otherend_changed(
        dev: &Device<device::Bound>,
        _devices: &Arc<Devices>,
        this: Pin<&Self>,
        state: XenbusState,
    ) -> Fate {
        match state {
            XenbusState::InitWait => this.connect(dev),
            XenbusState::Connected => this.connected(dev),
            XenbusState::Closing => {
                if !(dev.is_taken_away() && this.ending.begin()) {
                    this.disconnect(dev);
                }
            }
            XenbusState::Closed | XenbusState::Unknown => this.disconnect(dev),
            // It says nothing that this half waits for, or is no state of such a device.
            XenbusState::Initialising
            | XenbusState::Initialised
            | XenbusState::Reconfiguring
            | XenbusState::Reconfigured => (),
        }
        Fate::Keep
    }

    fn resume(dev: &Device<device::Bound>, this: Pin<&Self>) -> Result {
        if freezer::falls_asleep() {
            this.wake_up(dev);
            return Ok(());
        }
        // The grant and the event channel belong to the domain this was, and its debts to its
        // ledger. Once the new back-end shows itself, all begins anew.
        this.hang_up();
        this.session.write_off();
        this.has_failed.store(false, Relaxed);
        Ok(())
    }

    fn unbinding(_dev: &Device<device::Core<'_>>, _devices: &Arc<Devices>, this: Pin<&Self>) {
        this.ending.hurry();
    }

    fn unbind(dev: &Device<device::Core<'_>>, _devices: &Arc<Devices>, this: Pin<&Self>) {
        if !dev.has_otherend() {
            // The domain was restored without the device. The connection is that of the domain it
            // was, and so are its debts.
            this.hang_up();
            return this.session.write_off();
        }
        this.ending.settle_shortly();
        this.connection.lock().take();
        this.session.leave();
    }
}

impl Frontend {
    /// The domain had put itself to sleep: all is as it was, but for the state of the device, which
    /// the bus has forgotten.
    fn wake_up(&self, dev: &Device<device::Bound>) {
        let stage = self.session.client.lock().stage();
        match stage {
            Stage::Open => dev.switch_state(XenbusState::Connected),
            Stage::Opening => dev.switch_state(XenbusState::Initialised),
            // What the back-end does next makes a new connection.
            Stage::Closed | Stage::Broken => (),
        }
    }

    /// The back-end waits for us: publish what it needs.
    fn connect(&self, dev: &Device<device::Bound>) {
        let mut connection = self.connection.lock();
        if dev.state() == XenbusState::Closed {
            // The channel's thread has ended it, and could not take itself down.
            drop(connection.take());
        }
        if connection.is_some() || self.has_failed.load(Relaxed) {
            return;
        }
        match Connection::open(dev, &self.session, &self.ending) {
            Ok(opened) => {
                *connection = Some(opened);
                dev.switch_state(XenbusState::Initialised);
            }
            Err(err) => {
                self.has_failed.store(true, Relaxed);
                dev.dev_fatal(
                    err,
                    fmt!(
                        "cannot set up the connection to Dom0; load the module again to try again"
                    ),
                );
            }
        }
    }

    /// The back-end has connected to what we published.
    fn connected(&self, dev: &Device<device::Bound>) {
        if dev.state() == XenbusState::Initialised {
            dev.switch_state(XenbusState::Connected);
            // It may have broken the protocol already.
            if self.session.client.lock().establish().is_ok() {
                self.alarm.arm(0);
                self.automatic.resume();
            }
        }
    }

    /// Ends the connection as it is.
    fn hang_up(&self) {
        self.ending.cancel();
        self.session.hang_up();
        self.connection.lock().take();
    }

    /// The back-end is gone, or about to go.
    fn disconnect(&self, dev: &Device<device::Bound>) {
        self.hang_up();
        if dev.state() != XenbusState::Initialising {
            dev.frontend_closed();
        }
    }
}
