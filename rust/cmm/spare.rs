// SPDX-License-Identifier: GPL-2.0

//! What a domain can give without hurting itself, and when that is worth telling.

/// Pages that are always kept, whatever the kernel calls available: 16 MiB, and a part of the whole.
const KEEP: u64 = 4_096;
const KEEP_PART: u64 = 32;

/// Pages that are kept by a domain in which nothing runs: 4 MiB.
const KEEP_FROZEN: u64 = 1_024;

/// A change worth reporting: 1 MiB, or a part of what was reported.
const CHANGE: u64 = 256;
const CHANGE_PART: u64 = 64;

/// What a domain can give of `available` pages, with `total` that its kernel manages.
pub fn spare(available: u64, total: u64) -> u64 {
    available.saturating_sub(KEEP.max(total / KEEP_PART))
}

/// As [`spare`], of a domain whose processes are all frozen.
pub fn spare_frozen(available: u64) -> u64 {
    available.saturating_sub(KEEP_FROZEN)
}

/// Whether Dom0 should be told that it is `spare` pages, having been told `reported`.
pub fn is_worth_telling(spare: u64, reported: u64) -> bool {
    spare.abs_diff(reported) > CHANGE.max(reported / CHANGE_PART)
}
