// SPDX-License-Identifier: GPL-2.0

//! Xen's clock: nanoseconds since Xen booted, the same for all domains.
//!
//! For x86: elsewhere Xen has no clock of its own.
//!
//! C header: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h)

use crate::bindings;

/// How far Xen's clock is ahead of this domain's monotonic clock ([`now`](crate::timer::now)), in
/// ns.
///
/// `None` where Linux counts by a clock that it cannot compare with Xen's: its clocksource is
/// neither `xen` nor a `tsc` that Xen warrants for. With another that Linux does not tell from
/// `xen` (`hpet`, `acpi_pm`) the result means nothing.
///
/// # Examples
///
/// ```
/// use xen::{out_of_tree::clock, timer};
///
/// /// Now, as all domains count, in ns.
/// fn xen_now() -> Option<u64> {
///     Some(timer::now().wrapping_add_signed(clock::ahead()?))
/// }
/// ```
pub fn ahead() -> Option<i64> {
    let (mut monotonic, mut system_time) = (0, 0);
    // SAFETY: Both are there for the call, and may be written. It may be made in any context.
    let known = unsafe { bindings::xen_helper_clocks(&mut monotonic, &mut system_time) };
    known.then(|| system_time.wrapping_sub(monotonic) as i64)
}
