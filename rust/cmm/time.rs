// SPDX-License-Identifier: GPL-2.0

//! Time, as a number: where it comes from is the shell's business.

/// Nanoseconds of a monotonic clock, or between two of its readings.
pub type Nanos = u64;

/// Nanoseconds in a microsecond.
pub const MICROSECOND: Nanos = 1_000;
/// Nanoseconds in a millisecond.
pub const MILLISECOND: Nanos = 1_000_000;
/// Nanoseconds in a second.
pub const SECOND: Nanos = 1_000_000_000;
