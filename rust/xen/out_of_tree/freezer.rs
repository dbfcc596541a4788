// SPDX-License-Identifier: GPL-2.0

//! A say in whether the domain is suspended: to be saved, or to move to another machine.
//!
//! The bus tells a device that the domain is about to be suspended, but does not listen to what its
//! driver answers. Before that all processes are frozen, and then the kernel threads that let
//! themselves be. One that calls for a wake-up instead ends the attempt: everybody goes on as if
//! nothing had been asked, and the toolstack gives up after a minute.
//!
//! A domain that puts itself to sleep (`/sys/power/state`) freezes in the same way, but goes on as
//! what it was: nobody is asked then.
//!
//! C headers: [`include/linux/freezer.h`](srctree/include/linux/freezer.h),
//! [`include/linux/suspend.h`](srctree/include/linux/suspend.h)

use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*, //
};

/// Has a say in whether the domain is suspended. [`Freezer`] has an example of its use.
///
/// Who borrows is refused: somebody may forget a freezer, which calls it when what it borrows is gone.
///
/// ```compile_fail,E0478
/// use kernel::prelude::*;
/// use xen::out_of_tree::freezer::Freeze;
///
/// struct Borrows<'a>(&'a u32);
///
/// impl Freeze for Borrows<'_> {
///     fn freeze(&self) -> Result {
///         Ok(())
///     }
///     fn thaw(&self) {}
/// }
/// ```
pub trait Freeze: Send + Sync + 'static {
    /// All processes are frozen, and kernel threads are about to be. May sleep, for some seconds.
    ///
    /// # Errors
    ///
    /// Any error keeps the domain from being suspended.
    fn freeze(&self) -> Result;

    /// All are thawed, or about to be: in this domain, or in the one that was made of its image.
    fn thaw(&self);
}

/// Whether the calling thread is asked to freeze, still. It is not any more when that took too
/// long.
pub fn is_freezing() -> bool {
    // SAFETY: Looks at the calling thread only, which is there.
    unsafe { bindings::xen_helper_is_freezing() }
}

/// Whether the domain puts itself to sleep, or is waking up: it is not about to be saved, and was
/// not. Only told as long as there is a [`Freezer`].
pub fn falls_asleep() -> bool {
    // SAFETY: Looks at a number of our own.
    unsafe { bindings::xen_helper_falls_asleep() }
}

/// Has [`falls_asleep`] told, until it is dropped.
///
/// # Invariants
///
/// One call of `xen_helper_watch_sleep` that succeeded has not been taken back.
struct SleepWatch(());

impl SleepWatch {
    fn begin() -> Result<Self> {
        // SAFETY: May sleep, as this may. `drop` takes it back.
        to_result(unsafe { bindings::xen_helper_watch_sleep() })?;
        // INVARIANT: It has just succeeded, and only `drop` takes it back.
        Ok(Self(()))
    }
}

impl Drop for SleepWatch {
    fn drop(&mut self) {
        // SAFETY: By the type invariants there has been one call for this that is not taken back.
        unsafe { bindings::xen_helper_unwatch_sleep() };
    }
}

/// A kernel thread that asks a `T`, until it is dropped: not by the `T`, for that waits for the
/// thread.
///
/// # Invariants
///
/// `thread` runs [`Self::run`] on `target`, until it is stopped.
///
/// # Examples
///
/// A device that is not to be saved while it is in use.
///
/// ```
/// use kernel::{prelude::*, sync::atomic::{Atomic, Relaxed}};
/// use xen::out_of_tree::freezer::{Freeze, Freezer};
///
/// struct Users {
///     count: Atomic<u32>,
/// }
///
/// impl Freeze for Users {
///     fn freeze(&self) -> Result {
///         if self.count.load(Relaxed) > 0 { Err(EBUSY) } else { Ok(()) }
///     }
///
///     fn thaw(&self) {}
/// }
///
/// fn watch_over(users: Users) -> Result<Freezer<Users>> {
///     Freezer::new(c"my-driver-freezer", users)
/// }
/// ```
pub struct Freezer<T: Freeze> {
    thread: NonNull<bindings::task_struct>,
    _target: KBox<T>,
    _watch: SleepWatch,
}

// SAFETY: A kernel thread may be stopped by any other, and what is in the box may be dropped in
// any.
unsafe impl<T: Freeze> Send for Freezer<T> {}

// SAFETY: A reference to it is good for nothing: nobody gets at the thread or the box by one.
unsafe impl<T: Freeze> Sync for Freezer<T> {}

impl<T: Freeze> Freezer<T> {
    /// Starts the thread. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINTR`, if the caller is killed meanwhile.
    pub fn new(name: &'static CStr, target: T) -> Result<Self> {
        let watch = SleepWatch::begin()?;
        let target = KBox::new(target, GFP_KERNEL)?;
        let data = core::ptr::from_ref(&*target).cast_mut().cast();
        // SAFETY: `run` takes a pointer to a `T`, and what is in the box stays where it is until
        // the thread has been stopped, in `drop`. The name is a C string, and is copied.
        let thread = from_err_ptr(unsafe {
            bindings::xen_helper_run_thread(Some(Self::run), data, name.as_char_ptr())
        })?;
        // INVARIANT: The thread runs, and is stopped in `drop` only.
        Ok(Self {
            thread: NonNull::new(thread).ok_or(ENOMEM)?,
            _target: target,
            _watch: watch,
        })
    }

    /// # Safety
    ///
    /// `data` must point to a `T` that outlives the thread this is called in.
    unsafe extern "C" fn run(data: *mut c_void) -> c_int {
        // SAFETY: By the safety requirements `data` points to a `T`, which is there as long as this
        // thread is, and is shared: `T` is `Sync`.
        let target = unsafe { &*data.cast::<T>() };
        // SAFETY: This is a kernel thread, which may make itself freezable and may sleep.
        while unsafe { bindings::xen_helper_wait_for_freeze() } {
            if falls_asleep() {
                // SAFETY: This is a freezable kernel thread, and it holds no lock.
                unsafe { bindings::xen_helper_freeze() };
                continue;
            }
            match target.freeze() {
                // SAFETY: This is a freezable kernel thread, and it holds no lock: `freeze` has
                // come back.
                Ok(()) => unsafe { bindings::xen_helper_freeze() },
                // SAFETY: This is a kernel thread that holds no lock, and may sleep.
                Err(_) => unsafe { bindings::xen_helper_refuse_to_freeze() },
            }
            target.thaw();
        }
        0
    }
}

impl<T: Freeze> Drop for Freezer<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the thread runs, and this stops it for the first time. It
        // waits for `run`, which uses the box.
        unsafe { bindings::xen_helper_stop(self.thread.as_ptr()) };
    }
}
