// SPDX-License-Identifier: GPL-2.0

//! A front-end that does, in safe code, what nobody should do with crate `xen`, and says what came of
//! it: nothing worse than the documentation says.

use kernel::device::{Bound, Core};
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{Arc, Mutex};
use kernel::time::{delay::fsleep, Delta};
use kernel::{current, new_mutex, prelude::*};
use xen::event_channel::{EventChannel, Handler, Notifier, Outcome};
use xen::extents::{Allocated, Extents};
use xen::memory::Effort;
use xen::out_of_tree::halting::Halter;
use xen::series::{new_spinlock_irq, parameter, SpinLockIrq};
use xen::xenbus::{self, Device, Fate, Half, XenbusState};
use xen::xenstore::{self, Watch, Watcher};

xen::module_xenbus_driver! {
    type: Misuse,
    name: "cmm_misuse",
    authors: ["The xen-cmm authors"],
    description: "A test: crate xen is used as it should not be",
    license: "GPL v2",
    alias: ["xen:misuse"],
    params: {
        killed: u8 {
            default: 0,
            description: "Wait for the loader to be killed, and open channels then",
        },
    },
}

/// The driver, and its data of a device: none.
struct Misuse;

impl xenbus::Driver for Misuse {
    const HALF: Half = Half::Frontend;
    const ID_TABLE: xenbus::IdTable = &xenbus::id_array([xenbus::DeviceId::new(c"misuse")]);

    type Context = ();
    type Data = Self;

    fn context() -> Result {
        Ok(())
    }

    /// The device is there when the module is loaded: this is the loader's process.
    fn probe(dev: &Device<Core<'_>>, _context: &()) -> impl PinInit<Self, Error> {
        if parameter(module_parameters::killed.value()) != 0 {
            say(
                "a loader that is killed gets no channel, and loses none",
                killed(dev),
            );
        } else {
            say("a watch is dropped by what it calls", dropped_in_use(dev));
            say("many changes make one call", many_changes(dev));
            say("there is no extent of such an order", Ok(too_large()));
            say(
                "who has interrupts off does not find them on",
                halted_under_a_lock(dev),
            );
            say("what outlives its channel does nothing", outlives(dev));
        }
        Ok(Misuse)
    }

    fn otherend_changed(
        _dev: &Device<Bound>,
        _context: &(),
        _this: Pin<&Self>,
        _state: XenbusState,
    ) -> Fate {
        Fate::Keep
    }
}

fn say(what: &str, result: Result<bool>) {
    match result {
        Ok(true) => pr_info!("ok {what}\n"),
        Ok(false) => pr_info!("bad {what}\n"),
        Err(err) => pr_info!("bad {what}: {err:?}\n"),
    }
}

/// Waits for that, for five seconds.
fn eventually(is_so: impl Fn() -> bool) -> bool {
    for _ in 0..5000 {
        if is_so() {
            return true;
        }
        fsleep(Delta::from_millis(1));
    }
    false
}

/// Changes what is watched.
fn poke(dev: &Device<Bound>, value: u32) -> Result {
    xenstore::write(dev.node(), c"poke", fmt!("{value}"))
}

/// What memory does not hold by chance, nor when it has been freed.
const CANARY: u64 = 0x1122_3344_5566_7788;

/// A watch for one call, and what its watcher had in it when the watch was gone.
#[pin_data]
struct Only {
    #[pin]
    watch: Mutex<Option<Pin<KBox<Watch<Once>>>>>,
    found: Atomic<u64>,
}

struct Once {
    canary: Atomic<u64>,
    only: Arc<Only>,
}

impl Watcher for Once {
    fn changed(&self) {
        let only = self.only.clone();
        let watch = only.watch.lock().take();
        if watch.is_some() {
            drop(watch);
            only.found.store(self.canary.load(Relaxed), Relaxed);
        }
    }
}

fn dropped_in_use(dev: &Device<Bound>) -> Result<bool> {
    let only = pin_init!(Only {
        watch <- new_mutex!(None),
        found: Atomic::new(0),
    });
    let only = Arc::pin_init(only, GFP_KERNEL)?;
    let once = Once {
        canary: Atomic::new(CANARY),
        only: only.clone(),
    };
    let watch = KBox::pin_init(Watch::new(fmt!("device/misuse/0/poke"), once), GFP_KERNEL)?;
    *only.watch.lock() = Some(watch);
    poke(dev, 0)?;
    Ok(eventually(|| only.found.load(Relaxed) != 0) && only.found.load(Relaxed) == CANARY)
}

/// How often a watch was heard of; the first call does not end before it may.
struct Calls {
    count: Atomic<u32>,
    may_end: Atomic<bool>,
}

struct Slow(Arc<Calls>);

impl Watcher for Slow {
    fn changed(&self) {
        if self.0.count.fetch_add(1, Relaxed) == 0 {
            eventually(|| self.0.may_end.load(Relaxed));
        }
    }
}

fn many_changes(dev: &Device<Bound>) -> Result<bool> {
    let calls = Calls {
        count: Atomic::new(0),
        may_end: Atomic::new(false),
    };
    let calls = Arc::new(calls, GFP_KERNEL)?;
    let slow = Slow(calls.clone());
    let watch = KBox::pin_init(Watch::new(fmt!("device/misuse/0/poke"), slow), GFP_KERNEL)?;
    let has_begun = eventually(|| calls.count.load(Relaxed) == 1);
    for value in 0..50 {
        poke(dev, value)?;
    }
    calls.may_end.store(true, Relaxed);
    let was_told = eventually(|| calls.count.load(Relaxed) > 1);
    // If there are more, they come.
    fsleep(Delta::from_millis(500));
    drop(watch);
    Ok(has_begun && was_told && calls.count.load(Relaxed) <= 3)
}

fn too_large() -> bool {
    let mut extents = Extents::<Allocated>::new();
    let mut orders = [10, 11, 63, u32::MAX].into_iter();
    orders.all(|order| !extents.allocate(order, Effort::FreeOnly)) && extents.is_empty()
}

/// Hears of events, and does nothing about them.
struct Deaf;

impl Handler for Deaf {
    fn handle(&self, _notifier: &Notifier) -> Outcome {
        Outcome::Spurious
    }
}

fn listen(dev: &Device<Bound>) -> Result<EventChannel<Deaf>> {
    EventChannel::listen(dev, c"cmm-misuse", Deaf)
}

/// Whether it would wait, if there were anything to wait for: not while something else is to run, so
/// it is tried for a while.
fn would_wait(halter: &Halter) -> bool {
    eventually(|| halter.halt_unless(|| true))
}

/// As [`would_wait`], tried less often.
fn would_wait_within(times: u32, try_once: impl Fn() -> bool) -> bool {
    (0..times).any(|_| {
        fsleep(Delta::from_millis(1));
        try_once()
    })
}

fn halted_under_a_lock(dev: &Device<Bound>) -> Result<bool> {
    let channel = listen(dev)?;
    let halter = channel.halter();
    let lock: Pin<KBox<SpinLockIrq<u32>>> = KBox::pin_init(new_spinlock_irq!(0), GFP_KERNEL)?;
    let under_lock = || {
        let _guard = lock.lock();
        halter.halt_unless(|| true)
    };
    Ok(would_wait(&halter) && !would_wait_within(500, under_lock))
}

fn outlives(dev: &Device<Bound>) -> Result<bool> {
    let channel = listen(dev)?;
    let (notifier, waker, halter) = (channel.notifier(), channel.waker(), channel.halter());
    let did_wait = would_wait(&halter);
    drop(channel);
    // The number is another's now, as a rule.
    let _other = listen(dev)?;
    notifier.notify();
    waker.wake();
    Ok(did_wait && !would_wait_within(500, || halter.halt_unless(|| true)))
}

/// A thread cannot be had by a process that is killed, unless it is there before that looks.
fn killed(dev: &Device<Bound>) -> Result<bool> {
    for _ in 0..4 {
        eventually(|| current!().signal_pending());
    }
    Ok((0..20).filter(|_| listen(dev).is_err()).count() > 0)
}
