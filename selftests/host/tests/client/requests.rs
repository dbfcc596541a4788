// SPDX-License-Identifier: GPL-2.0

//! Requests: from being made to being taken.

use super::*;

#[test]
fn a_request_is_answered_taken_and_forgotten() {
    let mut guest = Guest::open();
    let ticket = ask(&mut guest, 100);
    assert!(matches!(guest.hear(), Some(Up::Request { pages: 100, .. })));
    assert_eq!(guest.client.outcome(ticket), None);
    guest.tell(&grant(ticket, 60), NOW + 1);
    let answer = Answer {
        pages: 60,
        reason: GrantReason::NoDonor,
        at: NOW + 1,
    };
    let outcome = Some(Outcome::Answered(answer));
    assert_eq!(guest.client.outcome(ticket), outcome);
    guest.client.took(ticket, 60, 50);
    let (id, pages) = (ticket.serial, 50);
    assert_eq!(guest.hear_all(), [Up::Took { id, pages }]);
    assert_eq!(guest.client.open_requests(), 0);
}

#[test]
fn what_is_granted_to_nobody_goes_back() {
    let mut guest = Guest::open();
    let ticket = ask(&mut guest, 100);
    guest.hear_all();
    guest.client.give_up(ticket);
    let id = ticket.serial;
    assert_eq!(guest.hear_all(), [Up::Cancel { id }]);
    assert_eq!(guest.client.open_requests(), 1, "as in Dom0");
    guest.tell(&grant(ticket, 60), NOW);
    let (id, pages) = (ticket.serial, 0);
    assert_eq!(guest.hear_all(), [Up::Took { id, pages }]);
    assert_eq!(guest.client.open_requests(), 0);
}

#[test]
fn no_more_requests_are_open_than_may_be() {
    let mut guest = Guest::open();
    for _ in 0..MAX_REQUESTS {
        ask(&mut guest, 1_000);
    }
    let refused = guest.client.request(&wish(1_000), &has(0), NOW);
    assert_eq!(refused, Err(Refusal::TooMany));
}

#[test]
fn nobody_asks_for_more_than_the_ceiling_allows() {
    let mut guest = Guest::open();
    let (floor, ceiling) = (0, 2_100);
    guest.tell(&Down::Limits { floor, ceiling }, NOW);
    let refused = guest.client.request(&wish(101), &has(0), NOW);
    assert_eq!(refused, Err(Refusal::Ceiling));
    ask(&mut guest, 100);
}

#[test]
fn requests_are_lost_with_their_connection() {
    let mut guest = Guest::open();
    let (lost, gone) = (ask(&mut guest, 100), ask(&mut guest, 100));
    guest.client.give_up(gone);
    assert!(guest.client.hang_up().is_some());
    assert_eq!(guest.client.open_requests(), 1);
    assert_eq!(guest.client.outcome(lost), Some(Outcome::Lost));
    assert_eq!(guest.client.open_requests(), 0);
}

#[test]
fn what_was_granted_in_an_earlier_connection_is_not_told() {
    let mut guest = Guest::open();
    let ticket = ask(&mut guest, 100);
    guest.tell(&grant(ticket, 100), NOW);
    guest.client.hang_up();
    guest.begin();
    guest.client.took(ticket, 100, 0);
    assert_eq!(guest.hear_all(), []);
    assert_eq!(guest.client.open_requests(), 0);
}
