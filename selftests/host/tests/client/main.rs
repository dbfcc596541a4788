// SPDX-License-Identifier: GPL-2.0

//! The client's rules, one by one.

mod asker;
mod by_itself;
mod connection;
mod credit;
mod demands;
mod givable;
mod handed_over;
mod lane;
mod lookout;
mod report;
mod requests;
mod returns;
mod wake;

use cmm::client::{
    plan, plan_frozen, take_again, Answer, Asker, Change, Demand, Event, Figures, Givable,
    HandedOver, Holdings, Outcome, Refusal, SendError, Stage, Step, Task, Ticket, Waiting, Way,
    Wish, IDLE, INTERVAL,
};
use cmm::protocol::{
    default_deadline_us, Down, GrantReason, RequestReason, Up, Urgency, Violation, COORDINATOR_ID,
    MAX_ASKS, MAX_PAGES, MAX_REQUESTS,
};
use cmm::time::{Nanos, MILLISECOND, SECOND};
use cmm_host_tests::guest::Guest;

const NOW: u64 = 1_000 * SECOND;
const ASK: u32 = COORDINATOR_ID;

fn has(balance: i64) -> Holdings {
    Holdings {
        baseline: 2_000,
        balance,
        readahead: 0,
        deferred: 0,
    }
}

/// A domain at rest, whose CPUs have worked for so long.
fn at_rest(busy: Nanos) -> Figures {
    Figures {
        has: has(0),
        spare: 1_000,
        committed: 0,
        above_target: 0,
        total_ram: 2_000,
        moves: 0,
        has_leftovers: false,
        busy,
    }
}

fn wish(pages: u64) -> Wish {
    Wish {
        pages,
        deadline_us: 1_000,
        reason: RequestReason::Manual,
        exact: false,
    }
}

fn ask(guest: &mut Guest, pages: u64) -> Ticket {
    match guest.client.request(&wish(pages), &has(0), NOW) {
        Ok(Way::Dom0(ticket)) => ticket,
        other => panic!("{other:?}"),
    }
}

fn grant(ticket: Ticket, pages: u64) -> Down {
    let reason = GrantReason::NoDonor;
    let id = ticket.serial;
    Down::Grant { id, pages, reason }
}

fn reclaim(n: u32) -> Down {
    Down::Reclaim {
        id: ASK + n,
        pages: 10,
        urgency: Urgency::Normal,
    }
}
