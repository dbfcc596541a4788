// SPDX-License-Identifier: GPL-2.0

//! What a domain can give without hurting itself.

/// Pages that are always kept, whatever the kernel calls available: 16 MiB, and a part of the
/// whole.
const KEEP: u64 = 4_096;
const KEEP_PART: u64 = 32;

/// Pages that are kept by a domain in which nothing runs, and the least by any other: 4 MiB.
const KEEP_FROZEN: u64 = 1_024;

/// What a domain can give of `available` pages, with `total` that its kernel manages.
pub fn spare(available: u64, total: u64) -> u64 {
    available.saturating_sub(donor_keeps(total))
}

/// As [`spare`], of what the domain asked for itself, when it had no more than `before` available.
/// Whoever got along with less than a donor keeps gets along with it again: half of it, since what
/// is available moves all the time.
pub fn spare_borrowed(available: u64, total: u64, before: u64) -> u64 {
    let keep = donor_keeps(total).min(KEEP_FROZEN.max(before / 2));
    available.saturating_sub(keep)
}

fn donor_keeps(total: u64) -> u64 {
    KEEP.max(total / KEEP_PART)
}

/// As [`spare`], of a domain whose processes are all frozen.
pub fn spare_frozen(available: u64) -> u64 {
    available.saturating_sub(KEEP_FROZEN)
}
