// SPDX-License-Identifier: GPL-2.0

//! What a domain wants without anybody asking for it.

use super::*;

#[test]
fn it_makes_itself_as_large_as_its_ceiling_lets_it_and_only_when_it_can_ask() {
    assert_eq!(Guest::default().client.room_by_itself(&has(0)), 0);
    let mut guest = Guest::open();
    let (floor, ceiling) = (0, 2_500);
    guest.tell(&Down::Limits { floor, ceiling }, NOW);
    assert_eq!(guest.client.room_by_itself(&has(0)), 500);
    assert_eq!(guest.client.room_by_itself(&has(600)), 0);
    let deferred = Holdings {
        deferred: 1,
        ..has(-600)
    };
    assert_eq!(guest.client.room_by_itself(&has(-600)), 1_100);
    assert_eq!(guest.client.room_by_itself(&deferred), 0);
    guest.client.set_suspending(true);
    assert_eq!(guest.client.room_by_itself(&has(0)), 0);
}

#[test]
fn a_domain_about_to_be_saved_takes_only_what_somebody_asked_for() {
    let mut guest = Guest::open();
    let epoch = guest.client.epoch();
    let reasons = [
        RequestReason::Manual,
        RequestReason::Automatic,
        RequestReason::Emergency,
    ];
    let may = |guest: &Guest, epoch| reasons.map(|reason| guest.client.may_take(epoch, reason));
    assert_eq!(may(&guest, epoch), [true; 3]);
    assert_eq!(may(&guest, epoch + 1), [false; 3]);
    guest.client.set_suspending(true);
    assert_eq!(may(&guest, epoch), [true, false, false]);
}

#[test]
fn what_it_lent_is_all_it_asks_for() {
    for (own, sent) in [(true, [100, 100]), (false, [100, 400])] {
        let mut guest = Guest::open();
        let asked = [(); 2].map(|()| {
            let wish = Wish::by_itself(100, own);
            let way = guest.client.request(&wish, &has(-100), NOW);
            assert!(matches!(way, Ok(Way::Dom0(_))), "{way:?}");
            match guest.hear() {
                Some(Up::Request { pages, reason, .. }) => (pages, reason),
                other => panic!("{other:?}"),
            }
        });
        // The second in a row for what is not its own reads ahead.
        assert_eq!(asked, sent.map(|pages| (pages, RequestReason::Automatic)));
    }
}

#[test]
fn a_domain_gives_back_what_it_would_be_larger_with_than_its_toolstack_lets_it_be() {
    let mut guest = Guest::open();
    let borrowed = has(600);
    assert_eq!(guest.client.above_largest(&borrowed), 0, "nobody has said");
    // Without what it has borrowed it has 2000 pages. The most, what it has borrowed too much, and
    // what it could have besides.
    for (largest, above, room) in [
        (2_400, 0, 56),
        (2_344, 0, 0),
        (2_343, 1, 0),
        (2_100, 244, 0),
        (1_744, 600, 0),
        // What is its own is not its business.
        (0, 600, 0),
        (u64::MAX, 0, u64::MAX - 2_600),
    ] {
        guest.client.set_largest(largest);
        assert_eq!(guest.client.above_largest(&borrowed), above, "{largest}");
        assert_eq!(guest.client.room_by_itself(&borrowed), room, "{largest}");
    }
    guest.client.set_largest(0);
    assert_eq!(guest.client.above_largest(&has(-600)), 0);
}

#[test]
fn it_tries_less_and_less_often_if_it_cannot_spare_that() {
    let mut guest = Guest::open();
    let figures = Figures {
        has: has(600),
        spare: 0,
        committed: 0,
        above_target: 0,
        total_ram: 2_000,
        moves: 0,
        has_leftovers: false,
        busy: 0,
    };
    let wakes = |guest: &mut Guest, now| {
        let before = guest.wire.woken.get();
        let _ = guest.client.tick(&figures, now);
        guest.wire.woken.get() > before
    };
    assert!(!wakes(&mut guest, NOW));
    guest.client.set_largest(2_000);
    assert!(wakes(&mut guest, NOW));
    let mut now = NOW;
    for pause in [100, 200, 400] {
        guest.client.returned_above_largest(0, now);
        now += pause * MILLISECOND;
        assert!(!wakes(&mut guest, now - 1), "{pause}");
        assert!(wakes(&mut guest, now), "{pause}");
    }
    // Some of it went: the next failure is a first one.
    guest.client.returned_above_largest(1, now);
    guest.client.returned_above_largest(0, now);
    assert!(!wakes(&mut guest, now + 100 * MILLISECOND - 1));
    assert!(wakes(&mut guest, now + 100 * MILLISECOND));
    // It may be larger again, or smaller still.
    guest.client.returned_above_largest(0, now);
    guest.client.set_largest(1_900);
    assert!(wakes(&mut guest, now));
}
