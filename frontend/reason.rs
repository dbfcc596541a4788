// SPDX-License-Identifier: GPL-2.0

//! Why a request got no more than it got.

use cmm::protocol::GrantReason;
use kernel::prelude::*;

/// Why a request got no more than it got.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// What Dom0 said.
    Answered(GrantReason),
    /// It was granted, and then not to be had: somebody else took the memory from Xen, or this kernel
    /// has no page frames for it.
    Lost,
}

impl Reason {
    /// All, with the names they go by.
    const ALL: [(Self, &'static str); 7] = [
        (Self::Answered(GrantReason::Full), "granted"),
        (Self::Answered(GrantReason::NoDonor), "no-donor"),
        (Self::Answered(GrantReason::Ceiling), "ceiling"),
        (Self::Answered(GrantReason::RateLimit), "rate-limit"),
        (Self::Answered(GrantReason::Deadline), "deadline"),
        (Self::Answered(GrantReason::ShuttingDown), "shutting-down"),
        (Self::Lost, "lost"),
    ];

    /// A number that stands for it, to be kept in an atomic variable.
    pub(crate) fn to_number(self) -> u32 {
        match self {
            Self::Answered(reason) => reason.to_wire(),
            Self::Lost => u32::MAX,
        }
    }

    /// What the reason that a number stands for is called.
    pub(crate) fn name(number: u32) -> Option<&'static str> {
        let mut all = Self::ALL.iter();
        all.find_map(|(reason, name)| (reason.to_number() == number).then_some(*name))
    }

    /// What a request that has got nothing fails with.
    pub(crate) fn to_error(self) -> Error {
        match self {
            Self::Answered(GrantReason::Ceiling) => EDQUOT,
            Self::Answered(GrantReason::Deadline) => ETIMEDOUT,
            Self::Answered(GrantReason::ShuttingDown) => ENODEV,
            Self::Answered(GrantReason::Full | GrantReason::NoDonor | GrantReason::RateLimit)
            | Self::Lost => EAGAIN,
        }
    }
}
