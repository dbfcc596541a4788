// SPDX-License-Identifier: GPL-2.0

//! What can happen to the coordinator, and what it refuses.

use core::fmt;

use super::policy::Policy;
use super::record::Record;
use crate::protocol::{Up, MAX_PAGES};
use crate::time::{Nanos, MILLISECOND, SECOND};
use crate::DomId;

/// What an administrator sets for one domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Limits {
    /// The domain is never taken below this, in pages.
    pub floor: u64,
    /// The domain is never raised above this, in pages.
    pub ceiling: u64,
    /// How reluctantly the domain is used as a donor; at least 1.
    pub weight: u32,
}

impl Limits {
    /// The weight of a domain for which nobody has set one.
    pub const DEFAULT_WEIGHT: u32 = 100;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            floor: 0,
            ceiling: MAX_PAGES,
            weight: Self::DEFAULT_WEIGHT,
        }
    }
}

/// What holds for all domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a request without a deadline may take.
    pub default_deadline: Nanos,
    /// How long a donor may take before it is passed over.
    pub donor_timeout: Nanos,
    /// Pages kept ready so that a request need not wait for a donor.
    pub reserve: u64,
    /// Pages that each front-end that can use them may take without asking; 0 for none.
    pub credit: u64,
    /// Pages that donors gave and nobody had taken when the back-end was last unloaded.
    pub pool: u64,
    /// Pages that were outside the books when the back-end was last unloaded: what the domains that were known, and the
    /// pool, lack to make the sum zero. `None` if there was none.
    pub adrift: Option<i64>,
    /// Who is asked to give.
    pub policy: Policy,
    /// Whether donors that wait for a CPU are asked last, and paused ones not at all.
    pub ask_ready: bool,
    /// Whether domains that a transfer waits for are boosted.
    pub boost: bool,
    /// The requests a second that one domain may make in the long run, each 2 MiB that donors are asked for counting as
    /// another; 0 for any number.
    pub request_rate: u32,
    /// The requests that it may make at once.
    pub request_burst: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_deadline: SECOND,
            donor_timeout: 100 * MILLISECOND,
            reserve: 0,
            credit: 0,
            pool: 0,
            adrift: None,
            policy: Policy::default(),
            ask_ready: true,
            boost: false,
            request_rate: 20_000,
            request_burst: 4_096,
        }
    }
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// An earlier back-end knew the domain, which has yet to connect. It may have died since, or its front-end may never
    /// come back: what it owes or is owed counts.
    Recall {
        /// Which domain.
        dom: DomId,
        /// What was recorded about it. Not looked at if this coordinator knows it already.
        record: Record,
    },
    /// A front-end connected.
    Attach {
        /// Which domain.
        dom: DomId,
        /// What the front-end says its balance is; believed within what is possible.
        claim: Option<i64>,
        /// Whether it understands credit.
        credit: bool,
        /// Its limits, if this coordinator does not know it already.
        limits: Limits,
        /// What its toolstack wants it to have, in pages.
        target: u64,
    },
    /// A front-end is gone, its domain perhaps not. What it borrowed or lent is kept.
    Detach {
        /// Which domain.
        dom: DomId,
    },
    /// The domain does not exist any more.
    Died {
        /// Which domain.
        dom: DomId,
    },
    /// A front-end sent a message.
    Up {
        /// Which domain.
        dom: DomId,
        /// The message.
        up: Up,
    },
    /// [`next_deadline`](super::Coordinator::next_deadline) has come.
    Tick,
    /// The toolstack changed the domain's baseline (`xl mem-set`).
    ToolstackChanged {
        /// Which domain.
        dom: DomId,
        /// What it now wants the domain to have, in pages.
        target: u64,
    },
    /// The administrator sets a floor.
    SetFloor {
        /// Of which domain.
        dom: DomId,
        /// To what.
        pages: u64,
    },
    /// The administrator sets a ceiling.
    SetCeiling {
        /// Of which domain.
        dom: DomId,
        /// To what.
        pages: u64,
    },
    /// The administrator sets a weight.
    SetWeight {
        /// Of which domain.
        dom: DomId,
        /// To what; at least 1.
        weight: u32,
    },
    /// The administrator sets the reserve.
    SetReserve {
        /// To what.
        pages: u64,
    },
    /// The administrator sets the credit of each domain.
    SetCredit {
        /// To what; 0 for none.
        pages: u64,
    },
    /// The administrator sets how long a donor may take.
    SetDonorTimeout {
        /// To what; at least 1.
        nanos: Nanos,
    },
    /// The administrator picks a policy.
    SetPolicy(Policy),
    /// The administrator says whether it matters what donors are doing.
    SetAskReady(bool),
    /// The administrator says whether domains that a transfer waits for are boosted.
    SetBoost(bool),
    /// The administrator gives Xen's free memory to a domain, by hand.
    Give {
        /// To which domain.
        dom: DomId,
        /// How much.
        pages: u64,
    },
    /// The administrator takes memory from a domain, by hand; it becomes Xen's free memory.
    Take {
        /// From which domain.
        dom: DomId,
        /// How much.
        pages: u64,
    },
    /// The back-end is being unloaded: everything waiting is answered, and nothing new is begun.
    ShutDown,
}

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
