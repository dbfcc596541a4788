// SPDX-License-Identifier: GPL-2.0

//! Errnos: what the client's answers are to whoever writes to a knob.

use cmm::{
    client::{
        Reason,
        Refusal,
        SendError, //
    },
    protocol::GrantReason, //
};
use kernel::prelude::*;
use xen::series::{
    EDQUOT,
    EPROTO, //
};

/// A wish that is refused.
pub(crate) fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Ceiling => EDQUOT,
        Refusal::TooMany => EBUSY,
        Refusal::NotBorrowed => EINVAL,
        Refusal::Send(SendError::NotConnected) => ENODEV,
        Refusal::Send(SendError::Full) => EAGAIN,
        Refusal::Send(SendError::Broken) => EPROTO,
    }
}

/// A request that came to nothing.
pub(crate) fn denied(reason: Reason) -> Error {
    match reason {
        Reason::Answered(GrantReason::Ceiling) => EDQUOT,
        Reason::Answered(GrantReason::Deadline) => ETIMEDOUT,
        Reason::Answered(GrantReason::ShuttingDown) => ENODEV,
        Reason::Answered(GrantReason::Cancelled) => EINTR,
        Reason::Answered(GrantReason::Full | GrantReason::NoDonor | GrantReason::RateLimit)
        | Reason::Lost
        | Reason::AboveTarget => EAGAIN,
    }
}
