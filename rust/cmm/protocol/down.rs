// SPDX-License-Identifier: MIT

//! What the back-end says to a front-end.

use super::fields::{coordinator_id, frontend_id, no_id, Reader, Writer};
use super::{Bytes, Violation, MAX_ASKS, MAX_REQUESTS};

/// Why a grant is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantReason {
    /// Granted in full.
    Full,
    /// Granted in part or not at all: no donor has more to spare.
    NoDonor,
    /// More would have crossed the domain's ceiling.
    Ceiling,
    /// The domain asks too often.
    RateLimit,
    /// The deadline passed before more was found.
    Deadline,
    /// The back-end is being unloaded.
    ShuttingDown,
    /// The front-end has cancelled the request.
    Cancelled,
}

impl GrantReason {
    /// The number on the wire.
    pub const fn to_wire(self) -> u32 {
        match self {
            Self::Full => 0,
            Self::NoDonor => 1,
            Self::Ceiling => 2,
            Self::RateLimit => 3,
            Self::Deadline => 4,
            Self::ShuttingDown => 5,
            Self::Cancelled => 6,
        }
    }

    fn from_wire(value: u32) -> Result<Self, Violation> {
        match value {
            0 => Ok(Self::Full),
            1 => Ok(Self::NoDonor),
            2 => Ok(Self::Ceiling),
            3 => Ok(Self::RateLimit),
            4 => Ok(Self::Deadline),
            5 => Ok(Self::ShuttingDown),
            6 => Ok(Self::Cancelled),
            other => Err(Violation::Reason(other)),
        }
    }
}

/// How much a donor should put itself out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// For the reserve: only what is plainly unused.
    Background,
    /// Somebody waits for it.
    Normal,
    /// A lender asks back what it lent, or a domain is about to run out.
    Urgent,
}

impl Urgency {
    /// The number on the wire.
    pub const fn to_wire(self) -> u32 {
        match self {
            Self::Background => 0,
            Self::Normal => 1,
            Self::Urgent => 2,
        }
    }

    fn from_wire(value: u32) -> Result<Self, Violation> {
        match value {
            0 => Ok(Self::Background),
            1 => Ok(Self::Normal),
            2 => Ok(Self::Urgent),
            other => Err(Violation::Urgency(other)),
        }
    }
}

/// A message from the back-end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// Answers a [`Request`](super::Up::Request), exactly once: the domain may populate this many pages more.
    Grant {
        /// The id of the request.
        id: u32,
        /// How many, perhaps none.
        pages: u64,
        /// Why not more; [`GrantReason::Full`] comes with at least one page.
        reason: GrantReason,
    },
    /// Asks for memory; answered by exactly one [`Offered`](super::Up::Offered).
    Reclaim {
        /// Chosen by the coordinator.
        id: u32,
        /// How many, at least one.
        pages: u64,
        /// How much the domain should put itself out.
        urgency: Urgency,
    },
    /// The limits that the coordinator keeps to.
    Limits {
        /// The domain is never asked to shrink below this, in pages.
        floor: u64,
        /// The domain is never granted more than this, in pages.
        ceiling: u64,
    },
    /// Memory handed over unasked: what the domain lent comes back, or an administrator gives.
    Give {
        /// Chosen by the coordinator.
        id: u32,
        /// How many, at least one.
        pages: u64,
    },
    /// Adds to the credit: the domain may populate this many pages more at any time in this connection, and says
    /// [`Drew`](super::Up::Drew) afterwards. Not answered.
    Credit {
        /// How many, at least one.
        pages: u64,
    },
    /// Asks for credit that is not used; answered by exactly one [`Offered`](super::Up::Offered), whose pages may no
    /// longer be drawn.
    Revoke {
        /// Chosen by the coordinator.
        id: u32,
        /// How many, at least one.
        pages: u64,
    },
}

const GRANT: u32 = 1;
const RECLAIM: u32 = 2;
const LIMITS: u32 = 3;
const GIVE: u32 = 4;
const CREDIT: u32 = 5;
const REVOKE: u32 = 6;

impl Down {
    /// How many slots of the lane must stay free behind this message.
    ///
    /// `Limits` and `Credit` are not answered, so nothing else bounds how many of them lie unread; they give way to
    /// the messages that are bounded, which therefore always fit.
    pub const fn leaves_free(&self) -> u32 {
        match self {
            Self::Limits { .. } | Self::Credit { .. } => (MAX_REQUESTS + MAX_ASKS) as u32,
            _ => 0,
        }
    }

    /// The message as it is put in the ring.
    pub fn encode(&self) -> Bytes {
        match *self {
            Self::Grant { id, pages, reason } => {
                Writer::new(GRANT, id).u64(pages).u32(reason.to_wire())
            }
            Self::Reclaim { id, pages, urgency } => {
                Writer::new(RECLAIM, id).u64(pages).u32(urgency.to_wire())
            }
            Self::Limits { floor, ceiling } => Writer::new(LIMITS, 0).u64(floor).u64(ceiling),
            Self::Give { id, pages } => Writer::new(GIVE, id).u64(pages),
            Self::Credit { pages } => Writer::new(CREDIT, 0).u64(pages),
            Self::Revoke { id, pages } => Writer::new(REVOKE, id).u64(pages),
        }
        .end()
    }

    /// Reads a message copied from the ring.
    ///
    /// # Errors
    ///
    /// What the back-end wrote is not a message of this version.
    pub fn decode(bytes: &Bytes) -> Result<Self, Violation> {
        let mut body = Reader::new(bytes);
        let kind = body.u32();
        let id = body.u32();
        let message = match kind {
            GRANT => {
                let id = frontend_id(id)?;
                let pages = body.pages()?;
                let reason = GrantReason::from_wire(body.u32())?;
                if pages == 0 && reason == GrantReason::Full {
                    return Err(Violation::Pages(0));
                }
                Self::Grant { id, pages, reason }
            }
            RECLAIM => Self::Reclaim {
                id: coordinator_id(id)?,
                pages: body.some_pages()?,
                urgency: Urgency::from_wire(body.u32())?,
            },
            LIMITS => {
                no_id(id)?;
                let floor = body.pages()?;
                let ceiling = body.pages()?;
                if floor > ceiling {
                    return Err(Violation::Limits { floor, ceiling });
                }
                Self::Limits { floor, ceiling }
            }
            GIVE => Self::Give {
                id: coordinator_id(id)?,
                pages: body.some_pages()?,
            },
            CREDIT => {
                no_id(id)?;
                Self::Credit {
                    pages: body.some_pages()?,
                }
            }
            REVOKE => Self::Revoke {
                id: coordinator_id(id)?,
                pages: body.some_pages()?,
            },
            other => return Err(Violation::Kind(other)),
        };
        body.end()?;
        Ok(message)
    }
}
