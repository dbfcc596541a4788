// SPDX-License-Identifier: GPL-2.0

//! Memory: our end of the shared page and its channel, which the client speaks through.

use cmm::client::Shell;
use kernel::sync::Arc;
use ring_page::RingPage;
use xen::{
    event_channel::{
        EventChannel,
        Handler,
        Notifier,
        Waker, //
    },
    grant::GrantedPage,
    out_of_tree::halting::Halter, //
};

/// Our end of a connection.
pub(crate) struct Link {
    page: RingPage<GrantedPage>,
    notifier: Notifier,
    waker: Waker,
    /// What waits for Dom0's next event without going idle.
    pub(crate) halter: Halter,
    is_told_to_cancel: bool,
}

impl Link {
    /// The link over a fresh page, to a back-end that understands `feature-cancel` or does not.
    pub(crate) fn new<T: Handler>(
        page: Arc<GrantedPage>,
        channel: &EventChannel<T>,
        is_told_to_cancel: bool,
    ) -> Self {
        Self {
            page: RingPage(page),
            notifier: channel.notifier(),
            waker: channel.waker(),
            halter: channel.halter(),
            is_told_to_cancel,
        }
    }
}

impl Shell for Link {
    type Page = RingPage<GrantedPage>;

    fn page(&self) -> &Self::Page {
        &self.page
    }

    fn notify(&self) {
        self.notifier.notify();
    }

    fn wake_thread(&self) {
        self.waker.wake();
    }

    fn is_told_to_cancel(&self) -> bool {
        self.is_told_to_cancel
    }
}
