// SPDX-License-Identifier: GPL-2.0

//! Why dealing with a domain came to an end.

use super::host::{Gone, SendError};
use crate::protocol::Violation;

/// Why dealing with a domain came to an end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Its front-end broke the protocol.
    Violation(Violation),
    /// It, or its connection, does not exist any more.
    Gone,
}

impl From<Gone> for Fault {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl From<SendError> for Fault {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Full => Self::Violation(Violation::LaneFull),
            SendError::Violation(violation) => Self::Violation(violation),
            SendError::Gone => Self::Gone,
        }
    }
}
