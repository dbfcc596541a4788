// SPDX-License-Identifier: GPL-2.0

//! Numbers of pages: in KiB, which people read and write, and as differences.

use crate::protocol::MAX_PAGES;

/// KiB in a page.
pub const KIB_PER_PAGE: u64 = 4;

/// More pages than any machine has, 4 PiB: what is read from xenstore or heard from Xen is not believed
/// beyond. A few thousand domains' sums of such numbers stay far within 64 bits.
pub const MOST_PAGES: u64 = 1 << 40;

/// The pages that hold `kib`, rounded up; `None` above [`MAX_PAGES`].
///
/// Rounding up means that a caller who asks for 1 KiB gets memory, not nothing.
pub const fn from_kib(kib: u64) -> Option<u64> {
    let pages = kib.div_ceil(KIB_PER_PAGE);
    if pages <= MAX_PAGES {
        Some(pages)
    } else {
        None
    }
}

/// `pages` in KiB. Saturates, which no number of pages that a machine can have reaches.
pub const fn to_kib(pages: u64) -> u64 {
    pages.saturating_mul(KIB_PER_PAGE)
}

/// `pages` as a difference. Saturates, which no number of pages that a machine can have reaches.
pub const fn signed(pages: u64) -> i64 {
    if pages > i64::MAX as u64 {
        i64::MAX
    } else {
        pages as i64
    }
}

/// How far `a` is above `b`, if it is.
pub const fn above(a: i64, b: i64) -> u64 {
    let difference = a.saturating_sub(b);
    if difference > 0 {
        difference.unsigned_abs()
    } else {
        0
    }
}
