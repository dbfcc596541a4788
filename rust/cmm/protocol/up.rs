// SPDX-License-Identifier: MIT

//! What a front-end says to the back-end.

use super::fields::{coordinator_id, frontend_id, no_id, Reader, Writer};
use super::{Bytes, Violation, MAX_ASKS, MAX_REQUESTS};

/// Why a front-end asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestReason {
    /// Somebody asked by hand.
    Manual,
    /// The front-end expects to need it.
    Automatic,
    /// The domain is about to run out.
    Emergency,
}

impl RequestReason {
    /// The number on the wire.
    pub const fn to_wire(self) -> u32 {
        match self {
            Self::Manual => 0,
            Self::Automatic => 1,
            Self::Emergency => 2,
        }
    }

    fn from_wire(value: u32) -> Result<Self, Violation> {
        match value {
            0 => Ok(Self::Manual),
            1 => Ok(Self::Automatic),
            2 => Ok(Self::Emergency),
            other => Err(Violation::Reason(other)),
        }
    }
}

/// A message from a front-end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Up {
    /// Asks for memory; answered by exactly one [`Grant`](super::Down::Grant).
    Request {
        /// Chosen by the front-end, and not the id of another open request.
        id: u32,
        /// How many, at least one.
        pages: u64,
        /// How long the answer may take, in microseconds from its receipt; 0 leaves it to the coordinator.
        deadline_us: u64,
        /// Why.
        reason: RequestReason,
    },
    /// Pages went back to Xen unasked; not answered.
    Release {
        /// Chosen by the front-end, for its log and the back-end's.
        id: u32,
        /// How many, at least one.
        pages: u64,
    },
    /// Answers a [`Reclaim`](super::Down::Reclaim) or a [`Revoke`](super::Down::Revoke), exactly once: these pages
    /// are back with Xen, or were never taken from it.
    Offered {
        /// The id of the `Reclaim` or `Revoke`.
        id: u32,
        /// How many, at most what was asked for, perhaps none.
        pages: u64,
    },
    /// Answers a [`Grant`](super::Down::Grant) of at least one page or a [`Give`](super::Down::Give), exactly once.
    Took {
        /// The id of the `Grant` or `Give`.
        id: u32,
        /// How many were populated, at most what was granted; the rest may no longer be taken.
        pages: u64,
    },
    /// How the domain fares; sent once after connecting and again whenever it has changed noticeably.
    Stats {
        /// What the domain could give without hurting itself, in pages.
        available: u64,
        /// What it has from Xen, in pages.
        size: u64,
        /// What its kernel manages (`MemTotal`), in pages.
        total_ram: u64,
    },
    /// Pages were populated on [`Credit`](super::Down::Credit); not answered.
    Drew {
        /// Chosen by the front-end, for its log and the back-end's.
        id: u32,
        /// How many, at least one, and at most what is left of the credit.
        pages: u64,
    },
    /// Nobody waits for a request any more. If it is not answered yet, it is at once, with nothing; otherwise this is
    /// not looked at. Sent only to a back-end that has written `feature-cancel`.
    Cancel {
        /// The id of the request.
        id: u32,
    },
}

const REQUEST: u32 = 1;
const RELEASE: u32 = 2;
const OFFERED: u32 = 3;
const TOOK: u32 = 4;
const STATS: u32 = 5;
const DREW: u32 = 6;
const CANCEL: u32 = 7;

impl Up {
    /// How many answers a front-end may have to give at once, at most.
    pub const ANSWERS: u32 = (MAX_REQUESTS + MAX_ASKS) as u32;

    /// How many slots of the lane a front-end leaves free behind this message.
    ///
    /// What is not an answer gives way to answers, which are bounded and therefore always fit; a report, for which nobody
    /// waits, gives way to requests, too.
    pub const fn leaves_free(&self) -> u32 {
        match self {
            Self::Offered { .. } | Self::Took { .. } => 0,
            Self::Request { .. }
            | Self::Release { .. }
            | Self::Drew { .. }
            | Self::Cancel { .. } => Self::ANSWERS,
            Self::Stats { .. } => MAX_REQUESTS as u32 + Self::ANSWERS,
        }
    }

    /// The message as it is put in the ring.
    pub fn encode(&self) -> Bytes {
        match *self {
            Self::Request {
                id,
                pages,
                deadline_us,
                reason,
            } => Writer::new(REQUEST, id)
                .u64(pages)
                .u64(deadline_us)
                .u32(reason.to_wire()),
            Self::Release { id, pages } => Writer::new(RELEASE, id).u64(pages),
            Self::Offered { id, pages } => Writer::new(OFFERED, id).u64(pages),
            Self::Took { id, pages } => Writer::new(TOOK, id).u64(pages),
            Self::Stats {
                available,
                size,
                total_ram,
            } => Writer::new(STATS, 0)
                .u64(available)
                .u64(size)
                .u64(total_ram),
            Self::Drew { id, pages } => Writer::new(DREW, id).u64(pages),
            Self::Cancel { id } => Writer::new(CANCEL, id),
        }
        .end()
    }

    /// Reads a message copied from the ring.
    ///
    /// # Errors
    ///
    /// What the front-end wrote is not a message of this version.
    pub fn decode(bytes: &Bytes) -> Result<Self, Violation> {
        let mut body = Reader::new(bytes);
        let kind = body.u32();
        let id = body.u32();
        let message = match kind {
            REQUEST => Self::Request {
                id: frontend_id(id)?,
                pages: body.some_pages()?,
                deadline_us: body.u64(),
                reason: RequestReason::from_wire(body.u32())?,
            },
            RELEASE => Self::Release {
                id: frontend_id(id)?,
                pages: body.some_pages()?,
            },
            OFFERED => Self::Offered {
                id: coordinator_id(id)?,
                pages: body.pages()?,
            },
            TOOK => Self::Took {
                // A `Grant` carries the front-end's id, a `Give` the coordinator's.
                id: frontend_id(id).or_else(|_| coordinator_id(id))?,
                pages: body.pages()?,
            },
            STATS => {
                no_id(id)?;
                Self::Stats {
                    available: body.pages()?,
                    size: body.pages()?,
                    total_ram: body.pages()?,
                }
            }
            DREW => Self::Drew {
                id: frontend_id(id)?,
                pages: body.some_pages()?,
            },
            CANCEL => Self::Cancel {
                id: frontend_id(id)?,
            },
            other => return Err(Violation::Kind(other)),
        };
        body.end()?;
        Ok(message)
    }
}
