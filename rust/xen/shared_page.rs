// SPDX-License-Identifier: GPL-2.0

//! A page that another domain reads and writes at the same time.
//!
//! Nothing in it may be believed, or read twice: every access copies, and copies once.

use cmm::ring::Memory;
use core::ptr::NonNull;
use kernel::{
    io::{
        Io,
        SysMem, //
    },
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Release, //
    },
};

/// Bytes in a page, as Xen counts them.
pub const SIZE: usize = 4096;

/// A page shared with another domain.
///
/// # Invariants
///
/// `base` is the page-aligned address of [`SIZE`] bytes of mapped memory, for as long as the owner
/// of this value lives.
pub struct SharedPage {
    base: NonNull<u8>,
}

// SAFETY: All accesses are volatile copies or atomic, and the memory may be accessed by any thread.
unsafe impl Send for SharedPage {}

// SAFETY: As above.
unsafe impl Sync for SharedPage {}

impl SharedPage {
    /// # Safety
    ///
    /// `base` must be page-aligned and [`SIZE`] bytes from there must stay mapped for as long as
    /// the result is used.
    pub(crate) unsafe fn new(base: *mut u8) -> Result<Self> {
        Ok(Self {
            base: NonNull::new(base).ok_or(EFAULT)?,
        })
    }

    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// The word at `offset`, or at 0 if there is none: the ring asks for none that is not there.
    fn word(&self, offset: usize) -> &Atomic<u32> {
        let offset = if offset <= SIZE - 4 && offset % 4 == 0 {
            offset
        } else {
            0
        };
        // SAFETY: By the type invariants the word is mapped and aligned. The other domain is
        // another CPU to the memory model, and accesses the word as a whole.
        unsafe { Atomic::from_ptr(self.base.as_ptr().add(offset).cast()) }
    }

    /// The slot at `offset`, or at 0, as in [`SharedPage::word`].
    fn slot(&self, offset: usize) -> SysMem<'_, [u64; 8]> {
        let offset = if offset <= SIZE - 64 && offset % 64 == 0 {
            offset
        } else {
            0
        };
        // SAFETY: By the type invariants the slot is mapped and aligned.
        unsafe { SysMem::new(self.base.as_ptr().add(offset).cast()) }
    }
}

impl Memory for SharedPage {
    #[inline]
    fn load_acquire(&self, offset: usize) -> u32 {
        self.word(offset).load(Acquire)
    }

    #[inline]
    fn store_release(&self, offset: usize, value: u32) {
        self.word(offset).store(value, Release);
    }

    #[inline]
    fn read(&self, offset: usize, into: &mut [u8; 64]) {
        let slot = self.slot(offset);
        let words: [u64; 8] = slot.copy_read();
        for (chunk, word) in into.chunks_exact_mut(8).zip(words) {
            chunk.copy_from_slice(&word.to_ne_bytes());
        }
    }

    #[inline]
    fn write(&self, offset: usize, from: &[u8; 64]) {
        let mut words = [0; 8];
        for (word, chunk) in words.iter_mut().zip(from.chunks_exact(8)) {
            if let Ok(bytes) = chunk.try_into() {
                *word = u64::from_ne_bytes(bytes);
            }
        }
        self.slot(offset).copy_write(words);
    }
}
