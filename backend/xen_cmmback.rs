// SPDX-License-Identifier: GPL-2.0

//! Xenbus: the driver xen-cmmback, Dom0's half of coordinated memory management.
//!
//! It tells the coordinator, [`cmm::coordinator`], what happens, and does what that decides. Each
//! file here is about one of four things:
//!
//! - xenbus: this and [`backend`], devices; [`connection`], how one comes about and ends;
//!   [`service`], what belongs to no device;
//! - locks: [`core`], the coordinator and the connections, and the timer that drives them;
//!   [`debugfs`], the books, and where the time went; [`tracing`], what is said;
//! - memory: [`link`], this end of the shared pages; [`room`], where what is known of domains is
//!   kept;
//! - errnos: [`knobs`].

mod backend;
mod connection;
mod core;
mod debugfs;
mod knobs;
mod link;
mod room;
mod service;
mod tracing;

use backend::{
    Backend,
    Dealings,
    Target, //
};
use cmm::coordinator::Event;
use connection::Connection;
use kernel::{
    device,
    fmt,
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
use service::{
    is_gone,
    Service, //
};
use xen::{
    attribute::Attribute as Knob,
    domain,
    timer::now,
    xenbus::{
        self,
        Device,
        Fate,
        XenbusState, //
    },
    xenstore::{
        self,
        Watch,
        Watcher, //
    }, //
};

xen::module_xenbus_driver! {
    type: Backend,
    name: "xen_cmmback",
    authors: ["The xen-cmm authors"],
    description: "Coordinated memory management for Xen: the Dom0 half",
    license: "GPL v2",
    alias: ["xen-backend:cmm"],
}

static ID_TABLE: xenbus::IdArray<1> = xenbus::id_array([xenbus::DeviceId::new(c"cmm")]);

impl xenbus::Driver for Backend {
    const HALF: xenbus::Half = xenbus::Half::Backend;
    const ID_TABLE: xenbus::IdTable = &ID_TABLE;
    const ATTRIBUTES: &'static [Knob<Device<device::Bound>, Self>] = knobs::KNOBS;
    const DRIVER_ATTRIBUTES: &'static [Knob<(), Arc<Service>>] = knobs::DRIVER_KNOBS;

    type Context = Arc<Service>;
    type Data = Self;

    fn context() -> Result<Arc<Service>> {
        if !domain::in_xen() {
            pr_err!("not loaded: this kernel does not run on Xen\n");
            return Err(ENODEV);
        }
        if !domain::is_initial() {
            pr_err!("not loaded: this is a DomU, whose half is xen-cmmfront\n");
            return Err(ENODEV);
        }
        Service::new()
    }

    fn leave(service: &Arc<Service>) {
        service.core().shut_down();
    }

    fn probe(dev: &Device<device::Core<'_>>, service: &Arc<Service>) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let dom = cmm::DomId::new(dev.otherend_id().0).ok_or(EINVAL)?;
            let record = connection::recorded(dev, dom);
            let fresh = record.is_none();
            if let Some(record) = record {
                service.recall(dom, record)?;
            }
            connection::invite(dev)?;

            let target = Target {
                service: service.clone(),
                dom,
            };
            let node = KBox::new(dom, GFP_KERNEL)?;
            Ok(try_pin_init!(Self {
                target <- Watch::new(
                    format_args!("/local/domain/{}/memory/target", node.raw()),
                    target,
                ),
                dealings <- new_mutex!(Dealings::default()),
                service: service.clone(),
                dom,
                fresh: Atomic::new(fresh),
                sent_away: Atomic::new(false),
            }))
        })
    }

    fn otherend_changed(
        dev: &Device<device::Bound>,
        _context: &Arc<Service>,
        this: Pin<&Self>,
        state: XenbusState,
    ) -> Fate {
        match state {
            XenbusState::Initialised => this.connect(dev),
            XenbusState::Closing => {
                this.disconnect(dev);
                dev.switch_state(XenbusState::Closing);
            }
            XenbusState::Closed => return this.closed(dev),
            XenbusState::Unknown if is_gone(this.dom) => {
                this.disconnect(dev);
                return Fate::Unregister;
            }
            // Its directory is its own: whoever writes nonsense there is not invited again, and lives.
            XenbusState::Unknown => {
                this.sent_away.store(true, Relaxed);
                return this.closed(dev);
            }
            // It says nothing that this half waits for, or is no state of such a device.
            XenbusState::Initialising
            | XenbusState::InitWait
            | XenbusState::Connected
            | XenbusState::Reconfiguring
            | XenbusState::Reconfigured => (),
        }
        Fate::Keep
    }

    fn unbind(dev: &Device<device::Core<'_>>, _context: &Arc<Service>, this: Pin<&Self>) {
        this.disconnect(dev);
        this.write_down(dev);
    }
}

impl Backend {
    /// The front-end has published its details.
    fn connect(&self, dev: &Device<device::Bound>) {
        let mut dealings = self.dealings.lock();
        if dealings.connection.is_some() || dev.state() != XenbusState::InitWait {
            return;
        }
        let fresh = self.fresh.load(Relaxed);
        match Connection::open(dev, self.service.core(), self.dom, fresh, dealings.budget) {
            Ok(opened) => {
                self.fresh.store(false, Relaxed);
                dealings.connection = Some(opened);
                dev.switch_state(XenbusState::Connected);
            }
            Err(why) => self.send_away(dev, why.error(), format_args!("{why}")),
        }
    }

    /// The front-end is not invited again.
    fn send_away(&self, dev: &Device<device::Bound>, err: Error, why: fmt::Arguments<'_>) {
        self.sent_away.store(true, Relaxed);
        dev.dev_fatal(err, format_args!("domain {}: {why}", self.dom.raw()));
    }

    /// The front-end has closed. It may come back, unless the toolstack is taking the device away
    /// or it was sent away.
    fn closed(&self, dev: &Device<device::Bound>) -> Fate {
        self.disconnect(dev);
        if !dev.is_online() {
            dev.switch_state(XenbusState::Closed);
            return Fate::Unregister;
        }
        if !self.sent_away.load(Relaxed) && !self.dealings.lock().visits.pay(now()) {
            self.send_away(
                dev,
                EBUSY,
                format_args!("its front-end comes and goes too often"),
            );
        }
        dev.switch_state(if self.sent_away.load(Relaxed) {
            XenbusState::Closed
        } else {
            XenbusState::InitWait
        });
        Fate::Keep
    }

    /// Ends the connection, if there is one, and writes down how things stand.
    fn disconnect(&self, dev: &Device<device::Bound>) {
        let was_connected = self.hang_up(dev);
        if is_gone(self.dom) {
            self.service.core().tell(Event::Died { dom: self.dom });
        } else if was_connected {
            self.write_down(dev);
        }
    }

    /// Ends the connection. Returns whether there was one.
    fn hang_up(&self, dev: &Device<device::Bound>) -> bool {
        let mut dealings = self.dealings.lock();
        let Some(connection) = dealings.connection.take() else {
            return false;
        };
        if connection.hear_out(dev) {
            self.sent_away.store(true, Relaxed);
        }
        if let Some(budget) = connection.budget() {
            dealings.budget = budget;
        }
        drop(connection);
        true
    }

    /// Writes down what the next back-end is to know of the domain.
    fn write_down(&self, dev: &Device<device::Bound>) {
        let Some(record) = self.service.core().record(self.dom) else {
            return;
        };
        if xenstore::write_below(dev.node(), c"record", format_args!("{record}")).is_err() {
            pr_warn!("{}: cannot write down its balance\n", self.dom.raw());
        }
    }
}

impl Watcher for Target {
    fn changed(&self) {
        let dom = self.dom;
        // It is gone when the domain is.
        let target = connection::target(dom);
        if let Some(target) = connection::sensible(dom, "memory/target", target) {
            self.service
                .core()
                .tell(Event::ToolstackChanged { dom, target });
        }
    }
}
