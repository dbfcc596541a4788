// SPDX-License-Identifier: GPL-2.0

//! What of a domain may be in its image.
//!
//! The toolstack restores a domain as large as it wants it to have been, and not a megabyte larger.
//! What is borrowed comes on top of that: an image with it in cannot be restored, and the domain
//! would be lost.

use super::spare::spare_frozen;

/// What the toolstack leaves a domain above its target, less what else may need that, in pages:
/// half of the megabyte.
const ROOM: i64 = 128;

/// Whether a domain with this balance, in pages, could be restored.
pub fn is_restorable(balance: i64) -> bool {
    balance <= ROOM
}

/// The balance, in pages, of a domain with all its processes frozen that gives back all it can:
/// `readahead`, which it has borrowed and does not use, and what it can spare of `available`.
pub fn least_left(balance: i64, readahead: u64, available: u64) -> i64 {
    let most = readahead.saturating_add(spare_frozen(available));
    balance.saturating_sub_unsigned(most).max(balance.min(0))
}
