// SPDX-License-Identifier: GPL-2.0

//! Why a request got no more than it got.

use crate::protocol::GrantReason;

/// Why a request got no more than it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// What Dom0 said.
    Answered(GrantReason),
    /// It was granted, and then not to be had: somebody else took the memory from Xen, or the
    /// kernel has no page frames for it.
    Lost,
    /// Dom0 was not asked: the domain is larger than its toolstack wants, and its kernel cannot
    /// spare what that is.
    AboveTarget,
}

impl Reason {
    /// It got all, or there was no request yet.
    pub const GRANTED: Self = Self::Answered(GrantReason::Full);

    /// All, with the names they go by.
    const ALL: [(Self, &'static str); 9] = [
        (Self::GRANTED, "granted"),
        (Self::Answered(GrantReason::NoDonor), "no-donor"),
        (Self::Answered(GrantReason::Ceiling), "ceiling"),
        (Self::Answered(GrantReason::RateLimit), "rate-limit"),
        (Self::Answered(GrantReason::Deadline), "deadline"),
        (Self::Answered(GrantReason::ShuttingDown), "shutting-down"),
        (Self::Answered(GrantReason::Cancelled), "cancelled"),
        (Self::Lost, "lost"),
        (Self::AboveTarget, "above-target"),
    ];

    /// The reason of a request for `wanted` pages that was granted `granted`, perhaps more than it
    /// wanted, for the reason `said`, and of which `taken` came.
    pub fn of(wanted: u64, granted: u64, said: GrantReason, taken: u64) -> Self {
        if taken < granted.min(wanted) {
            Self::Lost
        } else if granted >= wanted {
            Self::GRANTED
        } else {
            Self::Answered(said)
        }
    }

    /// A number that stands for it, to be kept in an atomic variable.
    pub fn to_number(self) -> u32 {
        match self {
            Self::Answered(reason) => reason.to_wire(),
            Self::Lost => u32::MAX,
            Self::AboveTarget => u32::MAX - 1,
        }
    }

    /// What the reason that a number stands for is called; `None` if it stands for none.
    pub fn name(number: u32) -> Option<&'static str> {
        let mut all = Self::ALL.iter();
        all.find_map(|(reason, name)| (reason.to_number() == number).then_some(*name))
    }
}
