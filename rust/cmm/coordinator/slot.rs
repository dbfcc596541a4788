// SPDX-License-Identifier: GPL-2.0

//! What the coordinator remembers about one domain.

/// Room for one domain in the coordinator's storage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    _later: u8,
}
