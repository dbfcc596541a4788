// SPDX-License-Identifier: GPL-2.0

//! The session with Dom0: what outlives connections.

use crate::{
    pages::Pages,
    state::{
        Link,
        State, //
    },
    transfer::Parts, //
};
use cmm::{
    protocol::{
        Up,
        Violation, //
    },
    reason::Reason, //
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
    xenbus::Device,
    xenstore, //
};

/// How often, a millisecond apart, to try to send before Dom0 is believed dead.
const SEND_TRIES: u32 = 1000;

/// Where the balance that was handed over to the balloon driver is written down, for the driver of
/// the next device: the device's own directory may go with it.
const HANDED_OVER: (&CStr, &CStr) = (c"data", c"cmm-balance");

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
    pub(crate) leftovers: Atomic<bool>,
    /// The balance has changed since the last report.
    pub(crate) moved: Atomic<bool>,
    pub(crate) last_granted: Atomic<u64>,
    pub(crate) last_latency: Atomic<u64>,
    pub(crate) last_reason: Atomic<u32>,
}

/// What `deadline_us` is at first.
pub(crate) const DEFAULT_DEADLINE_US: u64 = 1_000_000;

impl Session {
    pub(crate) fn new(dev: &Device<device::Bound>) -> Result<Arc<Self>> {
        let (dir, node) = HANDED_OVER;
        let pages = Pages::new(xenstore::read_number(dir, node).unwrap_or(0))?;
        let parts = Parts::new()?;
        let balance = pages.balance();

        Arc::pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                state <- new_spinlock_irq!(State::new()),
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
                last_reason: Atomic::new(Reason::GRANTED.to_number()),
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
        self.state.lock().connected();
    }

    /// Ends the session's connection. Whoever waits for an answer learns that there is none.
    pub(crate) fn hang_up(&self) {
        let link = self.state.lock().hang_up();
        self.let_go(link, 0);
    }

    /// As [`Session::hang_up`], once Dom0 has acted on all that it was told, or seems dead.
    ///
    /// The balloon driver is to go on with the memory, and fills the domain up again. Had Dom0 heard only
    /// then of what was given, that would have been a lie.
    pub(crate) fn part(&self) {
        let link = {
            let mut state = self.state.lock();
            state.catch_up();
            state.hang_up()
        };
        self.let_go(link, SEND_TRIES);
    }

    /// Drops a link that nobody uses any more, once it is drained or has been looked at `tries` times.
    fn let_go(&self, mut link: Option<Link>, tries: u32) {
        self.changed.notify_all();
        for _ in 0..tries {
            if link.as_mut().is_none_or(Link::is_drained) {
                break;
            }
            fsleep(Delta::from_millis(1));
        }
        drop(link);
        self.put_away();
    }

    /// Sends a message, waiting for room if there is none.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is no connection, `ETIMEDOUT` if Dom0 does not read its lane. The connection is
    /// over then: what it has not been told, the next one's claim tells it.
    pub(crate) fn send(&self, epoch: u32, message: &Up) -> Result {
        self.send_by(|state| state.push(message), epoch)
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
        let mut state = self.state.lock();
        if state.epoch == epoch {
            state.break_off(Violation::LaneFull);
        }
        Err(ETIMEDOUT)
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

    pub(crate) fn report_fault(&self) {
        let fault = self.state.lock().fault.take();
        if let Some(fault) = fault {
            self.changed.notify_all();
            self.dev
                .fatal(EPROTO, format_args!("Dom0 breaks the protocol: it {fault}"));
        }
    }

    /// Gives back what was borrowed and takes back what was lent, as far as possible.
    pub(crate) fn settle(&self) {
        self.put_away();
        if self.state.lock().is_connected() {
            self.settle_by(Self::release);
        }
    }

    pub(crate) fn settle_by(&self, release: fn(&Self, u64) -> Result) {
        let balance = self.pages.lock().balance();
        let result = match balance {
            0 => Ok(()),
            1.. => release(self, balance.unsigned_abs()),
            _ => self.take_back(),
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
