// SPDX-License-Identifier: GPL-2.0

//! Unregisters a driver in the one thread that serves all of xenbus.
//!
//! That thread holds its own mutex while it serves, and takes the lock of a device that it
//! unregisters: because its directory is gone, or because [`Fate`](super::Fate) says so. Whoever
//! unregisters a driver takes the lock of each of its devices, and then, to remove the device's
//! watch, the thread's mutex. Two that wait for each other so wait for good, and with the thread
//! everything that this domain does with xenbus. C's drivers escape that because their modules
//! cannot be unloaded while they have devices.
//!
//! In the thread itself to remove a watch takes no mutex, so that there is but one order. It is had to
//! do something by a watch that is set, for that is heard of at once.
//!
//! A domain may have so many watches and no more, and somebody else in it may have set all the others
//! by then. So one is set when the driver is registered, to no purpose but that its place is the
//! driver's.

use crate::{
    bindings,
    xenstore::{
        Watch,
        Watcher, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    types::Opaque, //
};

/// What every domain has, so that the watch is set, and heard of at once.
const NODE: &str = "domid";

/// How long until it is tried again, in ms, when no watch can be set.
const PAUSE_MS: i64 = 10;

/// How often that is, until it is said once more: every minute.
const SAID_EVERY: u32 = 6000;

/// A place for a watch of this domain's, kept for whoever unregisters a driver.
pub(super) struct Reserved(Pin<KBox<Watch<Nobody>>>);

impl Reserved {
    /// Reserves one. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; xenstore's own, if the domain may set no more watches.
    pub(super) fn new() -> Result<Self> {
        let watch = KBox::pin_init(Watch::new(format_args!("{NODE}"), Nobody), GFP_KERNEL)?;
        Ok(Self(watch))
    }

    /// Leaves the place to whoever is quickest to take it.
    fn free(self) {
        drop(self.0);
    }
}

/// Does nothing about a watch.
struct Nobody;

impl Watcher for Nobody {
    fn changed(&self) {}
}

/// What is waited for.
///
/// # Invariants
///
/// `completion` is set up.
#[pin_data]
struct Done {
    #[pin]
    completion: Opaque<bindings::completion>,
}

// SAFETY: A completion has a lock of its own, and belongs to no thread.
unsafe impl Send for Done {}

// SAFETY: A completion has a lock of its own, so that any number of threads may use it at once.
unsafe impl Sync for Done {}

impl Done {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // INVARIANT: It is set up here.
            //
            // SAFETY: The memory is that of a completion, which stays in place, and nobody else
            // knows of it yet.
            completion <- Opaque::ffi_init(|done| unsafe { bindings::init_completion(done) }),
        })
    }

    fn tell(&self) {
        // SAFETY: By the type invariants the completion is set up. This may be done in any context.
        unsafe { bindings::complete_all(self.completion.get()) };
    }

    /// Waits, frozen if everybody is: the thread that is waited for may be the one that freezes.
    fn wait(&self) {
        // SAFETY: By the type invariants the completion is set up. This is a process's context,
        // which may sleep, and the caller holds no lock that others would wait for while it is frozen.
        unsafe {
            bindings::wait_for_completion_state(
                self.completion.get(),
                bindings::TASK_UNINTERRUPTIBLE | bindings::TASK_FREEZABLE,
            )
        };
    }
}

/// Unregisters a driver when the watch that it is of is heard of.
///
/// # Invariants
///
/// Until `begun`, `driver` is registered, and its owner waits for `done`.
struct Unregister {
    driver: *mut bindings::xenbus_driver,
    begun: Atomic<bool>,
    done: Arc<Done>,
}

// SAFETY: A driver may be unregistered by any thread.
unsafe impl Send for Unregister {}

// SAFETY: The pointer is used by whoever sets `begun`, and so once.
unsafe impl Sync for Unregister {}

impl Watcher for Unregister {
    fn changed(&self) {
        // Once the domain has been resumed it is heard of again.
        if self.begun.xchg(true, Full) {
            return;
        }
        // SAFETY: By the type invariants the driver is registered, and stays valid until `done` is
        // told.
        unsafe { bindings::xenbus_unregister_driver(self.driver) };
        self.done.tell();
    }
}

/// Unregisters a driver, and waits until no callback of its runs any more. May sleep.
///
/// If no watch can be set, though one was `reserved`, it waits until one can: it is better to be stuck
/// alone, and to say why, than with xenbus's thread.
///
/// # Safety
///
/// `driver` must be registered. The caller must not be the thread that serves xenbus, and must hold
/// no lock of a device's.
pub(super) unsafe fn unregister(driver: *mut bindings::xenbus_driver, reserved: Reserved) {
    reserved.free();
    let mut tries = 0;
    let (done, watch) = loop {
        // SAFETY: By the safety requirements the driver is registered, and it stays so: what follows
        // waits for `done`, and nobody unregisters it twice.
        match unsafe { begin(driver) } {
            Ok(begun) => break begun,
            Err(err) if tries % SAID_EVERY == 0 => {
                pr_warn!("a driver waits to be unregistered: no watch can be set: {err:?}\n");
            }
            Err(_) => (),
        }
        tries += 1;
        fsleep(Delta::from_millis(PAUSE_MS));
    };
    done.wait();
    drop(watch);
}

/// The watch that is to be heard of.
type Beginning = Pin<KBox<Watch<Unregister>>>;

/// Has xenbus's thread unregister `driver`.
///
/// # Safety
///
/// `driver` must be registered, and the caller must wait for the first of what is returned.
unsafe fn begin(driver: *mut bindings::xenbus_driver) -> Result<(Arc<Done>, Beginning)> {
    let done = Arc::pin_init(Done::new(), GFP_KERNEL)?;
    // INVARIANT: By the safety requirements the caller waits for `done`, and the driver is
    // registered until then.
    let unregister = Unregister {
        driver,
        begun: Atomic::new(false),
        done: done.clone(),
    };
    let watch = KBox::pin_init(Watch::new(format_args!("{NODE}"), unregister), GFP_KERNEL)?;
    Ok((done, watch))
}
