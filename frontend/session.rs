// SPDX-License-Identifier: GPL-2.0

//! Locks: the session with Dom0, which outlives connections, and who may touch what of it when.

use crate::{
    link::Link,
    pages::Pages,
    timings::Timings, //
};
use cmm::{
    client::{
        Client,
        HandedOver,
        Holdings,
        Reason,
        Remains, //
    },
    protocol::RequestReason, //
};
use kernel::{
    device,
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            Relaxed, //
        },
        lock::{
            mutex::MutexBackend,
            Guard, //
        },
        Arc,
        CondVar,
        Mutex, //
    },
    time::delay::fsleep,
    time::Delta, //
};
use xen::{
    balloon,
    series::{
        new_spinlock_irq,
        SpinLockIrq,
        EPROTO, //
    },
    xenbus::Device, //
};

/// How often, a millisecond apart, to try something before Dom0 is believed dead.
const TRIES: u32 = 1000;

/// The same while the device goes, and everybody who has to do with xenbus waits for that.
pub(crate) const SHORTLY: u32 = 100;

/// How long somebody who may hold the memory already waits for it, in ms: longer than it takes to
/// move a portion of it.
const SOON_MS: u32 = 100;

/// Nobody has looked what the domain can give since that was last taken in.
const NOT_NEW: u64 = u64::MAX;

/// All that is known of the dealings with Dom0.
#[pin_data]
pub(crate) struct Session {
    dev: ARef<Device>,
    /// What decides. Taken in interrupt context, and inside of `pages`.
    #[pin]
    pub(crate) client: SpinLockIrq<Client<Link>>,
    /// Signalled when something in `client` happened that a request waits for.
    #[pin]
    pub(crate) changed: CondVar,
    #[pin]
    pages: Mutex<Pages>,
    /// Held by whoever is the next to change `pages`, until it may: a mutex is not fair, and who takes a
    /// lot in portions would have it again before another has woken up.
    #[pin]
    next: Mutex<()>,
    /// Where the time of transfers goes.
    #[pin]
    pub(crate) timings: Mutex<Timings>,
    /// The longest a request waits, in microseconds.
    pub(crate) deadline_us: Atomic<u64>,
    /// What `pages` held when it was last changed: for those who need not know it any better.
    pub(crate) balance: Atomic<i64>,
    pub(crate) readahead: Atomic<u64>,
    pub(crate) deferred: Atomic<u64>,
    pub(crate) has_leftovers: Atomic<bool>,
    /// What the domain could have given at the last report, until that is taken in ([`NOT_NEW`]); 0 if
    /// there is no connection.
    pub(crate) givable: Atomic<u64>,
    /// When that was, and what its kernel managed then.
    pub(crate) looked_at: Atomic<u64>,
    pub(crate) total_then: Atomic<u64>,
    /// How often the balance has changed.
    pub(crate) moves: Atomic<u32>,
    /// `pages` is being changed.
    changing: Atomic<bool>,
    /// The device is going: nobody waits for Dom0 any more, or moves more than what has been begun.
    leaving: Atomic<bool>,
    /// The domain has been as small as its toolstack wants: it is past its beginning.
    pub(crate) was_at_target: Atomic<bool>,
    pub(crate) last_granted: Atomic<u64>,
    pub(crate) last_latency: Atomic<u64>,
    pub(crate) last_reason: Atomic<u32>,
}

impl Session {
    /// Begins with what an earlier driver has `handed_over` to the balloon driver.
    pub(crate) fn new(dev: &Device<device::Bound>, handed_over: HandedOver) -> Result<Arc<Self>> {
        let pages = Pages::new(handed_over)?;
        let timings = Timings::new()?;
        let has = pages.holdings();

        Arc::pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                client <- new_spinlock_irq!(Client::new()),
                changed <- new_condvar!(),
                pages <- new_mutex!(pages),
                next <- new_mutex!(()),
                timings <- new_mutex!(timings),
                deadline_us: Atomic::new(0),
                balance: Atomic::new(has.balance),
                readahead: Atomic::new(0),
                deferred: Atomic::new(has.deferred),
                has_leftovers: Atomic::new(false),
                givable: Atomic::new(NOT_NEW),
                looked_at: Atomic::new(0),
                total_then: Atomic::new(0),
                moves: Atomic::new(0),
                changing: Atomic::new(false),
                leaving: Atomic::new(false),
                was_at_target: Atomic::new(false),
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

    /// What the domain has, as last seen.
    pub(crate) fn holdings(&self) -> Holdings {
        let deferred = self.deferred.load(Relaxed);
        Holdings {
            baseline: balloon::baseline() as u64 + deferred,
            balance: self.balance.load(Relaxed),
            readahead: self.readahead.load(Relaxed),
            deferred,
        }
    }

    /// The device is going: whoever waits for Dom0 comes back at once, and nobody begins to.
    pub(crate) fn leave_soon(&self) {
        self.leaving.store(true, Relaxed);
        // Who has looked before that, and waits under this lock, is waiting by now.
        drop(self.client.lock());
        self.changed.notify_all();
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Relaxed)
    }

    /// Whether so many tries, a millisecond apart, are enough.
    pub(crate) fn has_tried(&self, times: u32) -> bool {
        times >= if self.is_leaving() { SHORTLY } else { TRIES }
    }

    /// Begins a connection; returns the balance to claim. What was granted in an earlier one may not
    /// be taken any more once this claim is made.
    pub(crate) fn begin(&self, link: Link) -> Result<i64> {
        let pages = self.pages.lock();
        self.client.lock().begin(link).map_err(|_| EBUSY)?;
        Ok(pages.balance())
    }

    /// Ends the session's connection. Whoever waits for an answer learns that there is none.
    pub(crate) fn hang_up(&self) {
        let remains = self.client.lock().hang_up();
        self.let_go(remains, 0);
    }

    /// As [`Session::hang_up`], once Dom0 has acted on all that it was told, or seems dead.
    ///
    /// The balloon driver is to go on with the memory, and fills the domain up again. Had Dom0 heard
    /// only then of what was given, that would have been a lie.
    pub(crate) fn disconnect(&self) {
        let remains = {
            let mut client = self.client.lock();
            client.catch_up();
            client.hang_up()
        };
        self.let_go(remains, TRIES);
    }

    /// Drops a connection that nobody uses any more, once it is drained or has been looked at `tries`
    /// times. What was prepopulated for it goes, too.
    fn let_go(&self, mut remains: Option<Remains<Link>>, tries: u32) {
        self.changed.notify_all();
        for tried in 0..tries {
            let is_over = self.has_tried(tried);
            if is_over || remains.as_mut().is_none_or(Remains::is_drained) {
                break;
            }
            fsleep(Delta::from_millis(1));
        }
        drop(remains);
        self.put_away();
    }

    /// Has nothing prepopulated any more.
    pub(crate) fn put_away(&self) {
        self.change(|memory| {
            self.client.lock().fell_short(u64::MAX);
            memory.put_away(usize::MAX);
        });
    }

    /// Changes the domain's memory, and shows what it has now.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Pages) -> R) -> R {
        let next = self.next.lock();
        let pages = self.pages.lock();
        drop(next);
        self.change_locked(pages, change)
    }

    /// As [`Session::change`], for somebody who may hold the memory already, or whom its holder may
    /// be waiting for: does not wait for that for long.
    ///
    /// # Errors
    ///
    /// `EBUSY`: nothing was changed.
    fn change_soon<R>(&self, change: impl FnOnce(&mut Pages) -> R) -> Result<R> {
        for _ in 0..SOON_MS {
            if let Some(pages) = self.pages.try_lock() {
                return Ok(self.change_locked(pages, change));
            }
            fsleep(Delta::from_millis(1));
        }
        Err(EBUSY)
    }

    /// As [`Session::change`], as it may be done for a request with this reason.
    ///
    /// # Errors
    ///
    /// `EBUSY`: another held it for too long, and nothing was changed.
    pub(crate) fn change_for<R>(
        &self,
        reason: RequestReason,
        change: impl FnOnce(&mut Pages) -> R,
    ) -> Result<R> {
        match reason {
            RequestReason::Emergency => self.change_soon(change),
            RequestReason::Manual | RequestReason::Automatic => Ok(self.change(change)),
        }
    }

    /// As [`Session::change_for`], in connection `epoch` only: one made meanwhile has claimed a
    /// balance without it.
    ///
    /// # Errors
    ///
    /// `ENODEV`: it is over, or the domain is about to be saved and would be with this.
    pub(crate) fn change_for_in(
        &self,
        epoch: u32,
        reason: RequestReason,
        change: impl FnOnce(&mut Pages) -> u64,
    ) -> Result<u64> {
        self.change_for(reason, |pages| {
            if !self.client.lock().may_take(epoch, reason) {
                return Err(ENODEV);
            }
            Ok(change(pages))
        })?
    }

    /// Whether memory is being moved: some may be in nobody's books.
    pub(crate) fn is_changing(&self) -> bool {
        self.changing.load(Relaxed)
    }

    fn change_locked<R>(
        &self,
        mut pages: Guard<'_, Pages, MutexBackend>,
        change: impl FnOnce(&mut Pages) -> R,
    ) -> R {
        self.changing.store(true, Relaxed);
        let givable = self.givable.xchg(NOT_NEW, Acquire);
        if givable != NOT_NEW {
            let (total, then) = (self.total_then.load(Relaxed), self.looked_at.load(Relaxed));
            pages.found_givable(givable, total, then);
        }
        let result = change(&mut pages);
        self.changing.store(false, Relaxed);
        let has = pages.holdings();
        self.readahead.store(has.readahead, Relaxed);
        self.deferred.store(has.deferred, Relaxed);
        self.has_leftovers.store(pages.has_leftovers(), Relaxed);
        if pages.balance() != self.balance.load(Relaxed) {
            self.balance.store(pages.balance(), Relaxed);
            self.moves.add(1, Relaxed);
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
            if self.client.lock().epoch() != epoch {
                return Err(ENODEV);
            }
            Ok(change(pages))
        })
    }

    /// Reports what Dom0 did wrong, if it did, to all whom it concerns.
    pub(crate) fn report_fault(&self, dev: &Device<device::Bound>) {
        let fault = self.client.lock().report_fault();
        if let Ok(fault) = fault {
            self.changed.notify_all();
            dev.dev_fatal(EPROTO, format_args!("Dom0 breaks the protocol: it {fault}"));
        }
    }
}
