// SPDX-License-Identifier: GPL-2.0

//! The dealings with Dom0 as they stand: what the interrupt handler, the knobs and the timer share.

use crate::{
    orders::Order,
    request::Requests, //
};
use cmm::{
    ahead::Ahead,
    protocol::{
        layout::{
            DOWN,
            UP, //
        },
        Down,
        Up,
        Violation,
        MAX_ASKS, //
    },
    ring::{
        Consumer,
        Producer,
        PushError, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use xen::{
    event_channel::{
        EventChannel,
        Halter,
        Handler,
        Notifier,
        Waker, //
    },
    grant::GrantedPage,
    timer::now, //
};

/// Pages to have at hand, if there is credit for them: 1 MiB.
pub(crate) const AT_HAND: u64 = 256;

/// The most to fetch for a request that asks for less: 2 MiB, the largest extent, which costs little
/// more than a few pages.
const FETCH_AHEAD: u64 = 512;

/// Our end of the shared page.
pub(crate) struct Link {
    page: Arc<GrantedPage>,
    up: Producer,
    down: Consumer,
    notifier: Notifier,
    waker: Waker,
    halter: Halter,
    /// Dom0 has not been woken for the last message.
    unheard: bool,
    /// Whether the back-end shows that it has connected, too. It may have asked for something, and
    /// be answered, before.
    connected: bool,
}

impl Link {
    /// The link over a fresh page.
    pub(crate) fn new<T: Handler>(page: Arc<GrantedPage>, channel: &EventChannel<T>) -> Self {
        Self {
            page,
            up: Producer::new(UP),
            down: Consumer::new(DOWN),
            notifier: channel.notifier(),
            waker: channel.waker(),
            halter: channel.halter(),
            unheard: false,
            connected: false,
        }
    }

    /// Wakes Dom0 if there is a message that it has not been woken for.
    fn be_heard(&mut self) {
        if core::mem::take(&mut self.unheard) {
            self.notifier.notify();
        }
    }

    /// Whether there is nothing that Dom0 has yet to act on.
    pub(crate) fn is_drained(&mut self) -> bool {
        // What Dom0 makes of an index that it cannot have written is its own business now.
        self.up.is_drained(&**self.page).unwrap_or(true)
    }
}

/// How things stand.
pub(crate) struct State {
    link: Option<Link>,
    /// Counts connections, so that an answer is not used in a later one.
    pub(crate) epoch: u32,
    pub(crate) requests: Requests,
    pub(crate) orders: [Option<Order>; MAX_ASKS],
    /// Pages that may be taken without asking.
    pub(crate) credit: u64,
    /// Those of them that are at hand, or being got.
    pub(crate) at_hand: u64,
    /// Nothing is to be at hand: it would be in the domain's image.
    pub(crate) departing: bool,
    /// How much more than is asked for is fetched.
    pub(crate) ahead: Ahead,
    /// Pages drawn of which Dom0 has not been told. It learns before anything else is said.
    untold: u64,
    /// What Dom0 last said this domain's largest size is, in pages.
    pub(crate) ceiling: u64,
    /// What Dom0 did wrong, until it has been reported.
    pub(crate) fault: Option<Violation>,
}

impl State {
    /// There is no connection yet.
    pub(crate) const fn new() -> Self {
        Self {
            link: None,
            epoch: 0,
            requests: Requests::new(),
            orders: [None; MAX_ASKS],
            credit: 0,
            at_hand: 0,
            departing: false,
            ahead: Ahead::new(FETCH_AHEAD),
            untold: 0,
            ceiling: u64::MAX,
            fault: None,
        }
    }

    /// Begins a connection.
    pub(crate) fn begin(&mut self, link: Link) {
        self.epoch = self.epoch.wrapping_add(1);
        self.credit = 0;
        self.untold = 0;
        self.fault = None;
        self.link = Some(link);
    }

    /// The back-end shows that it has connected, too.
    pub(crate) fn connected(&mut self) {
        if let Some(link) = &mut self.link {
            link.connected = true;
        }
    }

    /// Ends the connection. What is left of it is to be dropped without the lock.
    pub(crate) fn hang_up(&mut self) -> Option<Link> {
        self.requests.lose_all();
        self.orders = [None; MAX_ASKS];
        self.credit = 0;
        self.untold = 0;
        self.link.take()
    }

    /// Whether there is a connection, or one being made: Dom0 has been told of the balance.
    pub(crate) fn has_link(&self) -> bool {
        self.link.is_some()
    }

    /// Whether requests may be sent.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(&self.link, Some(link) if link.connected)
    }

    /// Puts a message in the lane up, and tells the back-end.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is no connection, `EAGAIN` if there is no room.
    pub(crate) fn push(&mut self, message: &Up) -> Result {
        self.push_quietly(message)?;
        self.be_heard();
        Ok(())
    }

    /// As [`State::push`], for what need not be heard at once: an event costs as much as some pages.
    /// Dom0 hears of it with the next message, or the next [report](crate::report).
    pub(crate) fn push_quietly(&mut self, message: &Up) -> Result {
        // Whatever there is room for, there is for this.
        self.tell_drawn(0)?;
        self.enqueue(message, message.leaves_free())
    }

    fn be_heard(&mut self) {
        if let Some(link) = &mut self.link {
            link.be_heard();
        }
    }

    /// Says what was drawn, in one message for all, which Dom0 is not woken for.
    fn tell_drawn(&mut self, free: u32) -> Result {
        if self.untold > 0 {
            let id = self.requests.next_id();
            let pages = self.untold;
            self.enqueue(&Up::Drew { id, pages }, free)?;
            self.untold = 0;
        }
        Ok(())
    }

    /// Says all that Dom0 has not heard yet. If there is no room, there will be.
    pub(crate) fn catch_up(&mut self) {
        let _ = self.tell_drawn(Up::ANSWERS);
        self.be_heard();
    }

    fn enqueue(&mut self, message: &Up, free: u32) -> Result {
        let link = self.link.as_mut().ok_or(ENODEV)?;
        match link.up.push_leaving(&**link.page, &message.encode(), free) {
            Ok(()) => {
                link.unheard = true;
                Ok(())
            }
            Err(PushError::Full) => Err(EAGAIN),
            Err(PushError::Violation(why)) => {
                self.break_off(why);
                Err(EPROTO)
            }
        }
    }

    /// Dom0 breaks the protocol: believe it nothing any more. The channel's thread reports it.
    pub(crate) fn break_off(&mut self, why: Violation) {
        let Some(link) = self.link.take() else {
            return;
        };
        self.fault = Some(why);
        self.credit = 0;
        self.requests.lose_all();
        link.waker.wake();
    }

    /// Reserves `pages` of the credit, if there are as many.
    pub(crate) fn reserve_credit(&mut self, pages: u64) -> bool {
        let enough = self.credit >= pages;
        if enough {
            self.credit -= pages;
            self.at_hand = self.at_hand.saturating_sub(pages);
        }
        enough
    }

    /// Of the pages reserved in connection `epoch`, `drawn` were used.
    pub(crate) fn use_credit(&mut self, epoch: u32, reserved: u64, drawn: u64) {
        if self.epoch != epoch || self.link.is_none() {
            // The next connection's claim tells Dom0.
            return;
        }
        self.credit += reserved - drawn;
        self.untold += drawn;
        // While there is plenty, there is no hurry: the next message or report says it.
        if self.credit < self.untold {
            self.catch_up();
        }
    }

    /// Whether there could be more at hand, by so much that it is worth the while.
    pub(crate) fn wants_stock(&self) -> bool {
        !self.departing && self.at_hand < self.credit.min(AT_HAND).div_ceil(2)
    }

    /// What waits for Dom0's next event without going idle.
    pub(crate) fn halter(&self) -> Option<Halter> {
        Some(self.link.as_ref()?.halter)
    }

    /// Lets the channel's thread run.
    pub(crate) fn wake_thread(&self) {
        if let Some(link) = &self.link {
            link.waker.wake();
        }
    }

    /// Takes all messages out of the lane down. Returns how many there were.
    pub(crate) fn drain(&mut self) -> Result<usize, Violation> {
        let mut count = 0;
        loop {
            let Some(link) = &mut self.link else {
                return Ok(count);
            };
            let Some(bytes) = link.down.pop(&**link.page)? else {
                return Ok(count);
            };
            count += 1;
            self.receive(Down::decode(&bytes)?)?;
        }
    }

    fn receive(&mut self, message: Down) -> Result<(), Violation> {
        match message {
            Down::Grant { id, pages, reason } => {
                if self.requests.answer(id, pages, reason)? && pages > 0 {
                    // Whoever asked has gone. There is room: each request has its place.
                    let _ = self.push(&Up::Took { id, pages: 0 });
                }
                Ok(())
            }
            Down::Reclaim { id, pages, urgency } => {
                let at = now();
                self.order(Order::Reclaim {
                    id,
                    pages,
                    urgency,
                    at,
                })
            }
            Down::Give { id, pages } => self.order(Order::Give { id, pages }),
            Down::Limits { ceiling, .. } => {
                self.ceiling = ceiling;
                Ok(())
            }
            Down::Credit { pages } => {
                self.credit = self.credit.saturating_add(pages);
                Ok(())
            }
            Down::Revoke { id, pages } => self.order(Order::Revoke { id, pages }),
        }
    }

    fn order(&mut self, order: Order) -> Result<(), Violation> {
        match self.orders.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(order);
                Ok(())
            }
            None => Err(Violation::LaneFull),
        }
    }
}
