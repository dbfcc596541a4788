// SPDX-License-Identifier: GPL-2.0

//! A connection to Dom0, and what its events do.

use crate::{
    session::Session,
    state::Link, //
};
use cmm::protocol::VERSION;
use kernel::{
    device,
    prelude::*,
    sync::Arc, //
};
use xen::{
    event_channel::{
        EventChannel,
        Handler,
        Outcome, //
    },
    grant::GrantedPage,
    xenbus::Device,
    xenstore::Transaction, //
};

/// Handles the events of a connection.
pub(crate) struct Events {
    session: Arc<Session>,
}

impl Handler for Events {
    fn handle(&self) -> Outcome {
        let mut state = self.session.state.lock();
        let outcome = match state.drain() {
            Ok(0) => return Outcome::Spurious,
            Ok(_) if state.orders.iter().any(Option::is_some) || state.wants_stock() => {
                Outcome::WakeThread
            }
            Ok(_) => Outcome::Handled,
            Err(why) => {
                state.break_off(why);
                Outcome::WakeThread
            }
        };
        drop(state);
        self.session.changed.notify_all();
        outcome
    }

    fn handle_threaded(&self) {
        self.session.carry_out();
        self.session.stock_up();
        self.session.tidy_up();
        self.session.report_fault();
    }
}

/// A connection to Dom0, taken down when dropped.
///
/// The channel is closed before the page is taken back.
pub(crate) struct Connection {
    _channel: Pin<KBox<EventChannel<Events>>>,
    _page: Arc<GrantedPage>,
}

impl Connection {
    /// Makes a page and a channel, and tells the back-end of them in xenstore.
    pub(crate) fn open(dev: &Device<device::Bound>, session: &Arc<Session>) -> Result<Self> {
        let page = Arc::new(GrantedPage::new(dev.otherend_id())?, GFP_KERNEL)?;
        let events = Events {
            session: session.clone(),
        };
        let channel = KBox::pin_init(
            EventChannel::listen(dev, c"xen-cmmfront", events),
            GFP_KERNEL,
        )?;

        // What was granted in an earlier connection may not be taken once this claim is made.
        let pages = session.pages.lock();
        let link = Link::new(page.clone(), &channel);
        session.state.lock().begin(link);
        let balance = pages.balance();
        drop(pages);

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
