// SPDX-License-Identifier: GPL-2.0

//! Errnos: the trace events of what takes a while, and how it ended.

use cmm::{
    client::{
        Demand,
        Move,
        Reason,
        Sample,
        Wish, //
    },
    protocol::Urgency, //
};
use kernel::prelude::*;
use xen::{
    timer::now,
    trace::{
        self,
        kind,
        step,
        way, //
    }, //
};

/// How a wish was met.
#[derive(Clone, Copy, Default)]
pub(crate) struct Met {
    /// One of [`way`].
    pub(crate) way: u32,
    /// The request's id, if Dom0 was asked.
    pub(crate) id: u32,
}

// So that nobody has to say so who did nothing.
const _: () = assert!(way::NOTHING == 0);

/// Shows a wish, and how it is met.
pub(crate) fn wish(
    wish: &Wish,
    started: u64,
    meet: impl FnOnce(&mut Met) -> Result<(u64, Reason)>,
) -> Result<(u64, Reason)> {
    trace::front_request(wish.pages, wish.deadline_us, wish.reason.to_wire());
    let mut met = Met::default();
    let result = meet(&mut met);
    if trace::front_answer_is_on() {
        let (got, reason, error) = match result {
            Ok((got, reason)) => (got, reason.to_number(), 0),
            Err(err) => (0, 0, errno(err)),
        };
        let ns = now() - started;
        trace::front_answer(met.id, met.way, wish.pages, got, reason, error, ns);
    }
    result
}

/// Shows something that Dom0 demands, and how it is done.
pub(crate) fn demand(demand: &Demand, carry_out: impl FnOnce() -> Option<u64>) -> Option<u64> {
    let (id, kind, urgency) = match *demand {
        Demand::Reclaim {
            serial, urgency, ..
        } => (serial, kind::RECLAIM, urgency),
        Demand::Give { serial, .. } => (serial, kind::GIVE, Urgency::Normal),
        Demand::Revoke { serial, .. } => (serial, kind::REVOKE, Urgency::Normal),
    };
    let pages = demand.pages();
    trace::front_demand(id, kind, pages, urgency.to_wire());
    let began = trace::front_gave_is_on().then(now);
    let moved = carry_out();
    if let Some(began) = began {
        trace::front_gave(id, kind, pages, moved.unwrap_or(0), now() - began);
    }
    moved
}

/// Shows what the domain is about to do by itself, and what it does that by.
pub(crate) fn by_itself(to_do: Move, sample: &Sample, wanted: u64, rate: u64) {
    let (step, pages) = match to_do {
        Move::Rest => return,
        Move::Ask { pages, own: false } => (step::ASK, pages),
        Move::Ask { pages, own: true } => (step::ASK_OWN, pages),
        Move::GiveBack { pages } => (step::GIVE_BACK, pages),
    };
    trace::front_auto(step, pages, sample.free, sample.available, wanted, rate);
}

/// An error, as events have it.
pub(crate) fn errno(err: Error) -> u32 {
    err.to_errno().unsigned_abs()
}
