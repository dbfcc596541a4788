// SPDX-License-Identifier: GPL-2.0

//! Conversions between pages, which the ledger counts, and KiB, which people read and write.

use crate::protocol::MAX_PAGES;

/// KiB in a page.
pub const KIB_PER_PAGE: u64 = 4;

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
