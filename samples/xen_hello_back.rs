// SPDX-License-Identifier: GPL-2.0

//! xen-hello-back: the back-end of the smallest split driver, as a model for others.
//!
//! It maps the page that its front-end shares, and answers the question that it finds there, which
//! `/sys/bus/xen-backend/devices/hello-N-0/heard` shows, for domain N.

mod hello_page;

use hello_page::{answer_to, Message, ANSWER, ANSWERED, ASKED, QUESTION};
use kernel::device::{Bound, Core};
use kernel::sync::atomic::{Acquire, Release};
use kernel::sync::Mutex;
use kernel::{new_mutex, prelude::*};
use xen::attribute::Attribute;
use xen::event_channel::{EventChannel, Handler, Notifier, Outcome, Port};
use xen::grant::{GrantRef, MappedPage};
use xen::series::{new_spinlock_irq, SpinLockIrq, ENOTCONN};
use xen::xenbus::{self, Device, Fate, Half, XenbusState, XenbusState::*};
use xen::{domain, xenstore};

xen::module_xenbus_driver! {
    type: Back,
    name: "xen_hello_back",
    authors: ["The xen-cmm authors"],
    description: "A sample: the back-end of the smallest split driver",
    license: "GPL v2",
    alias: ["xen-backend:hello"],
}

/// A connection's page, and what came of it.
#[pin_data]
struct Dialogue {
    page: MappedPage,
    /// A copy, made once: what lies in the page may change at any time.
    #[pin]
    heard: SpinLockIrq<Option<Message>>,
}

impl Handler for Dialogue {
    fn handle(&self, notifier: &Notifier) -> Outcome {
        let mut heard = self.heard.lock();
        if heard.is_some() || self.page.word(ASKED).load(Acquire) != 1 {
            return Outcome::Spurious;
        }
        let question = self.page.read(QUESTION);
        *heard = Some(question);
        self.page.write(ANSWER, answer_to(question));
        self.page.word(ANSWERED).store(1, Release);
        notifier.notify();
        Outcome::Handled
    }
}

/// A connection. Dropping it closes the channel, and then unmaps the page.
type Connection = EventChannel<Dialogue>;

/// The driver's data of a device.
#[pin_data]
struct Back {
    #[pin]
    connection: Mutex<Option<Connection>>,
}

impl xenbus::Driver for Back {
    const HALF: Half = Half::Backend;
    const ID_TABLE: xenbus::IdTable = &xenbus::id_array([xenbus::DeviceId::new(c"hello")]);
    const ATTRIBUTES: &'static [Attribute<Device<Bound>, Self>] =
        &[Attribute::read_only(c"heard", |_, this, text| {
            let connection = this.connection.lock();
            let channel = connection.as_ref().ok_or(ENOTCONN)?;
            let heard = *channel.handler().heard.lock();
            hello_page::show(heard, text)
        })];

    type Context = ();
    type Data = Self;

    fn context() -> Result {
        domain::in_xen().then_some(()).ok_or(ENODEV)
    }

    fn probe(dev: &Device<Core<'_>>, _context: &()) -> impl PinInit<Self, Error> {
        // A front-end that has not noticed that an earlier back-end went must close first.
        dev.switch_state(match dev.otherend_state() {
            Initialised | Connected | Closing => Closed,
            Unknown | Initialising | InitWait | Closed | Reconfiguring | Reconfigured => InitWait,
        });
        try_pin_init!(Self { connection <- new_mutex!(None) })
    }

    fn otherend_changed(
        dev: &Device<Bound>,
        _context: &(),
        this: Pin<&Self>,
        state: XenbusState,
    ) -> Fate {
        match state {
            Initialised => this.connect(dev).unwrap_or_else(|err| {
                dev.dev_fatal(err, fmt!("there is nothing to connect to"));
            }),
            Closing => {
                this.connection.lock().take();
                dev.switch_state(Closing);
            }
            Closed | Unknown => {
                this.connection.lock().take();
                if !dev.is_online() {
                    dev.switch_state(Closed);
                    return Fate::Unregister;
                }
                // It may come back.
                dev.switch_state(InitWait);
            }
            Initialising | InitWait | Connected | Reconfiguring | Reconfigured => (),
        }
        Fate::Keep
    }

    fn unbind(_dev: &Device<Core<'_>>, _context: &(), this: Pin<&Self>) {
        this.connection.lock().take();
    }
}

impl Back {
    /// Connects to what the front-end has told of.
    fn connect(&self, dev: &Device<Bound>) -> Result {
        let mut connection = self.connection.lock();
        if connection.is_some() {
            return Ok(());
        }
        let dir = dev.otherend()?;
        let page = GrantRef(xenstore::read_number(&dir, c"page-ref")?);
        let port = Port(xenstore::read_number(&dir, c"event-channel")?);
        let dialogue = try_pin_init!(Dialogue {
            page: MappedPage::new(dev, page)?,
            heard <- new_spinlock_irq!(None),
        });
        *connection = Some(EventChannel::connect(
            dev,
            port,
            c"xen-hello-back",
            dialogue,
        )?);
        dev.switch_state(Connected);
        Ok(())
    }
}
