// SPDX-License-Identifier: GPL-2.0

//! What the coordinator refuses.

use core::fmt;

use super::host::Gone;

/// Why an event was not accepted. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The storage is full; see [`grow`](super::Coordinator::grow).
    StorageFull,
    /// No such domain.
    UnknownDomain,
    /// The domain has no front-end connected.
    NotConnected,
    /// Zero, or more than there can be.
    OutOfRange,
    /// The floor would be above the ceiling.
    FloorAboveCeiling,
    /// It would take the domain below its floor.
    BelowFloor,
    /// It would raise the domain above its ceiling.
    AboveCeiling,
    /// The domain still has as much to answer as it may have.
    Busy,
    /// The back-end is being unloaded.
    ShuttingDown,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StorageFull => "no room for another domain",
            Self::UnknownDomain => "no such domain",
            Self::NotConnected => "the domain's front-end is not connected",
            Self::OutOfRange => "zero, or more than there can be",
            Self::FloorAboveCeiling => "the floor would be above the ceiling",
            Self::BelowFloor => "this would take the domain below its floor",
            Self::AboveCeiling => "this would raise the domain above its ceiling",
            Self::Busy => "the domain has not answered earlier messages yet; try again",
            Self::ShuttingDown => "the back-end is being unloaded",
        })
    }
}

impl From<Gone> for Refused {
    fn from(_: Gone) -> Self {
        Self::UnknownDomain
    }
}
