// SPDX-License-Identifier: GPL-2.0

//! What Dom0 demands.

use super::*;

#[test]
fn demands_are_met_in_order_and_each_answered_once() {
    let mut guest = Guest::open();
    for n in 0..MAX_ASKS as u32 {
        guest.tell(&reclaim(n), NOW);
    }
    for n in 0..MAX_ASKS as u32 {
        let (demand, epoch) = guest.client.next_demand().expect("waits");
        assert!(matches!(demand, Demand::Reclaim { serial, .. } if serial == ASK + n));
        assert!(guest.client.answer(epoch, &demand, 10));
        let (id, pages) = (ASK + n, 10);
        assert_eq!(guest.hear_all(), [Up::Offered { id, pages }]);
    }
    assert_eq!(
        (guest.client.next_demand(), guest.client.open_demands()),
        (None, 0)
    );
}

#[test]
fn more_demands_than_there_may_be_are_a_violation() {
    let mut guest = Guest::open();
    guest.tell(&reclaim(0), NOW);
    // It counts until it is answered.
    assert!(guest.client.next_demand().is_some());
    for n in 1..=MAX_ASKS as u32 {
        guest.tell(&reclaim(n), NOW);
    }
    assert_eq!(guest.client.report_fault(), Ok(Violation::LaneFull));
}

#[test]
fn a_demand_of_an_earlier_connection_is_neither_met_nor_answered() {
    let mut guest = Guest::open();
    guest.tell(&reclaim(0), NOW);
    guest.tell(&reclaim(1), NOW);
    let (demand, epoch) = guest.client.next_demand().expect("waits");
    guest.client.hang_up();
    guest.begin();
    assert_eq!(guest.client.admit(epoch, &demand), None);
    assert!(!guest.client.answer(epoch, &demand, 10));
    assert_eq!(
        (guest.client.next_demand(), guest.hear_all()),
        (None, vec![])
    );
}

#[test]
fn a_demand_is_not_met_once_the_connection_is_over() {
    let mut guest = Guest::open();
    guest.tell(&reclaim(0), NOW);
    let (demand, epoch) = guest.client.next_demand().expect("waits");
    guest.client.hang_up();
    assert_eq!(guest.client.admit(epoch, &demand), None);
}

#[test]
fn a_domain_about_to_be_saved_takes_nothing() {
    let mut guest = Guest::open();
    guest.tell(&Down::Credit { pages: 64 }, NOW);
    let (id, pages) = (ASK, 10);
    guest.tell(&Down::Give { id, pages }, NOW);
    guest.client.set_suspending(true);
    let (demand, epoch) = guest.client.next_demand().expect("waits");
    let task = guest.client.admit(epoch, &demand);
    assert_eq!(task, Some(Task::Take { pages: 0 }));
    assert_eq!(guest.client.prepopulate(), None);
}
