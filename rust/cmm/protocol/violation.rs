// SPDX-License-Identifier: MIT

//! What the other side may not do, in words for a log.

use core::fmt;

/// The other side broke the protocol. The connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A message of an unknown kind.
    Kind(u32),
    /// A message with an id that its sender may not use.
    Id(u32),
    /// A message with an absurd number of pages.
    Pages(u64),
    /// A message with an unknown reason.
    Reason(u32),
    /// A message with an unknown urgency.
    Urgency(u32),
    /// Limits that contradict each other, in pages.
    Limits {
        /// The floor.
        floor: u64,
        /// The ceiling.
        ceiling: u64,
    },
    /// A message that goes on where this version has only zeroes.
    Padding,
    /// A ring index that moved back, or ahead by more than there is.
    Index {
        /// The index that was written.
        found: u32,
        /// The lowest index that was possible.
        from: u32,
        /// The highest index that was possible.
        to: u32,
    },
    /// The lane to it is full: it stopped reading, yet goes on asking.
    LaneFull,
    /// More requests open than allowed.
    TooManyRequests,
    /// A request with the id of another that is still open.
    Repeated(u32),
    /// An answer to something that was not asked, or was answered before.
    Unasked(u32),
    /// An answer, or a message that it drew on its credit, that names more pages than it may.
    Excess {
        /// The id of the message.
        id: u32,
        /// How many pages the message names.
        said: u64,
        /// How many it may name at most.
        allowed: u64,
    },
    /// It says that it gave pages, or left them, and Xen says that it has them.
    Kept {
        /// How many pages it says it gave or left.
        said: u64,
        /// How many pages it has.
        current: u64,
        /// How many it could have if that were true.
        expected: u64,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Kind(kind) => write!(f, "sent a message of unknown kind {kind}"),
            Self::Id(id) => write!(f, "sent a message with the forbidden id {id:#x}"),
            Self::Pages(pages) => write!(f, "sent a message that names {pages} pages"),
            Self::Reason(reason) => write!(f, "sent a message with unknown reason {reason}"),
            Self::Urgency(urgency) => write!(f, "sent a message with unknown urgency {urgency}"),
            Self::Limits { floor, ceiling } => {
                write!(f, "sent a floor of {floor} pages above a ceiling of {ceiling}")
            }
            Self::Padding => write!(f, "sent a message with padding that is not zero"),
            Self::Index { found, from, to } => {
                write!(f, "wrote ring index {found:#x}, not one of {from:#x} to {to:#x}")
            }
            Self::LaneFull => write!(f, "reads no more, yet expects messages"),
            Self::TooManyRequests => write!(f, "has more requests open than allowed"),
            Self::Repeated(id) => write!(f, "sent a request with id {id:#x}, which is in use"),
            Self::Unasked(id) => write!(f, "answered {id:#x}, which is not open"),
            Self::Excess { id, said, allowed } => {
                write!(f, "sent message {id:#x} with {said} pages, {allowed} at most were possible")
            }
            Self::Kept {
                said,
                current,
                expected,
            } => write!(
                f,
                "says that {said} pages went back to Xen, but has {current} pages, not {expected} or fewer"
            ),
        }
    }
}
