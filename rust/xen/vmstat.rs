// SPDX-License-Identifier: GPL-2.0

//! What the kernel counts of its memory, in pages.
//!
//! Counters of the CPUs are added up now and then only: a number may lag behind by some dozen pages
//! a CPU.
//!
//! C header: [`include/linux/vmstat.h`](srctree/include/linux/vmstat.h)

use crate::bindings;

/// The kernel's memory at a moment, in pages.
///
/// # Examples
///
/// ```
/// use xen::vmstat::Figures;
///
/// fn share_of_files() -> usize {
///     let figures = Figures::read();
///     100 * figures.file / figures.total.max(1)
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// What it manages (`MemTotal`).
    pub total: usize,
    /// Free (`MemFree`).
    pub free: usize,
    /// What could be used without swapping (`MemAvailable`).
    pub available: usize,
    /// Of files, and could be read again: the page cache without tmpfs and what may not be
    /// evicted.
    pub file: usize,
    /// Other caches that shrink (`KReclaimable`).
    pub reclaimable: usize,
}

impl Figures {
    /// Reads them, in any context.
    pub fn read() -> Self {
        // SAFETY: All read counters, in any context.
        let (total, free, available, file, reclaimable) = unsafe {
            (
                bindings::xen_helper_total_ram(),
                bindings::xen_helper_free_pages(),
                bindings::si_mem_available(),
                bindings::xen_helper_file_pages(),
                bindings::xen_helper_reclaimable_pages(),
            )
        };
        Self {
            total,
            free,
            available: usize::try_from(available).unwrap_or(0),
            file,
            reclaimable,
        }
    }
}
