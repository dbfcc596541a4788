// SPDX-License-Identifier: GPL-2.0

//! The session with Dom0: what outlives a connection, and the connection.

use crate::{
    pages::Pages,
    request::Requests,
    transfer::Parts, //
};
use cmm::{
    ahead::Ahead,
    laps::{
        Laps,
        Phase, //
    },
    protocol::{
        layout::{
            DOWN,
            UP, //
        },
        Down,
        GrantReason,
        Up,
        Urgency,
        Violation,
        MAX_ASKS,
        VERSION, //
    },
    ring::{
        Consumer,
        Producer,
        PushError, //
    }, //
};
use kernel::{
    device,
    new_condvar,
    new_mutex,
    new_spinlock_irq,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        CondVar,
        Mutex,
        SpinLockIrq, //
    },
    time::delay::fsleep,
    time::Delta, //
};
use xen::{
    event_channel::{
        EventChannel,
        Handler,
        Notifier,
        Outcome,
        Poller,
        Waker, //
    },
    grant::GrantedPage,
    timer::now,
    xenbus::Device,
    xenstore::{
        self,
        Transaction, //
    }, //
};

/// How often, a millisecond apart, to try to send before Dom0 is believed dead.
const SEND_TRIES: u32 = 1000;

/// Where the balance that was handed over to the balloon driver is written down, for the driver of
/// the next device: the device's own directory may go with it.
const HANDED_OVER: (&CStr, &CStr) = (c"data", c"cmm-balance");

/// Pages to have at hand, if there is credit for them: 1 MiB.
const AT_HAND: u64 = 256;

/// The most to fetch for a request that asks for less: 2 MiB, the largest extent, which costs little
/// more than a few pages.
const FETCH_AHEAD: u64 = 512;

/// What Dom0 asks of this domain, to be done in the channel's thread.
#[derive(Clone, Copy)]
enum Order {
    Reclaim {
        id: u32,
        pages: u64,
        urgency: Urgency,
        /// When it came.
        at: u64,
    },
    Give {
        id: u32,
        pages: u64,
    },
    Revoke {
        id: u32,
        pages: u64,
    },
}

impl Order {
    /// What to answer when `pages` pages were moved.
    fn answer(self, pages: u64) -> Up {
        match self {
            Order::Reclaim { id, .. } | Order::Revoke { id, .. } => Up::Offered { id, pages },
            Order::Give { id, .. } => Up::Took { id, pages },
        }
    }

    /// The stopwatch of carrying it out, at its start.
    fn laps(self) -> Laps {
        let mut laps = Laps::default();
        if let Order::Reclaim { id, pages, at, .. } = self {
            laps = Laps::begin(id, pages, at);
            laps.lap(Phase::WakeUp, now());
        }
        laps
    }
}

/// Our end of the shared page.
pub(crate) struct Link {
    page: Arc<GrantedPage>,
    up: Producer,
    down: Consumer,
    notifier: Notifier,
    waker: Waker,
    poller: Poller,
    /// Dom0 has not been woken for the last message.
    unheard: bool,
    /// Whether the back-end shows that it has connected, too. It may have asked for something, and
    /// be answered, before.
    connected: bool,
}

/// What the interrupt handler, the knobs and the timer share.
pub(crate) struct State {
    link: Option<Link>,
    /// Counts connections, so that an answer is not used in a later one.
    pub(crate) epoch: u32,
    pub(crate) requests: Requests,
    orders: [Option<Order>; MAX_ASKS],
    /// Pages that may be taken without asking.
    pub(crate) credit: u64,
    /// Those of them that are at hand, or being got.
    at_hand: u64,
    /// How much more than is asked for is fetched.
    pub(crate) ahead: Ahead,
    /// Pages drawn of which Dom0 has not been told. It learns before anything else is said.
    untold: u64,
    /// What Dom0 last said this domain's largest size is, in pages.
    pub(crate) ceiling: u64,
    /// What Dom0 did wrong, until it has been reported.
    fault: Option<Violation>,
}

/// All that is known of the dealings with Dom0. Outlives connections.
#[pin_data]
pub(crate) struct Session {
    dev: ARef<Device>,
    #[pin]
    pub(crate) state: SpinLockIrq<State>,
    /// Signalled when something in `state` happened that a request waits for.
    #[pin]
    pub(crate) changed: CondVar,
    #[pin]
    pub(crate) pages: Mutex<Pages>,
    /// Where the time of transfers goes.
    #[pin]
    pub(crate) parts: Mutex<Parts>,
    /// The longest a request waits, in microseconds.
    pub(crate) deadline_us: Atomic<u64>,
    pub(crate) balance: Atomic<i64>,
    /// Pages fetched ahead, as last seen.
    pub(crate) fetched_ahead: Atomic<u64>,
    /// Something is kept for a next request.
    leftovers: Atomic<bool>,
    /// The balance has changed since the last report.
    pub(crate) moved: Atomic<bool>,
    pub(crate) last_granted: Atomic<u64>,
    pub(crate) last_latency: Atomic<u64>,
    pub(crate) last_reason: Atomic<u32>,
}

/// What `deadline_us` is at first.
const DEFAULT_DEADLINE_US: u64 = 1_000_000;

impl Session {
    pub(crate) fn new(dev: &Device<device::Bound>) -> Result<Arc<Self>> {
        let (dir, node) = HANDED_OVER;
        let pages = Pages::new(xenstore::read_number(dir, node).unwrap_or(0))?;
        let parts = Parts::new()?;
        let balance = pages.balance();

        Arc::pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                state <- new_spinlock_irq!(State {
                    link: None,
                    epoch: 0,
                    requests: Requests::new(),
                    orders: [None; MAX_ASKS],
                    credit: 0,
                    at_hand: 0,
                    ahead: Ahead::new(FETCH_AHEAD),
                    untold: 0,
                    ceiling: u64::MAX,
                    fault: None,
                }),
                changed <- new_condvar!(),
                pages <- new_mutex!(pages),
                parts <- new_mutex!(parts),
                deadline_us: Atomic::new(DEFAULT_DEADLINE_US),
                balance: Atomic::new(balance),
                fetched_ahead: Atomic::new(0),
                leftovers: Atomic::new(false),
                moved: Atomic::new(false),
                last_granted: Atomic::new(0),
                last_latency: Atomic::new(0),
                last_reason: Atomic::new(GrantReason::Full.to_wire()),
            }),
            GFP_KERNEL,
        )
    }

    /// Whether the domain was restored without the device. The connection is then that of the domain
    /// it was, and whoever still waits for something in here keeps the device from being removed.
    pub(crate) fn is_orphan(&self) -> bool {
        !self.dev.has_otherend()
    }

    /// The back-end has connected: requests may be sent.
    pub(crate) fn connected(&self) {
        if let Some(link) = &mut self.state.lock().link {
            link.connected = true;
        }
    }

    /// Ends the session's connection. Whoever waits for an answer learns that there is none.
    pub(crate) fn hang_up(&self) {
        let link = {
            let mut state = self.state.lock();
            state.requests.lose_all();
            state.orders = [None; MAX_ASKS];
            state.credit = 0;
            state.untold = 0;
            state.link.take()
        };
        self.changed.notify_all();
        drop(link);
        self.put_away();
    }

    /// Sends a message, waiting for room if there is none.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is no connection, `ETIMEDOUT` if Dom0 does not read its lane.
    pub(crate) fn send(&self, epoch: u32, message: &Up) -> Result {
        self.send_by(|state| state.push(message, 0), epoch)
    }

    /// As [`Session::send`], by [`State::push_quietly`].
    pub(crate) fn send_quietly(&self, epoch: u32, message: &Up) -> Result {
        self.send_by(|state| state.push_quietly(message), epoch)
    }

    fn send_by(&self, push: impl Fn(&mut State) -> Result, epoch: u32) -> Result {
        for _ in 0..SEND_TRIES {
            let result = {
                let mut state = self.state.lock();
                if state.epoch != epoch {
                    return Err(ENODEV);
                }
                push(&mut state)
            };
            match result {
                Err(err) if err == EAGAIN => fsleep(Delta::from_millis(1)),
                result => return result,
            }
        }
        Err(ETIMEDOUT)
    }

    /// Does what Dom0 has asked, one order at a time.
    fn carry_out(&self) {
        loop {
            let (order, epoch) = {
                let mut state = self.state.lock();
                let epoch = state.epoch;
                match state.orders.iter_mut().find_map(Option::take) {
                    Some(order) => (order, epoch),
                    None => return,
                }
            };
            let mut laps = order.laps();
            let done = match order {
                Order::Reclaim { pages, urgency, .. } => self.change_in(epoch, |memory| {
                    let given = memory.give_ahead(pages, &mut laps);
                    given + memory.give(pages - given, urgency, &mut laps)
                }),
                Order::Give { pages, .. } => {
                    self.change_in(epoch, |memory| memory.take(pages, pages, &mut laps))
                }
                Order::Revoke { pages, .. } => {
                    self.change_in(epoch, |memory| self.revoke(memory, pages))
                }
            };
            let sent = done.and_then(|pages| self.send(epoch, &order.answer(pages)));
            if matches!(order, Order::Reclaim { .. }) {
                self.parts.lock().given(&laps);
            }
            if sent.is_err() {
                // The next connection's claim tells it.
                pr_info!("Dom0 went away before it could be answered\n");
            }
        }
    }

    /// Changes the domain's memory, and shows the new balance.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Pages) -> R) -> R {
        let mut pages = self.pages.lock();
        let result = change(&mut pages);
        self.fetched_ahead.store(pages.ahead(), Relaxed);
        self.leftovers.store(pages.has_leftovers(), Relaxed);
        if pages.balance() != self.balance.load(Relaxed) {
            self.balance.store(pages.balance(), Relaxed);
            self.moved.store(true, Relaxed);
        }
        result
    }

    /// As [`Session::change`], in connection `epoch` only: one made meanwhile has claimed a balance
    /// without it.
    pub(crate) fn change_in(
        &self,
        epoch: u32,
        change: impl FnOnce(&mut Pages) -> u64,
    ) -> Result<u64> {
        self.change(|pages| {
            if self.state.lock().epoch != epoch {
                return Err(ENODEV);
            }
            Ok(change(pages))
        })
    }

    /// Gets memory on credit before anybody asks for it, so that a small request need not even
    /// trouble Xen.
    fn stock_up(&self) {
        self.change(|memory| {
            let wanted = {
                let mut state = self.state.lock();
                if !state.wants_stock() {
                    return;
                }
                let wanted = state.credit.min(AT_HAND) - state.at_hand;
                state.at_hand += wanted;
                wanted
            };
            let got = memory.stock_up(wanted as usize) as u64;
            if got < wanted {
                let mut state = self.state.lock();
                state.at_hand = state.at_hand.saturating_sub(wanted - got);
            }
        });
    }

    /// Gives back what is kept for a next request once there has been none for a while.
    fn tidy_up(&self) {
        let (id, epoch) = {
            let mut state = self.state.lock();
            if !self.is_untidy(&state) {
                return;
            }
            (state.requests.next_id(), state.epoch)
        };
        if let Ok(pages @ 1..) = self.change_in(epoch, Pages::tidy_up) {
            // If Dom0 is gone, the next connection's claim tells it.
            let _ = self.send(epoch, &Up::Release { id, pages });
        }
    }

    /// Whether something is kept for a next request that does not come.
    pub(crate) fn is_untidy(&self, state: &State) -> bool {
        let unwanted = state.ahead.limit() == 0 && self.fetched_ahead.load(Relaxed) > 0;
        unwanted || (self.leftovers.load(Relaxed) && state.ahead.is_idle(now()))
    }

    /// Gives up `pages` of the credit, if there are as many; returns how many.
    fn revoke(&self, memory: &mut Pages, pages: u64) -> u64 {
        let (unused, excess) = {
            let mut state = self.state.lock();
            let unused = state.credit.min(pages);
            state.credit -= unused;
            let excess = state.at_hand.saturating_sub(state.credit);
            state.at_hand -= excess;
            (unused, excess)
        };
        memory.put_away(excess as usize);
        unused
    }

    /// Has nothing at hand any more.
    fn put_away(&self) {
        self.change(|memory| {
            self.state.lock().at_hand = 0;
            memory.put_away(usize::MAX);
        });
    }

    fn report_fault(&self) {
        let fault = self.state.lock().fault.take();
        if let Some(fault) = fault {
            self.dev
                .fatal(EPROTO, format_args!("Dom0 breaks the protocol: it {fault}"));
        }
    }
}

impl State {
    /// Whether requests may be sent.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(&self.link, Some(link) if link.connected)
    }

    /// Puts a message in the lane up, leaving `free` slots, and tells the back-end.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is no connection, `EAGAIN` if there is no room.
    pub(crate) fn push(&mut self, message: &Up, free: u32) -> Result {
        self.tell_drawn()?;
        self.enqueue(message, free)?;
        self.be_heard();
        Ok(())
    }

    /// As [`State::push`], for what need not be heard at once: an event costs as much as some pages.
    /// Dom0 hears of it with the next message, or the next [report](crate::report).
    pub(crate) fn push_quietly(&mut self, message: &Up) -> Result {
        self.tell_drawn()?;
        self.enqueue(message, 0)
    }

    /// Wakes Dom0 if there is a message that it has not been woken for.
    pub(crate) fn be_heard(&mut self) {
        if let Some(link) = &mut self.link {
            if core::mem::take(&mut link.unheard) {
                link.notifier.notify();
            }
        }
    }

    /// Says what was drawn, in one message for all, which Dom0 is not woken for.
    fn tell_drawn(&mut self) -> Result {
        if self.untold > 0 {
            let id = self.requests.next_id();
            let pages = self.untold;
            self.enqueue(&Up::Drew { id, pages }, 0)?;
            self.untold = 0;
        }
        Ok(())
    }

    /// Says all that Dom0 has not heard yet. If there is no room, there will be.
    pub(crate) fn catch_up(&mut self) {
        let _ = self.tell_drawn();
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

    /// Dom0 breaks the protocol: believe it nothing any more.
    fn break_off(&mut self, why: Violation) {
        self.fault = Some(why);
        self.link = None;
        self.credit = 0;
        self.requests.lose_all();
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
        self.at_hand < self.credit.min(AT_HAND).div_ceil(2)
    }

    /// What waits for Dom0's next event without going idle.
    pub(crate) fn poller(&self) -> Option<Poller> {
        Some(self.link.as_ref()?.poller)
    }

    /// Lets the channel's thread run.
    pub(crate) fn wake_thread(&self) {
        if let Some(link) = &self.link {
            link.waker.wake();
        }
    }

    /// Takes all messages out of the lane down. Returns how many there were.
    fn drain(&mut self) -> Result<usize, Violation> {
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
                    let _ = self.push(&Up::Took { id, pages: 0 }, 0);
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
        {
            let mut state = session.state.lock();
            state.epoch = state.epoch.wrapping_add(1);
            state.credit = 0;
            state.untold = 0;
            state.link = Some(Link {
                page: page.clone(),
                up: Producer::new(UP),
                down: Consumer::new(DOWN),
                notifier: channel.notifier(),
                waker: channel.waker(),
                poller: channel.poller(),
                unheard: false,
                connected: false,
            });
        }
        let balance = pages.balance();
        drop(pages);

        Transaction::run(|transaction| {
            let node = dev.node();
            transaction.write(node, c"ring-ref", fmt!("{}", page.grant().0))?;
            transaction.write(node, c"event-channel", fmt!("{}", channel.port().0))?;
            transaction.write(node, c"versions", fmt!("{}", VERSION))?;
            transaction.write(node, c"feature-credit", fmt!("1"))?;
            transaction.write(node, c"balance", fmt!("{}", balance))
        })?;

        Ok(Self {
            _channel: channel,
            _page: page,
        })
    }
}

impl Session {
    /// Gives back what was borrowed and takes back what was lent, as far as possible.
    pub(crate) fn settle(&self) {
        self.put_away();
        if !self.state.lock().is_connected() {
            return;
        }
        let balance = self.pages.lock().balance();
        let result = match balance {
            0 => Ok(()),
            1.. => self.release(balance.unsigned_abs()),
            _ => self.request(balance.unsigned_abs()).map(|_| ()),
        };
        if let Err(err) = result {
            pr_info!("could not settle with Dom0: {:?}\n", err);
        }
    }

    /// Makes what is not settled the stock balloon driver's business, for good: nobody knows of it
    /// any more.
    pub(crate) fn write_off(&self) {
        self.note(0);
        self.hand_over();
    }

    /// As [`Session::write_off`], until the next driver takes it back.
    pub(crate) fn leave(&self) {
        let balance = self.hand_over();
        self.note(balance);
    }

    fn note(&self, balance: i64) {
        let (dir, node) = HANDED_OVER;
        if xenstore::write(dir, node, format_args!("{balance}")).is_err() {
            pr_warn!("cannot leave the balance in xenstore\n");
        }
    }

    fn hand_over(&self) -> i64 {
        let balance = self.change(Pages::hand_over);
        if balance != 0 {
            pr_warn!(
                "{} KiB {} left to the balloon driver\n",
                cmm::pages::to_kib(balance.unsigned_abs()),
                if balance > 0 {
                    "borrowed, not given back,"
                } else {
                    "lent, not had back,"
                },
            );
        }
        balance
    }
}
