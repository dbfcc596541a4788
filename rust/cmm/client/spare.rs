// SPDX-License-Identifier: GPL-2.0

//! What a domain can give without hurting itself.

/// Pages that are always kept, whatever the kernel calls available: 16 MiB, and a part of the
/// whole.
const KEEP: u64 = 4_096;
const KEEP_PART: u64 = 32;

/// Pages that are kept by a domain in which nothing runs: 4 MiB.
const KEEP_FROZEN: u64 = 1_024;

/// What a domain can give of `available` pages, with `total` that its kernel manages.
pub fn spare(available: u64, total: u64) -> u64 {
    available.saturating_sub(KEEP.max(total / KEEP_PART))
}

/// As [`spare`], of a domain whose processes are all frozen.
pub fn spare_frozen(available: u64) -> u64 {
    available.saturating_sub(KEEP_FROZEN)
}
