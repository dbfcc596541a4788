// SPDX-License-Identifier: MIT

//! The wire protocol, version 1. `Documentation/protocol.rst` tells it in prose.
//!
//! Messages are little-endian, [`MESSAGE_SIZE`] bytes: a `u32` kind, a `u32` id, the body, and zeroes to the end.
//! Decoding believes nothing: a message that is not exactly what its sender was allowed to write is a [`Violation`].

mod down;
mod fields;
pub mod layout;
mod up;
mod violation;

pub use down::{Down, GrantReason, Urgency};
pub use layout::{Bytes, MESSAGE_SIZE};
pub use up::{RequestReason, Up};
pub use violation::Violation;

/// The version that this crate speaks, as it appears in the xenstore nodes `versions` and `version`.
pub const VERSION: u32 = 1;

/// The most pages that a message may name: 1 TiB.
pub const MAX_PAGES: u64 = 1 << 28;

/// Pages in the largest extent that front-ends deal in: 2 MiB, which Xen and the processor map as one.
pub const EXTENT_PAGES: u64 = 512;

/// How long a request may take, in microseconds, whatever it says: what waits longer for memory has long
/// found another way, and holds a place among [`MAX_REQUESTS`] meanwhile.
pub const LONGEST_DEADLINE_US: u64 = 60_000_000;

/// How long a request may take that says 0, in microseconds: several donors can be late in that time, and a
/// person who typed it is still there.
pub const DEFAULT_DEADLINE_US: u64 = 1_000_000;

/// What a page may take besides, in nanoseconds, of a donor that has not shown how fast it is: 60 MiB/s, which one that
/// has to swap still does.
pub const DONOR_PAGE_NANOS: u64 = 64_000;

/// How long a request for so many pages may take that says 0, in microseconds. Large ones may take longer.
pub const fn default_deadline_us(pages: u64) -> u64 {
    let moved = pages.saturating_mul(DONOR_PAGE_NANOS) / 1_000;
    let us = DEFAULT_DEADLINE_US.saturating_add(moved);
    if us < LONGEST_DEADLINE_US {
        us
    } else {
        LONGEST_DEADLINE_US
    }
}

/// The most requests that a front-end may have open.
///
/// A request is open until it is answered with nothing, or until the front-end says what it took of the grant.
pub const MAX_REQUESTS: usize = 8;

/// The most `Reclaim`, `Give` and `Revoke` messages, together, that a front-end can have unanswered.
pub const MAX_ASKS: usize = 4;

/// Set in the ids that the coordinator chooses, clear in those that the front-end chooses.
pub const COORDINATOR_ID: u32 = 1 << 31;

// An honest front-end, which consumes before it asks anew, can never find the lane down full.
const _: () = assert!(MAX_REQUESTS + MAX_ASKS < layout::DOWN.slots as usize);

/// An id that a front-end may choose.
pub const fn is_frontend_id(id: u32) -> bool {
    id != 0 && id & COORDINATOR_ID == 0
}

/// An id that the coordinator may choose.
pub const fn is_coordinator_id(id: u32) -> bool {
    id & COORDINATOR_ID != 0
}
