// SPDX-License-Identifier: GPL-2.0

//! For how long the CPUs have worked.
//!
//! C header: [`include/linux/tick.h`](srctree/include/linux/tick.h)

use crate::bindings;

/// For how many ns CPUs have not been idle since they came online, all together, to the microsecond.
///
/// A kernel that ticks when it is idle (`nohz=off`) does not know. Then they have never been.
///
/// # Examples
///
/// ```
/// /// Whether what is done between takes a CPU more than a millisecond.
/// fn is_work(between: impl FnOnce()) -> bool {
///     let before = xen::cpus::busy();
///     between();
///     xen::cpus::busy() - before > 1_000_000
/// }
/// ```
pub fn busy() -> u64 {
    // SAFETY: Reads counters, in any context.
    unsafe { bindings::xen_helper_busy_ns() }
}
