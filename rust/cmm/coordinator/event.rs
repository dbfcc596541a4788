// SPDX-License-Identifier: GPL-2.0

//! What can happen to the coordinator.

use super::policy::Policy;
use super::record::Record;
use super::settings::Limits;
use crate::protocol::Up;
use crate::time::Nanos;
use crate::DomId;

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
    /// A front-end was sent away, for it broke the protocol in a way that only who reads its lane sees.
    SentAway {
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
    /// The administrator says whether a domain is protected.
    SetProtected {
        /// Which domain.
        dom: DomId,
        /// Whether it is.
        protected: bool,
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
