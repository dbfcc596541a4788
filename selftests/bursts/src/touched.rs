// SPDX-License-Identifier: GPL-2.0

//! Memory that is really used: touched page by page, and given up again.

use std::ffi::{c_int, c_long, c_void};
use std::io;
use std::ptr;

extern "C" {
    fn mmap(
        at: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: c_long,
    ) -> *mut c_void;
    fn munmap(at: *mut c_void, length: usize) -> c_int;
    fn madvise(at: *mut c_void, length: usize, advice: c_int) -> c_int;
}

const READ_AND_WRITE: c_int = 1 | 2;
/// Private and anonymous.
const PRIVATE: c_int = 0x02 | 0x20;
/// Not promised: what is never touched needs no memory.
const NOT_PROMISED: c_int = 0x4000;
const DONT_NEED: c_int = 4;
const NO_HUGE_PAGE: c_int = 15;

/// Bytes.
const PAGE: usize = 4_096;

/// Room for so many pages, of which the first are in use.
#[derive(Debug)]
pub struct Touched {
    at: *mut u8,
    room: usize,
    used: usize,
}

impl Touched {
    /// Room for so many pages, of which none is used.
    ///
    /// # Errors
    ///
    /// There is no such room.
    pub fn new(room: usize) -> io::Result<Self> {
        Self::with(room, PRIVATE | NOT_PROMISED)
    }

    /// The same, which the kernel counts as committed from now on.
    ///
    /// # Errors
    ///
    /// There is no such room.
    pub fn committed(room: usize) -> io::Result<Self> {
        Self::with(room, PRIVATE)
    }

    fn with(room: usize, flags: c_int) -> io::Result<Self> {
        let length = room.max(1) * PAGE;
        // SAFETY: Nothing is at a new mapping of the kernel's choice.
        let at = unsafe { mmap(ptr::null_mut(), length, READ_AND_WRITE, flags, -1, 0) };
        if at as isize == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: It is the mapping just made. Each page is to be a fault of its own; if the kernel
        // knows no others, that is so.
        unsafe { madvise(at, length, NO_HUGE_PAGE) };
        Ok(Self {
            at: at.cast(),
            room: room.max(1),
            used: 0,
        })
    }

    /// How many pages are used.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Uses a page more, which the kernel has to find; no more than there is room for.
    pub fn touch(&mut self) {
        if self.used < self.room {
            // SAFETY: The page is within the mapping, which is writable and nobody else's.
            unsafe { self.at.add(self.used * PAGE).write_volatile(1) };
            self.used += 1;
        }
    }

    /// Uses only so many pages: the kernel has the others back.
    pub fn shrink(&mut self, pages: usize) {
        if pages < self.used {
            let length = (self.used - pages) * PAGE;
            // SAFETY: All of it is within the mapping, and nothing of it is read again before it is
            // written.
            unsafe { madvise(self.at.add(pages * PAGE).cast(), length, DONT_NEED) };
            self.used = pages;
        }
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        // SAFETY: It is the mapping that was made, and nothing refers to it any more.
        unsafe { munmap(self.at.cast(), self.room * PAGE) };
    }
}
