// SPDX-License-Identifier: GPL-2.0

//! What the front-end does with memory, for pages of the test's own.

use core::{
    ffi::c_void,
    ptr::NonNull, //
};
use kernel::{
    bindings::page,
    prelude::*, //
};
use xen::{
    extents::{
        Allocated,
        Extents,
        Populated,
        Unpopulated, //
    },
    memory::Workspace, //
};

/// What `pr_*!` put before each message.
const __LOG_PREFIX: &[u8] = b"cmm-extents\0";

extern "C" {
    /// Tells the test that an extent is without memory, or is as it was.
    fn extents_saw(page: *mut c_void, order: u32, without_memory: bool);
    /// Writes to an extent and reads it again.
    fn extents_use(page: *mut c_void, order: u32);
}

/// Gives an extent of ordinary pages to Xen. Tells of all extents that come of it, and leaves them to the
/// caller. Returns the number of pages that Xen took, or an error.
///
/// # Safety
///
/// The caller must own the `1 << order` pages at `page`, as the page allocator gave them.
#[no_mangle]
unsafe extern "C" fn extents_give(page: NonNull<page>, order: u32) -> c_long {
    let Ok(mut space) = Workspace::new() else {
        return ENOMEM.to_errno() as c_long;
    };
    let mut from = Extents::<Allocated>::new();
    let mut to = Extents::<Unpopulated>::new();
    // SAFETY: By the safety requirements.
    unsafe { from.push(page, order) };
    let taken = space.release(&mut from, &mut to, &mut |_| ());
    while let Some((page, order)) = to.pop() {
        // SAFETY: The test only looks at the addresses. It owns these pages from now on.
        unsafe { extents_saw(page.as_ptr().cast(), order, true) };
    }
    while let Some((page, order)) = from.pop() {
        // SAFETY: As above.
        unsafe { extents_saw(page.as_ptr().cast(), order, false) };
    }
    taken as c_long
}

/// Gets memory for an extent, uses it, and frees it to the page allocator. Returns the number of pages,
/// or an error.
///
/// # Safety
///
/// The caller must own the `1 << order` pages at `page`, which must be without memory.
#[no_mangle]
unsafe extern "C" fn extents_fill(page: NonNull<page>, order: u32) -> c_long {
    let Ok(mut space) = Workspace::new() else {
        return ENOMEM.to_errno() as c_long;
    };
    let mut from = Extents::<Unpopulated>::new();
    let mut got = Extents::<Populated>::new();
    // SAFETY: By the safety requirements.
    unsafe { from.push(page, order) };
    let populated = space.populate(&mut from, &mut got, &mut |_| ());
    let mut used = Extents::<Populated>::new();
    while let Some((page, order)) = got.pop() {
        // SAFETY: `got` gave us the pages, which have memory, and `used` gets them.
        unsafe {
            extents_use(page.as_ptr().cast(), order);
            used.push(page, order);
        }
    }
    populated as c_long
}
