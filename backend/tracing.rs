// SPDX-License-Identifier: GPL-2.0

//! Locks: the trace events of what is said and heard under that of the books.

use crate::room::Room;
use cmm::{
    coordinator::{
        Coordinator,
        Entry, //
    },
    protocol::{
        is_coordinator_id,
        Down,
        Up,
        Urgency, //
    },
    DomId, //
};
use xen::{
    timer::now,
    trace::{
        self,
        kind, //
    }, //
};

/// A domain has said something, on which the coordinator has not acted yet.
pub(crate) fn heard(coordinator: &Coordinator<Room<Entry>>, dom: DomId, up: &Up) {
    let who = dom.raw().into();
    match *up {
        Up::Request {
            id,
            pages,
            deadline_us,
            reason,
        } => trace::back_request(who, id, pages, deadline_us, reason.to_wire()),
        Up::Release { id, pages } => trace::back_release(who, id, pages),
        Up::Drew { id, pages } => trace::back_drew(who, id, pages),
        Up::Took { id, pages } if !is_coordinator_id(id) => trace::back_took(who, id, pages),
        Up::Offered { id, pages } | Up::Took { id, pages } => answered(coordinator, dom, id, pages),
        Up::Stats { .. } | Up::Cancel { .. } => (),
    }
}

/// A domain answers what it was asked, if it was.
#[inline]
fn answered(coordinator: &Coordinator<Room<Entry>>, dom: DomId, id: u32, moved: u64) {
    if !trace::back_answer_is_on() {
        return;
    }
    if let Some(asked) = coordinator.question(dom, id) {
        let whom = asked.requester.unwrap_or(dom);
        let ns = now() - asked.since;
        let (dom, whom) = (dom.raw().into(), whom.raw().into());
        trace::back_answer(dom, id, asked.pages, moved, whom, ns);
    }
}

/// A domain is told something.
pub(crate) fn said(dom: DomId, down: &Down) {
    let who = dom.raw().into();
    let ask = |id, kind, pages, urgency: Urgency| {
        trace::back_ask(who, id, kind, pages, urgency.to_wire());
    };
    match *down {
        Down::Grant { id, pages, reason } => {
            trace::back_grant(who, id, pages, reason.to_wire());
        }
        Down::Reclaim { id, pages, urgency } => ask(id, kind::RECLAIM, pages, urgency),
        Down::Give { id, pages } => ask(id, kind::GIVE, pages, Urgency::Normal),
        Down::Revoke { id, pages } => ask(id, kind::REVOKE, pages, Urgency::Normal),
        Down::Limits { .. } | Down::Credit { .. } => (),
    }
}
