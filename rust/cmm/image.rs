// SPDX-License-Identifier: GPL-2.0

//! What of a domain may be in its image.
//!
//! The toolstack restores a domain as large as it wants it to have been, and not a megabyte larger. What is borrowed
//! comes on top of that: an image with it in cannot be restored, and the domain would be lost.

/// What the toolstack leaves a domain above its target, less what else may need that, in pages: half of the megabyte.
const ROOM: i64 = 128;

/// Whether a domain with this balance, in pages, could be restored.
pub fn is_restorable(balance: i64) -> bool {
    balance <= ROOM
}
