// SPDX-License-Identifier: GPL-2.0

//! Xenbus: a connection to Dom0, how it comes about, and what its events do.

use crate::{
    ending::Ending,
    link::Link,
    session::Session, //
};
use cmm::{
    client::Event,
    protocol::VERSION, //
};
use kernel::{
    device,
    prelude::*,
    sync::Arc, //
};
use xen::{
    event_channel::{
        EventChannel,
        Handler,
        Notifier,
        Outcome,
        Thread, //
    },
    grant::GrantedPage,
    timer::now,
    xenbus::Device,
    xenstore::{
        self,
        Transaction, //
    }, //
};

/// Handles the events of a connection.
pub(crate) struct Events {
    session: Arc<Session>,
    ending: Arc<Ending>,
}

impl Handler for Events {
    fn handle(&self, _notifier: &Notifier) -> Outcome {
        let event = self.session.client.lock().event(now());
        let outcome = match event {
            Event::Nothing => return Outcome::Spurious,
            Event::Some => Outcome::Handled,
            // Dom0's answers to what this domain asks meanwhile are not to wait for the thread.
            Event::Work => Outcome::WakeThreadAndListen,
        };
        self.session.changed.notify_all();
        outcome
    }

    fn handle_threaded(&self, thread: &Thread<'_>) -> Outcome {
        self.session.defer();
        self.session.carry_out(thread);
        self.session.cancel_recalled();
        self.session.return_above_largest();
        self.session.prepopulate();
        self.session.tidy_up();
        self.session.report_fault(thread.device());
        self.ending.go_on(thread);
        Outcome::Handled
    }
}

/// A connection to Dom0, taken down when dropped.
///
/// The channel is closed before the page is taken back.
pub(crate) struct Connection {
    _channel: EventChannel<Events>,
    _page: Arc<GrantedPage>,
}

impl Connection {
    /// Makes a page and a channel, and tells the back-end of them in xenstore.
    pub(crate) fn open(
        dev: &Device<device::Bound>,
        session: &Arc<Session>,
        ending: &Arc<Ending>,
    ) -> Result<Self> {
        let page = Arc::new(GrantedPage::new(dev.otherend_id())?, GFP_KERNEL)?;
        let events = Events {
            session: session.clone(),
            ending: ending.clone(),
        };
        let channel = EventChannel::listen(dev, c"xen-cmmfront", events)?;

        let back = dev.otherend()?;
        let cancel = matches!(xenstore::read_number(&back, c"feature-cancel"), Ok(1));
        let balance = session.begin(Link::new(page.clone(), &channel, cancel))?;
        let published = Transaction::run(|transaction| {
            let node = dev.node();
            transaction.write(node, c"ring-ref", fmt!("{}", page.grant().0))?;
            transaction.write(node, c"event-channel", fmt!("{}", channel.port().0))?;
            transaction.write(node, c"versions", fmt!("{}", VERSION))?;
            transaction.write(node, c"feature-credit", fmt!("1"))?;
            transaction.write(node, c"balance", fmt!("{}", balance))
        });
        if published.is_err() {
            session.hang_up();
        }
        published?;

        Ok(Self {
            _channel: channel,
            _page: page,
        })
    }
}
