// SPDX-License-Identifier: GPL-2.0

//! A say in whether the domain is suspended: to be saved, or to move to another machine.
//!
//! The bus tells a device that the domain is about to be suspended, but does not listen to what its
//! driver answers. The core of the system is asked last of all, and does: a domain that may not be
//! suspended goes on as if nothing had been asked, and its toolstack gives up after a minute.
//!
//! C header: [`include/linux/syscore_ops.h`](srctree/include/linux/syscore_ops.h)

use crate::bindings;
use core::marker::PhantomPinned;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// Has a say in whether the domain is suspended.
pub trait Suspend: Send + Sync {
    /// Whether that may be. Called with interrupts off on the only CPU that runs: must not sleep, nor
    /// wait for a lock.
    ///
    /// # Errors
    ///
    /// Any error keeps the domain from being suspended.
    fn may_suspend(&self) -> Result;
}

/// Asks `T` from when it is made until it is dropped.
///
/// # Invariants
///
/// `syscore` is registered, and its data is the address of `self`.
#[pin_data(PinnedDrop)]
pub struct SuspendGuard<T: Suspend> {
    target: T,
    #[pin]
    syscore: Opaque<bindings::syscore>,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: It may be registered and removed in any thread, and asked on any CPU.
unsafe impl<T: Suspend> Send for SuspendGuard<T> {}

// SAFETY: There is nothing to be done with it.
unsafe impl<T: Suspend> Sync for SuspendGuard<T> {}

impl<T: Suspend> SuspendGuard<T> {
    const OPS: bindings::syscore_ops = bindings::syscore_ops {
        suspend: Some(Self::callback),
        resume: None,
        shutdown: None,
    };

    /// Begins to ask. May sleep.
    pub fn new(target: T) -> impl PinInit<Self> {
        pin_init!(&this in Self {
            target,
            syscore <- Opaque::ffi_init(move |syscore: *mut bindings::syscore| {
                // SAFETY: `syscore` is valid for writes, and stays where it is until it is removed. What
                // `this` points to, the target, has been set up.
                unsafe {
                    syscore.write(bindings::syscore {
                        ops: &Self::OPS,
                        data: this.as_ptr().cast(),
                        ..bindings::syscore::default()
                    });
                    bindings::register_syscore(syscore);
                }
            }),
            _pin: PhantomPinned,
        })
    }

    /// # Safety
    ///
    /// `data` must be that of the registration in a `Self`.
    unsafe extern "C" fn callback(data: *mut c_void) -> c_int {
        // SAFETY: By the type invariants it is a pinned `Self`, which lives until it is not asked any
        // more. Its target was set up first.
        let target = unsafe { &(*data.cast::<Self>()).target };
        match target.may_suspend() {
            Ok(()) => 0,
            Err(err) => err.to_errno(),
        }
    }
}

#[pinned_drop]
impl<T: Suspend> PinnedDrop for SuspendGuard<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants it is registered.
        unsafe { bindings::unregister_syscore(self.syscore.get()) };
    }
}
