// SPDX-License-Identifier: GPL-2.0

//! A timer that may be set, and set anew, in any context.
//!
//! The handle of `kernel::time::hrtimer` must be dropped before a timer can be started again, which
//! waits for a running handler and so cannot be done under a lock the handler takes.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)

use crate::{
    bindings,
    series::HRTIMER_NORESTART, //
};
use core::marker::PhantomPinned;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// Is called when a timer expires. [`Timer`] has an example of its use.
///
/// Who borrows is refused: somebody may forget a timer, which calls it when what it borrows is gone.
///
/// ```compile_fail,E0478
/// use xen::timer::{Expire, Timer};
///
/// struct Borrows<'a>(&'a u32);
///
/// impl Expire for Borrows<'_> {
///     fn expire(&self, _timer: &Timer<Self>) {}
/// }
/// ```
pub trait Expire: Send + Sync + Sized + 'static {
    /// The timer has expired, and may be set again. Runs in interrupt context.
    fn expire(&self, timer: &Timer<Self>);
}

/// A one-shot timer on the monotonic clock, cancelled when dropped: not by what it calls, for that
/// is waited for.
///
/// # Invariants
///
/// `timer` is set up, with a handler that finds `self` around it.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, sync::atomic::{Atomic, Relaxed}};
/// use xen::timer::{Expire, Timer};
///
/// /// Counts seconds.
/// struct Seconds(Atomic<u64>);
///
/// impl Expire for Seconds {
///     fn expire(&self, timer: &Timer<Self>) {
///         self.0.add(1, Relaxed);
///         timer.arm(1_000_000_000);
///     }
/// }
///
/// fn begin() -> Result<Pin<KBox<Timer<Seconds>>>> {
///     let timer = KBox::pin_init(Timer::new(Seconds(Atomic::new(0))), GFP_KERNEL)?;
///     timer.arm(1_000_000_000);
///     Ok(timer)
/// }
/// ```
#[pin_data(PinnedDrop)]
pub struct Timer<T: Expire> {
    #[pin]
    timer: Opaque<bindings::hrtimer>,
    #[pin]
    target: T,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: A timer may be set and cancelled in any thread, and `T` may be dropped in any.
unsafe impl<T: Expire> Send for Timer<T> {}

// SAFETY: What a reference is good for is to set the timer, which has a lock of its own, and to use
// `T`, which is `Sync`.
unsafe impl<T: Expire> Sync for Timer<T> {}

impl<T: Expire> Timer<T> {
    /// A timer that is not set.
    pub fn new(target: impl PinInit<T>) -> impl PinInit<Self> {
        pin_init!(Self {
            timer <- Opaque::ffi_init(|timer: *mut bindings::hrtimer| {
                // INVARIANT: The timer is set up, and its handler is ours.
                //
                // SAFETY: `timer` is valid for writes, and nobody else knows of it yet.
                unsafe {
                    bindings::hrtimer_setup(
                        timer,
                        Some(Self::callback),
                        bindings::CLOCK_MONOTONIC as bindings::clockid_t,
                        bindings::hrtimer_mode_HRTIMER_MODE_REL,
                    )
                };
            }),
            target <- target,
            _pin: PhantomPinned,
        })
    }

    /// What is called when it expires.
    pub fn target(&self) -> &T {
        &self.target
    }

    /// Lets the timer expire in `delay` ns, and not when it was set to before. May be called under
    /// a lock that the handler takes.
    pub fn arm(&self, delay: u64) {
        let delay = i64::try_from(delay).unwrap_or(i64::MAX);
        // SAFETY: By the type invariants the timer is set up, and it is pinned: it is cancelled
        // before it goes. It may be set in any context, and its own lock serves who does so at
        // once.
        unsafe {
            bindings::hrtimer_start_range_ns(
                self.timer.get(),
                delay,
                0,
                bindings::hrtimer_mode_HRTIMER_MODE_REL,
            )
        };
    }

    /// # Safety
    ///
    /// Only for the timer in a pinned `Self`.
    unsafe extern "C" fn callback(timer: *mut bindings::hrtimer) -> bindings::hrtimer_restart {
        // SAFETY: By the safety requirements `timer` is that of a pinned `Self`, which is there
        // until the timer has been cancelled, which waits for this.
        let this = unsafe { &*kernel::container_of!(Opaque::cast_from(timer), Self, timer) };
        this.target.expire(this);
        HRTIMER_NORESTART
    }
}

#[pinned_drop]
impl<T: Expire> PinnedDrop for Timer<T> {
    fn drop(self: Pin<&mut Self>) {
        // A handler that runs meanwhile may set the timer anew, but not after this returns: it is
        // cancelled once more.
        //
        // SAFETY: By the type invariants the timer is set up. This may wait for its handler.
        while unsafe { bindings::hrtimer_cancel(self.timer.get()) } != 0 {}
    }
}

/// Nanoseconds since boot, on the monotonic clock.
#[inline]
pub fn now() -> u64 {
    // SAFETY: Reads the clock, in any context.
    unsafe { bindings::ktime_get() as u64 }
}
