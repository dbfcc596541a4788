// SPDX-License-Identifier: GPL-2.0

//! A say in whether the domain is suspended: to be saved, or to move to another machine.
//!
//! The bus tells a device that the domain is about to be suspended, but does not listen to what its
//! driver answers. Before that all processes are frozen, and then the kernel threads that let
//! themselves be. One that calls for a wake-up instead ends the attempt: everybody goes on as if
//! nothing had been asked, and the toolstack gives up after a minute.
//!
//! C header: [`include/linux/freezer.h`](srctree/include/linux/freezer.h)

use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    error::from_err_ptr,
    prelude::*, //
};

/// Has a say in whether the domain is suspended.
pub trait Freeze: Send + Sync {
    /// All processes are frozen, and kernel threads are about to be. May sleep, for some seconds.
    ///
    /// # Errors
    ///
    /// Any error keeps the domain from being suspended.
    fn freeze(&self) -> Result;

    /// All are thawed, or about to be: in this domain, or in the one that was made of its image.
    fn thaw(&self);
}

/// Whether the calling thread is asked to freeze, still. It is not any more when that took too long.
pub fn is_freezing() -> bool {
    // SAFETY: May be called in any thread.
    unsafe { bindings::xen_helper_is_freezing() }
}

/// A kernel thread that asks a `T`, until it is dropped.
///
/// # Invariants
///
/// `thread` runs [`Self::run`] on `target`, until it is stopped.
pub struct Freezer<T: Freeze> {
    thread: NonNull<bindings::task_struct>,
    _target: KBox<T>,
}

// SAFETY: The thread may be stopped in any other, and what is in the box may be sent there.
unsafe impl<T: Freeze> Send for Freezer<T> {}

// SAFETY: There is nothing to be done with it.
unsafe impl<T: Freeze> Sync for Freezer<T> {}

impl<T: Freeze> Freezer<T> {
    /// Starts the thread. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(name: &'static CStr, target: T) -> Result<Self> {
        let target = KBox::new(target, GFP_KERNEL)?;
        let data = core::ptr::from_ref(&*target).cast_mut().cast();
        // SAFETY: What is in the box stays where it is until the thread has been stopped.
        let thread = from_err_ptr(unsafe {
            bindings::xen_helper_run_freezable(Some(Self::run), data, name.as_char_ptr())
        })?;
        Ok(Self {
            thread: NonNull::new(thread).ok_or(ENOMEM)?,
            _target: target,
        })
    }

    /// # Safety
    ///
    /// `data` must point to a `T` that outlives the thread this is called in.
    unsafe extern "C" fn run(data: *mut c_void) -> c_int {
        // SAFETY: By the safety requirements.
        let target = unsafe { &*data.cast::<T>() };
        // SAFETY: This is a kernel thread.
        while unsafe { bindings::xen_helper_wait_for_freeze() } {
            match target.freeze() {
                // SAFETY: This is a kernel thread that holds no lock.
                Ok(()) => unsafe { bindings::xen_helper_freeze() },
                // SAFETY: As above.
                Err(_) => unsafe { bindings::xen_helper_refuse_to_freeze() },
            }
            target.thaw();
        }
        0
    }
}

impl<T: Freeze> Drop for Freezer<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it runs.
        unsafe { bindings::xen_helper_stop(self.thread.as_ptr()) };
    }
}
