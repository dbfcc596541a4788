// SPDX-License-Identifier: GPL-2.0

//! A last chance before the kernel kills a process because there is no memory.
//!
//! Nobody is asked when a control group is at its limit: that is not the machine's want.
//!
//! C header: [`include/linux/oom.h`](srctree/include/linux/oom.h)

use crate::bindings;
use core::marker::{
    PhantomData,
    PhantomPinned, //
};
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// Finds memory when there is none. [`OomNotifier`] has an example of its use.
///
/// Who borrows is refused: somebody may forget a notifier, which calls it when what it borrows is gone.
///
/// ```compile_fail,E0478
/// use xen::oom::Rescue;
///
/// struct Borrows<'a>(&'a u32);
///
/// impl Rescue for Borrows<'_> {
///     fn rescue(&self) -> usize {
///         0
///     }
/// }
/// ```
pub trait Rescue: Send + Sync + 'static {
    /// Finds memory for the calling thread, which waits for it, as may all others: returns how many
    /// pages there are now that were not there before. With 0 the kernel kills a process.
    ///
    /// May sleep. The caller may hold locks, ours as well if it allocates with one held, and what
    /// is waited for here may wait for memory: all waiting must have an end. What is allocated comes
    /// from the kernel's reserves.
    fn rescue(&self) -> usize;
}

/// Asks a `T` before a process is killed, until it is dropped: not by the `T`, which is waited for.
///
/// # Invariants
///
/// `block` is registered, with a handler that finds `self` around it.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, sync::atomic::{Atomic, Relaxed}};
/// use xen::oom::{OomNotifier, Rescue};
///
/// /// Counts how often there was none left, and is of no help.
/// struct Witness(Atomic<u32>);
///
/// impl Rescue for Witness {
///     fn rescue(&self) -> usize {
///         self.0.add(1, Relaxed);
///         0
///     }
/// }
///
/// fn watch() -> Result<Pin<KBox<OomNotifier<Witness>>>> {
///     KBox::try_pin_init(OomNotifier::new(Witness(Atomic::new(0))), GFP_KERNEL)
/// }
/// ```
#[pin_data(PinnedDrop)]
pub struct OomNotifier<T: Rescue> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    target: T,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: It may be taken off the kernel's list in any thread, and `T` may be dropped in any.
unsafe impl<T: Rescue> Send for OomNotifier<T> {}

// SAFETY: A reference is good for nothing: nobody gets at what is in it by one.
unsafe impl<T: Rescue> Sync for OomNotifier<T> {}

impl<T: Rescue> OomNotifier<T> {
    /// Registers it. May sleep.
    ///
    /// # Errors
    ///
    /// None that are known.
    pub fn new(target: T) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            target,
            // After the target, which the handler uses.
            block <- Opaque::try_ffi_init(|block: *mut bindings::notifier_block| {
                // INVARIANT: It is registered from here on, and its handler is ours.
                //
                // SAFETY: `block` is valid for writes, and nobody else knows of it yet. It stays
                // where it is, being pinned, until it is taken off the list in `drop`.
                to_result(unsafe {
                    block.write(bindings::notifier_block {
                        notifier_call: Some(Self::callback),
                        ..Default::default()
                    });
                    bindings::xen_helper_register_oom_notifier(block)
                })
            }),
            _pin: PhantomPinned,
        })
    }

    /// # Safety
    ///
    /// Only for the block in a pinned `Self`, and `freed` must point to a number.
    unsafe extern "C" fn callback(
        block: *mut bindings::notifier_block,
        _action: c_ulong,
        freed: *mut c_void,
    ) -> c_int {
        // SAFETY: By the safety requirements `block` is that of a pinned `Self`, which is there
        // until the block is off the list, which waits for this. What is used of it has been
        // initialised before the block was registered.
        let target = unsafe {
            let this = kernel::container_of!(Opaque::cast_from(block), Self, block);
            &(*this).target
        };
        let found = {
            let _reserves = WithReserves::begin();
            target.rescue()
        };
        // SAFETY: By the safety requirements it points to a number, which is the caller's.
        unsafe { *freed.cast::<c_ulong>() += found as c_ulong };
        bindings::NOTIFY_OK as c_int
    }
}

#[pinned_drop]
impl<T: Rescue> PinnedDrop for OomNotifier<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants it is registered. This may sleep, and waits for handlers.
        unsafe { bindings::xen_helper_unregister_oom_notifier(self.block.get()) };
    }
}

/// While it lives, what the calling thread allocates may come from the kernel's reserves, and
/// reclaims nothing: for what is allocated to find memory.
///
/// # Invariants
///
/// Not sent out of the thread that it was made in.
///
/// # Examples
///
/// ```
/// use xen::oom::WithReserves;
///
/// /// Lets somebody look for memory where there may be next to none.
/// fn in_need(find: impl FnOnce() -> usize) -> usize {
///     let _reserves = WithReserves::begin();
///     find()
/// }
/// ```
pub struct WithReserves {
    /// What the thread was before.
    before: u32,
    _thread: PhantomData<*mut ()>,
}

impl WithReserves {
    /// For the calling thread.
    pub fn begin() -> Self {
        // INVARIANT: The pointer is not `Send`.
        Self {
            // SAFETY: Changes a flag of the calling thread, which `drop` changes back.
            before: unsafe { bindings::xen_helper_reserves_begin() },
            _thread: PhantomData,
        }
    }
}

impl Drop for WithReserves {
    fn drop(&mut self) {
        // SAFETY: By the type invariants this is the thread that the flag is of.
        unsafe { bindings::xen_helper_reserves_end(self.before) };
    }
}
