// SPDX-License-Identifier: GPL-2.0

//! A timer that wakes nobody: it expires on CPUs that are awake anyway.
//!
//! It is for what is worth a look only while something runs. The kernel calls such a timer
//! deferrable, and has it expire on the CPU on which it was set: so there is one for each.
//!
//! C header: [`include/linux/timer.h`](srctree/include/linux/timer.h)

use crate::bindings;
use core::marker::PhantomPinned;
use kernel::{
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// Is called while something runs. [`AwakeTimer`] has an example of its use.
///
/// Who borrows is refused: somebody may forget a timer, which calls it when what it borrows is gone.
///
/// ```compile_fail,E0478
/// use xen::awake_timer::WhileAwake;
///
/// struct Borrows<'a>(&'a u32);
///
/// impl WhileAwake for Borrows<'_> {
///     fn look(&self) -> u64 {
///         1
///     }
/// }
/// ```
pub trait WhileAwake: Send + Sync + 'static {
    /// The timer of a CPU has expired. Returns in how many ns it does so again, if that CPU is
    /// awake then, or as soon as it is; to the next tick. Runs in a soft interrupt, and perhaps on
    /// several CPUs at once.
    fn look(&self) -> u64;
}

/// Calls a `T` again and again, on each CPU that is awake, until it is dropped: not by the `T`, for
/// calls are waited for. CPUs that come online later have none.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, sync::{atomic::{Atomic, Relaxed}, Arc}};
/// use xen::awake_timer::{AwakeTimer, WhileAwake};
///
/// /// Counts, about every 10 ms, CPUs that are busy.
/// struct Busy(Atomic<u64>);
///
/// impl WhileAwake for Busy {
///     fn look(&self) -> u64 {
///         self.0.add(1, Relaxed);
///         10_000_000
///     }
/// }
///
/// fn begin() -> Result<AwakeTimer<Busy>> {
///     AwakeTimer::new(Arc::new(Busy(Atomic::new(0)), GFP_KERNEL)?)
/// }
/// ```
pub struct AwakeTimer<T: WhileAwake> {
    _timers: KVec<Pin<KBox<CpuTimer<T>>>>,
}

impl<T: WhileAwake> AwakeTimer<T> {
    /// Sets a timer on each CPU that is online. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(target: Arc<T>) -> Result<Self> {
        let mut timers = KVec::new();
        // SAFETY: Reads a number that does not change once the kernel has booted.
        let cpus = unsafe { bindings::nr_cpu_ids };
        for cpu in 0..cpus {
            let timer = KBox::pin_init(CpuTimer::new(target.clone()), GFP_KERNEL)?;
            if timer.start_on(cpu) {
                timers.push(timer, GFP_KERNEL)?;
            }
        }
        Ok(Self { _timers: timers })
    }
}

/// The timer of one CPU, shut down when dropped.
///
/// # Invariants
///
/// `timer` is set up, with a handler that finds `self` around it.
#[pin_data(PinnedDrop)]
struct CpuTimer<T: WhileAwake> {
    #[pin]
    timer: Opaque<bindings::timer_list>,
    target: Arc<T>,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: A timer may be shut down in any thread, and `T` is shared with its handler anyway.
unsafe impl<T: WhileAwake> Send for CpuTimer<T> {}

// SAFETY: A reference is good for setting the timer only, which has a lock of its own.
unsafe impl<T: WhileAwake> Sync for CpuTimer<T> {}

impl<T: WhileAwake> CpuTimer<T> {
    /// A timer that is not set.
    fn new(target: Arc<T>) -> impl PinInit<Self> {
        pin_init!(Self {
            timer <- Opaque::ffi_init(|timer: *mut bindings::timer_list| {
                // INVARIANT: The timer is set up, and its handler is ours.
                //
                // SAFETY: `timer` is valid for writes, and nobody else knows of it yet.
                unsafe { bindings::xen_helper_awake_timer_init(timer, Some(Self::callback)) };
            }),
            target,
            _pin: PhantomPinned,
        })
    }

    /// Sets it on a CPU, to expire at once; returns whether that is online. Only for one that has
    /// not been set.
    fn start_on(&self, cpu: u32) -> bool {
        // SAFETY: By the type invariants the timer is set up; it is pinned, and shut down before it
        // goes. The caller has not set it before. A number of no CPU is one that is not online.
        unsafe { bindings::xen_helper_awake_timer_start(self.timer.get(), cpu) }
    }

    /// # Safety
    ///
    /// Only for the timer in a pinned `Self`.
    unsafe extern "C" fn callback(timer: *mut bindings::timer_list) {
        // SAFETY: By the safety requirements `timer` is that of a pinned `Self`, which is there
        // until the timer has been shut down, which waits for this.
        let this = unsafe { &*kernel::container_of!(Opaque::cast_from(timer), Self, timer) };
        let delay = this.target.look();
        // SAFETY: By the type invariants the timer is set up. If it is being shut down this does
        // nothing.
        unsafe { bindings::xen_helper_awake_timer_again(timer, delay) };
    }
}

#[pinned_drop]
impl<T: WhileAwake> PinnedDrop for CpuTimer<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants the timer is set up. This may sleep, waits for the handler,
        // and keeps that from setting the timer again.
        unsafe { bindings::timer_shutdown_sync(self.timer.get()) };
    }
}
