// SPDX-License-Identifier: GPL-2.0

//! A front-end that does, in safe code, what nobody should do with crate `xen`, and says what came of
//! it: nothing worse than the documentation says.

use core::fmt::Write;
use kernel::device::{Bound, Core};
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{Arc, Mutex};
use kernel::time::{delay::fsleep, Delta};
use kernel::{current, new_mutex, prelude::*};
use xen::attribute::Attribute;
use xen::event_channel::{EventChannel, Handler, Notifier, Outcome};
use xen::extents::{Allocated, Extents, Populated, MAX_EXTENT, MAX_ORDER};
use xen::memory::{Effort, Workspace};
use xen::out_of_tree::halting::Halter;
use xen::series::{new_spinlock_irq, parameter, SpinLockIrq};
use xen::worker::{Work, Worker};
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
        moves: u8 {
            default: 0,
            description: "Move memory as long as there is a device, in a thread that does not freeze",
        },
        switches: u8 {
            default: 0,
            description: "Only have an attribute: the device's state, as the driver has it and as it is stored",
        },
    },
}

/// The driver, and its data of a device.
struct Misuse {
    mover: Option<Worker<Mover>>,
}

impl xenbus::Driver for Misuse {
    const HALF: Half = Half::Frontend;
    const ID_TABLE: xenbus::IdTable = &xenbus::id_array([xenbus::DeviceId::new(c"misuse")]);
    const ATTRIBUTES: &'static [Attribute<Device<Bound>, Self>] = &[Attribute::read_write(
        c"switched",
        |dev, _this, text| {
            let stored: u32 = xenstore::read_number(dev.node(), c"state")?;
            writeln!(text, "{} {stored}", dev.state() as u32).map_err(|_| ENOSPC)
        },
        |dev, _this, state| {
            dev.switch_state(state_named(state)?);
            Ok(())
        },
    )];

    type Context = ();
    type Data = Self;

    fn context() -> Result {
        Ok(())
    }

    /// The device is there when the module is loaded: this is the loader's process.
    fn probe(dev: &Device<Core<'_>>, _context: &()) -> impl PinInit<Self, Error> {
        let mut this = Misuse { mover: None };
        if parameter(module_parameters::moves.value()) != 0 {
            this.mover = Some(Mover::begin()?);
        } else if parameter(module_parameters::killed.value()) != 0 {
            say(
                "a loader that is killed gets no channel, and loses none",
                killed(dev),
            );
        } else if parameter(module_parameters::switches.value()) == 0 {
            say_all(dev);
        }
        Ok(this)
    }

    fn unbind(_dev: &Device<Core<'_>>, _context: &(), this: Pin<&Self>) {
        if let Some(mover) = &this.mover {
            say(
                "memory moves while the domain is saved",
                Ok(mover.target().was_right()),
            );
        }
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

/// What one after the other may do.
fn say_all(dev: &Device<Bound>) {
    say("a watch is dropped by what it calls", dropped_in_use(dev));
    say("many changes make one call", many_changes(dev));
    say("there is no extent of such an order", Ok(too_large()));
    say(
        "who has interrupts off does not find them on",
        halted_under_a_lock(dev),
    );
    say("what outlives its channel does nothing", outlives(dev));
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

/// Gives an extent to Xen and has it back, over and over, whatever becomes of the domain meanwhile.
struct Mover {
    extents: Atomic<u32>,
    was_wrong: Atomic<bool>,
}

impl Mover {
    fn begin() -> Result<Worker<Self>> {
        let mover = Mover {
            extents: Atomic::new(0),
            was_wrong: Atomic::new(false),
        };
        let mover = Worker::new(c"cmm-misuse", mover)?;
        mover.want();
        Ok(mover)
    }

    /// Some were moved, and Xen took and gave all of each.
    fn was_right(&self) -> bool {
        self.extents.load(Relaxed) > 0 && !self.was_wrong.load(Relaxed)
    }
}

/// So many are moved before the thread lets others run by itself: mostly it is interrupted, anywhere.
const AT_ONCE: usize = 100;

impl Work for Mover {
    fn work(&self) -> Option<u64> {
        for _ in 0..AT_ONCE {
            match move_extent() {
                Ok(true) => self.extents.add(1, Relaxed),
                Ok(false) | Err(_) => self.was_wrong.store(true, Relaxed),
            }
        }
        Some(0)
    }
}

fn move_extent() -> Result<bool> {
    let mut space = Workspace::new()?;
    let mut pages = Extents::<Allocated>::new();
    let mut frames = Extents::new();
    let mut fresh = Extents::<Populated>::new();
    if !pages.allocate(MAX_ORDER, Effort::Reclaim) {
        return Err(ENOMEM);
    }
    let gone = space.release(&mut pages, &mut frames, &mut |_| ());
    let come = space.populate(&mut frames, &mut fresh, &mut |_| ());
    Ok(gone == MAX_EXTENT && come == MAX_EXTENT)
}

fn state_named(name: &str) -> Result<XenbusState> {
    match name {
        "InitWait" => Ok(XenbusState::InitWait),
        "Initialised" => Ok(XenbusState::Initialised),
        "Connected" => Ok(XenbusState::Connected),
        _ => Err(EINVAL),
    }
}
