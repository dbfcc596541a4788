// SPDX-License-Identifier: GPL-2.0

//! xen-hello-front: the front-end of the smallest split driver, as a model for others.
//!
//! It shares a page with its back-end, writes a question there, and checks the answer, which
//! `/sys/bus/xen/devices/hello-0/answer` shows.

mod hello_page;

use hello_page::{answer_to, Message, ANSWER, ANSWERED, ASKED, GREETING, QUESTION};
use kernel::device::{Bound, Core};
use kernel::sync::atomic::{Acquire, Release};
use kernel::sync::Mutex;
use kernel::{new_mutex, prelude::*};
use xen::attribute::Attribute;
use xen::event_channel::{EventChannel, Handler, Notifier, Outcome, Thread};
use xen::series::{new_spinlock_irq, SpinLockIrq, ENOTCONN, EPROTO};
use xen::xenbus::{self, Device, Fate, Half, XenbusState, XenbusState::*};
use xen::{domain, grant::GrantedPage, xenstore::Transaction};

xen::module_xenbus_driver! {
    type: Front,
    name: "xen_hello_front",
    authors: ["The xen-cmm authors"],
    description: "A sample: the front-end of the smallest split driver",
    license: "GPL v2",
    alias: ["xen:hello"],
}

/// A connection's page, and what came of it.
#[pin_data]
struct Dialogue {
    page: GrantedPage,
    /// A copy: what lies in the page may change at any time.
    #[pin]
    answer: SpinLockIrq<Option<Message>>,
}

impl Handler for Dialogue {
    fn handle(&self, _notifier: &Notifier) -> Outcome {
        let mut answer = self.answer.lock();
        if answer.is_some() || self.page.word(ANSWERED).load(Acquire) != 1 {
            return Outcome::Spurious;
        }
        *answer = Some(self.page.read(ANSWER));
        if *answer != Some(answer_to(GREETING)) {
            return Outcome::WakeThread;
        }
        Outcome::Handled
    }

    fn handle_threaded(&self, thread: &Thread<'_>) -> Outcome {
        let dev = thread.device();
        dev.dev_fatal(EPROTO, fmt!("the answer is wrong"));
        Outcome::Mute
    }
}

/// A connection. Dropping it closes the channel, and then takes the page back.
type Connection = EventChannel<Dialogue>;

/// The driver's data of a device.
#[pin_data]
struct Front {
    #[pin]
    connection: Mutex<Option<Connection>>,
}

impl xenbus::Driver for Front {
    const HALF: Half = Half::Frontend;
    const ID_TABLE: xenbus::IdTable = &xenbus::id_array([xenbus::DeviceId::new(c"hello")]);
    const ATTRIBUTES: &'static [Attribute<Device<Bound>, Self>] =
        &[Attribute::read_only(c"answer", |_, this, text| {
            let connection = this.connection.lock();
            let channel = connection.as_ref().ok_or(ENOTCONN)?;
            let answer = *channel.handler().answer.lock();
            hello_page::show(answer, text)
        })];

    type Context = ();
    type Data = Self;

    fn context() -> Result {
        domain::in_xen().then_some(()).ok_or(ENODEV)
    }

    fn probe(_dev: &Device<Core<'_>>, _context: &()) -> impl PinInit<Self, Error> {
        try_pin_init!(Self { connection <- new_mutex!(None) })
    }

    fn otherend_changed(
        dev: &Device<Bound>,
        _context: &(),
        this: Pin<&Self>,
        state: XenbusState,
    ) -> Fate {
        match state {
            InitWait => this.connect(dev).unwrap_or_else(|err| {
                dev.dev_fatal(err, fmt!("cannot set up a connection"));
            }),
            Connected => {
                if let Some(channel) = this.connection.lock().as_ref() {
                    dev.switch_state(Connected);
                    channel.handler().page.write(QUESTION, GREETING);
                    channel.handler().page.word(ASKED).store(1, Release);
                    channel.notify();
                }
            }
            Closing | Closed | Unknown => {
                this.connection.lock().take();
                dev.frontend_closed();
            }
            Initialising | Initialised | Reconfiguring | Reconfigured => (),
        }
        Fate::Keep
    }

    fn resume(_dev: &Device<Bound>, this: Pin<&Self>) -> Result {
        this.connection.lock().take();
        Ok(())
    }

    fn unbind(_dev: &Device<Core<'_>>, _context: &(), this: Pin<&Self>) {
        this.connection.lock().take();
    }
}

impl Front {
    /// Makes a page and a channel, and tells the back-end of them.
    fn connect(&self, dev: &Device<Bound>) -> Result {
        let mut connection = self.connection.lock();
        if connection.is_some() {
            return Ok(());
        }
        let dialogue = try_pin_init!(Dialogue {
            page: GrantedPage::new(dev.otherend_id())?,
            answer <- new_spinlock_irq!(None),
        });
        let channel = EventChannel::listen(dev, c"xen-hello-front", dialogue)?;
        let (page, port) = (channel.handler().page.grant(), channel.port());
        Transaction::run(|transaction| {
            transaction.write(dev.node(), c"page-ref", fmt!("{}", page.0))?;
            transaction.write(dev.node(), c"event-channel", fmt!("{}", port.0))
        })?;
        *connection = Some(channel);
        dev.switch_state(Initialised);
        Ok(())
    }
}
