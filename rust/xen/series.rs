// SPDX-License-Identifier: GPL-2.0

//! What differs between the series of Linux that this crate is built for, in the words of the
//! newest. Kbuild says which series it is. What a driver needs of it is public.
//!
//! # Examples
//!
//! ```
//! use kernel::prelude::*;
//! use xen::series::{new_spinlock_irq, SpinLockIrq, EPROTO};
//!
//! fn counter() -> impl PinInit<SpinLockIrq<u32>> {
//!     new_spinlock_irq!(0)
//! }
//!
//! fn count(counter: &SpinLockIrq<u32>) -> Result {
//!     let mut count = counter.lock();
//!     *count = count.checked_add(1).ok_or(EPROTO)?;
//!     Ok(())
//! }
//! ```

#[cfg(not(before_linux_7_3))]
mod names {
    use crate::bindings;
    use kernel::device_id::{
        IdArray,
        RawDeviceId, //
    };

    pub(crate) use kernel::device::BoundInternal;
    pub use kernel::{
        error::code::{
            EDQUOT,
            ENOTCONN,
            EOPNOTSUPP,
            EPROTO,
            EPROTONOSUPPORT, //
        },
        new_spinlock_irq,
        sync::SpinLockIrq, //
    };

    pub(crate) const IRQ_HANDLED: bindings::irqreturn = bindings::irqreturn::IRQ_HANDLED;
    pub(crate) const IRQ_WAKE_THREAD: bindings::irqreturn = bindings::irqreturn::IRQ_WAKE_THREAD;
    pub(crate) const HRTIMER_NORESTART: bindings::hrtimer_restart =
        bindings::hrtimer_restart::HRTIMER_NORESTART;

    /// A table of device ids that say nothing more.
    pub(crate) const fn id_array<T: RawDeviceId, const N: usize>(ids: [T; N]) -> IdArray<T, (), N> {
        IdArray::new_without_index(ids)
    }
}

#[cfg(before_linux_7_3)]
mod names {
    use crate::bindings;
    use core::num::NonZeroI32;
    use kernel::{
        device_id::{
            IdArray,
            RawDeviceId, //
        },
        prelude::*,
        sync::lock::{
            Backend,
            Lock, //
        }, //
    };

    pub(crate) const IRQ_HANDLED: bindings::irqreturn = bindings::irqreturn_IRQ_HANDLED;
    pub(crate) const IRQ_WAKE_THREAD: bindings::irqreturn = bindings::irqreturn_IRQ_WAKE_THREAD;
    pub(crate) const HRTIMER_NORESTART: bindings::hrtimer_restart =
        bindings::hrtimer_restart_HRTIMER_NORESTART;

    /// There, the only context that shows a device's private data.
    pub(crate) type BoundInternal = kernel::device::CoreInternal<'static>;

    /// The error of C's name for it.
    const fn error(errno: u32) -> Error {
        assert!(errno > 0 && errno <= bindings::MAX_ERRNO);
        let Some(value) = NonZeroI32::new(-(errno as i32)) else {
            unreachable!()
        };
        // SAFETY: `Error` is a struct of one `NonZeroI32` and, as both have the same size, nothing
        // else. It wants a negative one, not below `-MAX_ERRNO`: as asserted.
        unsafe { core::mem::transmute::<NonZeroI32, Error>(value) }
    }

    /// Quota exceeded.
    pub const EDQUOT: Error = error(bindings::EDQUOT);
    /// Transport endpoint is not connected.
    pub const ENOTCONN: Error = error(bindings::ENOTCONN);
    /// Operation not supported.
    pub const EOPNOTSUPP: Error = error(bindings::EOPNOTSUPP);
    /// Protocol error.
    pub const EPROTO: Error = error(bindings::EPROTO);
    /// Protocol not supported.
    pub const EPROTONOSUPPORT: Error = error(bindings::EPROTONOSUPPORT);

    /// A table of device ids that say nothing more.
    pub(crate) const fn id_array<T: RawDeviceId + Copy, const N: usize>(
        ids: [T; N],
    ) -> IdArray<T, (), N> {
        let mut pairs = [(ids[0], ()); N];
        let mut i = 0;
        while i < N {
            pairs[i] = (ids[i], ());
            i += 1;
        }
        IdArray::new_without_index(pairs)
    }

    /// A spinlock that is taken with interrupts off. Of two that are held at once, the one taken
    /// last is released first.
    pub type SpinLockIrq<T> = Lock<T, SpinLockIrqBackend>;

    /// The lock of a [`SpinLockIrq`].
    pub struct SpinLockIrqBackend;

    // SAFETY: It is Linux's spinlock, which has one owner at a time, and `relock` is `lock`.
    unsafe impl Backend for SpinLockIrqBackend {
        type State = bindings::spinlock_t;
        /// The flags of before.
        type GuardState = usize;

        unsafe fn init(
            ptr: *mut Self::State,
            name: *const kernel::ffi::c_char,
            key: *mut bindings::lock_class_key,
        ) {
            // SAFETY: By the safety requirements `ptr` may be written, and `name` and `key` stay.
            unsafe { bindings::__spin_lock_init(ptr, name, key) }
        }

        unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
            // SAFETY: By the safety requirements the lock is initialised.
            unsafe { bindings::xen_helper_spin_lock(ptr) }
        }

        unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
            let mut flags = 0;
            // SAFETY: By the safety requirements the lock is initialised.
            unsafe { bindings::xen_helper_spin_trylock(ptr, &mut flags) }.then_some(flags)
        }

        unsafe fn unlock(ptr: *mut Self::State, flags: &Self::GuardState) {
            // SAFETY: By the safety requirements the caller has the lock, by `lock` or `try_lock`,
            // whose flags these are.
            unsafe { bindings::xen_helper_spin_unlock(ptr, *flags) }
        }

        unsafe fn assert_is_held(ptr: *mut Self::State) {
            // SAFETY: By the safety requirements the lock is initialised.
            unsafe { bindings::spin_assert_is_held(ptr) }
        }
    }

    /// Initialises a [`SpinLockIrq`].
    #[macro_export]
    macro_rules! new_spinlock_irq {
        ($inner:expr $(,)?) => {
            $crate::series::SpinLockIrq::new(
                $inner,
                kernel::optional_name!(),
                kernel::static_lock_class!(),
            )
        };
    }
    pub use new_spinlock_irq;
}

pub use names::*;

/// The value of a module's parameter, of which 7.2 returns a reference. It also knows no `bool`.
///
/// # Examples
///
/// ```
/// fn are_equal() -> bool {
///     xen::series::parameter(1) == xen::series::parameter(&1)
/// }
/// ```
pub fn parameter(value: impl core::borrow::Borrow<u8>) -> u8 {
    *value.borrow()
}
