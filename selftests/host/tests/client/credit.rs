// SPDX-License-Identifier: GPL-2.0

//! Credit.

use super::*;

#[test]
fn credit_is_drawn_told_and_revoked() {
    let mut guest = Guest::open();
    guest.tell(&Down::Credit { pages: 100 }, NOW);
    assert_eq!(guest.client.prepopulate(), Some(100));
    let way = guest.client.request(&wish(30), &has(0), NOW);
    let Ok(Way::Credit { epoch }) = way else {
        panic!("{way:?}");
    };
    guest.client.drew(epoch, 30, 20);
    assert_eq!((guest.client.credit(), guest.client.untold()), (80, 20));
    assert_eq!(guest.hear_all(), []);
    guest.client.catch_up();
    assert!(matches!(guest.hear_all()[..], [Up::Drew { pages: 20, .. }]));
    assert_eq!(guest.client.untold(), 0);
    let (id, pages) = (ASK, 50);
    guest.tell(&Down::Revoke { id, pages }, NOW);
    let (demand, epoch) = guest.client.next_demand().expect("waits");
    let task = guest.client.admit(epoch, &demand);
    let (surplus, returned) = (40, 50);
    assert_eq!(task, Some(Task::PutAway { surplus, returned }));
    assert_eq!(guest.client.credit(), 30);
}

#[test]
fn dom0_hears_at_once_when_half_of_the_credit_is_used() {
    let mut guest = Guest::open();
    guest.tell(&Down::Credit { pages: 100 }, NOW);
    let epoch = guest.client.epoch();
    for (pages, told) in [(50, 0), (1, 1)] {
        assert!(guest.client.request(&wish(pages), &has(0), NOW).is_ok());
        guest.client.drew(epoch, pages, pages);
        assert_eq!(guest.hear_all().len(), told);
    }
}

#[test]
fn what_could_not_be_populated_is_tried_again() {
    let mut guest = Guest::open();
    guest.tell(&Down::Credit { pages: 100 }, NOW);
    assert_eq!(guest.client.prepopulate(), Some(100));
    assert_eq!(guest.client.prepopulate(), None);
    guest.client.fell_short(40);
    assert_eq!(guest.client.prepopulate(), None, "most of it is there");
    guest.client.fell_short(11);
    assert_eq!(guest.client.prepopulate(), Some(51));
}
