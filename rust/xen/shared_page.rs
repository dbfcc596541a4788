// SPDX-License-Identifier: GPL-2.0

//! A page that another domain reads and writes at the same time.
//!
//! Nothing in it may be believed, or read twice: every access copies, and copies once. Where it
//! goes is an [`Offset`], which knows the type that lies there and was checked when it was
//! compiled.

use core::{
    marker::PhantomData,
    mem::{
        align_of,
        size_of, //
    },
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::atomic::Atomic,
    transmute::{
        AsBytes,
        FromBytes, //
    }, //
};

/// Bytes in a page, as Xen counts them.
pub const SIZE: usize = 4096;

/// Where in a [`SharedPage`] a `T` lies.
///
/// # Invariants
///
/// A `T` at `bytes` is aligned and lies within [`SIZE`] bytes.
///
/// # Examples
///
/// ```
/// use xen::shared_page::Offset;
///
/// /// A counter, and behind it a ring of eight messages.
/// const COUNT: Offset<u32> = Offset::at::<0>();
/// const RING: Offset<[[u64; 4]; 8]> = Offset::at::<64>();
///
/// // The tenth message lies where the second did.
/// const TENTH: Offset<[u64; 4]> = RING.element(9);
/// ```
///
/// What does not fit does not compile:
///
/// ```compile_fail,E0080
/// use xen::shared_page::Offset;
///
/// const BEYOND: Offset<u32> = Offset::at::<4096>();
/// ```
pub struct Offset<T> {
    bytes: usize,
    _type: PhantomData<fn() -> T>,
}

impl<T> Clone for Offset<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Offset<T> {}

impl<T> Offset<T> {
    /// `BYTES` from the page's beginning.
    #[inline]
    pub const fn at<const BYTES: usize>() -> Self {
        const {
            assert!(BYTES <= SIZE && size_of::<T>() <= SIZE - BYTES);
            assert!(BYTES % align_of::<T>() == 0 && align_of::<T>() <= SIZE);
        }
        // INVARIANT: As asserted.
        Self {
            bytes: BYTES,
            _type: PhantomData,
        }
    }
}

impl<T, const N: usize> Offset<[T; N]> {
    /// Element `i` of the array, which begins anew after its last: element `N` is its first again.
    #[inline]
    pub const fn element(self, i: usize) -> Offset<T> {
        const { assert!(N > 0) };
        // INVARIANT: `i % N` is an element of the array, and all of that is aligned and in the
        // page.
        Offset {
            bytes: self.bytes + i % N * size_of::<T>(),
            _type: PhantomData,
        }
    }
}

/// A page shared with another domain.
///
/// # Invariants
///
/// `base` is the page-aligned address of [`SIZE`] bytes of mapped memory, for as long as the owner
/// of this value lives.
///
/// # Examples
///
/// One side counts what it has written, the other reads no more than that.
///
/// ```
/// use kernel::sync::atomic::{Acquire, Release};
/// use xen::shared_page::{Offset, SharedPage};
///
/// const WRITTEN: Offset<u32> = Offset::at::<0>();
/// const MESSAGE: Offset<[u8; 32]> = Offset::at::<64>();
///
/// fn write(page: &SharedPage, message: [u8; 32]) {
///     page.write(MESSAGE, message);
///     page.word(WRITTEN).store(1, Release);
/// }
///
/// fn read(page: &SharedPage) -> Option<[u8; 32]> {
///     (page.word(WRITTEN).load(Acquire) == 1).then(|| page.read(MESSAGE))
/// }
/// ```
pub struct SharedPage {
    base: NonNull<u8>,
}

// SAFETY: The mapping is the kernel's and belongs to no thread, and all accesses are volatile
// copies or atomic.
unsafe impl Send for SharedPage {}

// SAFETY: All accesses are volatile copies or atomic, which any number of threads may make at once.
unsafe impl Sync for SharedPage {}

impl SharedPage {
    /// # Safety
    ///
    /// `base` must be page-aligned and [`SIZE`] bytes from there must stay mapped for as long as
    /// the result is used.
    pub(crate) unsafe fn new(base: *mut u8) -> Result<Self> {
        // INVARIANT: By the safety requirements `base` is aligned, and stays mapped.
        Ok(Self {
            base: NonNull::new(base).ok_or(EFAULT)?,
        })
    }

    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// The address of what lies at `at`: mapped and aligned for a `T`.
    #[inline]
    fn address<T>(&self, at: Offset<T>) -> *mut T {
        // SAFETY: By the invariants of `Offset` a `T` at `at.bytes` lies within the page, which by
        // those of `self` is mapped.
        unsafe { self.base.as_ptr().add(at.bytes) }.cast()
    }

    /// The word at `at`, to be read and written as a whole.
    #[inline]
    pub fn word(&self, at: Offset<u32>) -> &Atomic<u32> {
        // SAFETY: The address is mapped and aligned for as long as `self` is borrowed, and every
        // value of the bits is a `u32`. The other domain is another CPU to the memory model, and a
        // peer that accesses a word by halves spoils its own value only.
        unsafe { Atomic::from_ptr(self.address(at)) }
    }

    /// A copy of what lies at `at`, each byte read once. The other domain may write meanwhile: then
    /// it is a mixture.
    #[inline]
    pub fn read<T: FromBytes>(&self, at: Offset<T>) -> T {
        // SAFETY: The address is mapped and aligned for a `T` for as long as `self` is borrowed, and
        // all bits are a `T`. The read is volatile, so that nobody is promised that they stay.
        unsafe { self.address(at).read_volatile() }
    }

    /// Copies `value` to `at`, each byte once.
    #[inline]
    pub fn write<T: AsBytes>(&self, at: Offset<T>, value: T) {
        // SAFETY: The address is mapped and aligned for a `T` for as long as `self` is borrowed, and
        // `value` has no bytes that are not initialised, which would be the kernel's.
        unsafe { self.address(at).write_volatile(value) }
    }
}
