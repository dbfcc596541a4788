// SPDX-License-Identifier: GPL-2.0

//! Memory from the own kernel: the comparator.

use std::{io, ptr, time::Instant};

const PAGE: usize = 4096;

/// Whether this process may have huge pages. The comparator is pages of 4 KiB.
///
/// Said of the whole process, so that the time of saying so is in no measurement.
pub fn huge_pages(allowed: bool) -> Result<(), String> {
    let disable = libc::c_ulong::from(!allowed);
    // SAFETY: This prctl takes no pointers.
    let result = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, disable, 0, 0, 0) };
    if result != 0 {
        let why = io::Error::last_os_error();
        return Err(format!("cannot turn huge pages on or off: {why}"));
    }
    Ok(())
}

/// As [`map_and_touch`], by the C library's allocator: new memory each time, for otherwise it would
/// hand out again what was freed before.
pub fn allocate_and_touch(size_kb: u64) -> Result<u64, String> {
    let bytes = size_kb as usize * 1024;
    // SAFETY: Takes no pointers.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, 1) };
    let begin = Instant::now();
    // SAFETY: Any size may be asked for.
    let memory = unsafe { libc::malloc(bytes) };
    if memory.is_null() {
        return Err(format!("malloc has no {size_kb} KiB"));
    }
    touch(memory, bytes);
    let nanos = begin.elapsed().as_nanos() as u64;
    // SAFETY: What `malloc` gave, which nothing refers to.
    unsafe { libc::free(memory) };
    Ok(nanos)
}

/// Maps anonymous memory and touches each page of it; returns how many ns that took.
pub fn map_and_touch(size_kb: u64) -> Result<u64, String> {
    let bytes = size_kb as usize * 1024;
    let begin = Instant::now();
    // SAFETY: A new mapping, wherever the kernel likes.
    let memory = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if memory == libc::MAP_FAILED {
        let why = io::Error::last_os_error();
        return Err(format!("cannot map {size_kb} KiB: {why}"));
    }
    touch(memory, bytes);
    let nanos = begin.elapsed().as_nanos() as u64;
    // SAFETY: The mapping from above, which nothing refers to.
    unsafe { libc::munmap(memory, bytes) };
    Ok(nanos)
}

/// Writes to each page of memory that is ours.
fn touch(memory: *mut libc::c_void, bytes: usize) {
    for offset in (0..bytes).step_by(PAGE) {
        // SAFETY: Inside the memory. Volatile, for nobody reads it.
        unsafe { memory.cast::<u8>().add(offset).write_volatile(1) };
    }
}
