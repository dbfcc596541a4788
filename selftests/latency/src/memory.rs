// SPDX-License-Identifier: GPL-2.0

//! Memory from the own kernel, and how long it takes.

use crate::samples::Samples;
use std::{fs, io, ptr, time::Instant};

const PAGE: usize = 4096;

/// A way to get memory of a size from the own kernel; returns how many ns that took.
pub type Way = fn(u64) -> Result<u64, String>;

/// Measures a way to get memory; the first run is not counted.
pub fn series(way: Way, size_kb: u64, runs: usize) -> Result<Samples, String> {
    let mut samples = Samples::default();
    way(size_kb)?;
    for _ in 0..runs {
        samples.push(way(size_kb)?);
    }
    Ok(samples)
}

/// Lets this process have no huge pages: the comparator is pages of 4 KiB.
pub fn no_huge_pages() -> Result<(), String> {
    huge_pages(false)
}

/// Whether this process may have huge pages.
///
/// Said of the whole process, so that the time of saying so is in no measurement.
fn huge_pages(allowed: bool) -> Result<(), String> {
    let disable = libc::c_ulong::from(!allowed);
    // SAFETY: This prctl takes no pointers.
    let result = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, disable, 0, 0, 0) };
    if result != 0 {
        let why = io::Error::last_os_error();
        return Err(format!("cannot turn huge pages on or off: {why}"));
    }
    Ok(())
}

const HUGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// Lets `f` run while the kernel gives huge pages to whoever may have them, which it does not by
/// itself in a small domain; `None` if it has none to give, as in PV domains.
pub fn with_huge_pages<R>(f: impl FnOnce() -> Result<R, String>) -> Result<Option<R>, String> {
    let set =
        |how: &str| fs::write(HUGE_PAGES, how).map_err(|why| format!("{HUGE_PAGES}: {how}: {why}"));
    // "always madvise [never]"
    let Ok(before) = fs::read_to_string(HUGE_PAGES) else {
        return Ok(None);
    };
    let before = before.split(['[', ']']).nth(1).unwrap_or("madvise");
    set("always")?;
    huge_pages(true)?;
    let result = f();
    huge_pages(false)?;
    set(before)?;
    result.map(Some)
}

/// As [`map_and_touch`], by the C library's allocator: new memory each time, for otherwise it would
/// hand out again what was freed before.
pub fn allocate_and_touch(size_kb: u64) -> Result<u64, String> {
    let bytes = size_kb as usize * 1024;
    // SAFETY: These take no pointers.
    unsafe {
        libc::mallopt(libc::M_TOP_PAD, 0);
        libc::malloc_trim(0);
    }
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

/// Writes to each page of memory that is ours, wherever in a page it begins.
fn touch(memory: *mut libc::c_void, bytes: usize) {
    for offset in (0..bytes).step_by(PAGE).chain([bytes - 1]) {
        // SAFETY: Inside the memory. Volatile, for nobody reads it.
        unsafe { memory.cast::<u8>().add(offset).write_volatile(1) };
    }
}
