// SPDX-License-Identifier: GPL-2.0

//! Domain numbers.

use core::fmt;

/// The number of a real domain; never one of Xen's reserved numbers (`DOMID_SELF` and its neighbours).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomId(u16);

impl DomId {
    /// The first number that Xen keeps for itself.
    const FIRST_RESERVED: u16 = 0x7ff0;

    /// `None` if `raw` is one of Xen's reserved numbers.
    pub const fn new(raw: u16) -> Option<Self> {
        if raw < Self::FIRST_RESERVED {
            Some(Self(raw))
        } else {
            None
        }
    }

    /// The number as Xen writes it.
    pub const fn raw(self) -> u16 {
        self.0
    }
}

impl fmt::Display for DomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "d{}", self.0)
    }
}
