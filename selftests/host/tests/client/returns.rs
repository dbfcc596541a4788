// SPDX-License-Identifier: GPL-2.0

//! What goes back: readahead, what is released, and what is settled.

use super::*;

#[test]
fn what_was_read_ahead_is_used_first_and_given_up_when_nobody_asks() {
    let mut guest = Guest::open();
    let ahead = Holdings {
        readahead: 50,
        ..has(50)
    };
    let way = guest.client.request(&wish(50), &ahead, NOW);
    assert_eq!(way, Ok(Way::Readahead));
    assert!(!guest.client.is_untidy(&ahead, true, NOW + IDLE));
    assert!(guest.client.is_untidy(&ahead, true, NOW + IDLE + 1));
    guest.client.set_readahead_limit(0);
    assert!(guest.client.is_untidy(&ahead, false, NOW));
}

#[test]
fn nothing_is_released_that_was_not_borrowed() {
    let mut guest = Guest::open();
    let refused = guest.client.release(11, &has(10)).err();
    assert_eq!(refused, Some(Refusal::NotBorrowed));
    let ticket = guest.client.release(10, &has(10)).expect("borrowed");
    assert_eq!(guest.client.released(ticket, 10), Ok(()));
    assert!(matches!(
        guest.hear_all()[..],
        [Up::Release { pages: 10, .. }]
    ));
}

#[test]
fn a_domain_settles_as_it_stands() {
    assert_eq!(plan(&has(0)), None);
    assert_eq!(plan(&has(7)), Some(Step::Release(7)));
    assert_eq!(plan(&has(-7)), Some(Step::TakeBack(7)));
    assert_eq!(plan(&deferring(7, 2)), Some(Step::TakeBack(7)));
    let plenty = 1 << 20;
    let frozen = |balance, stage| plan_frozen(&has(balance), plenty, stage);
    assert_eq!(frozen(700, Stage::Open), Ok(Some(Step::Release(700))));
    assert_eq!(frozen(700, Stage::Opening), Ok(None));
    assert_eq!(frozen(700, Stage::Closed), Ok(Some(Step::GiveUnheard(700))));
    assert_eq!(
        plan_frozen(&has(700), 0, Stage::Open),
        Err(700),
        "it could not be restored"
    );
    assert_eq!(take_again(700, 100), 0);
    assert_eq!(take_again(700, 600), 100);
}

/// Has lent so much, of which so much is deferred.
fn deferring(lent: i64, deferred: u64) -> Holdings {
    Holdings {
        deferred,
        ..has(-lent)
    }
}

#[test]
fn no_more_is_deferred_than_was_lent_and_no_more_than_the_toolstack_wants_less() {
    // Lent, deferred, above the target by the balloon's books, how much more is to be deferred.
    for (lent, deferred, above, more) in [
        (0, 0, 100, 0),
        (200, 0, 0, 0),
        (200, 0, 108, 108),
        (200, 0, 300, 200),
        (200, 150, 100, 50),
        (200, 108, 0, 0),
        // It is to be larger again, but not by more than it was to be smaller.
        (200, 108, -8, -8),
        (200, 108, -300, -108),
        (200, 0, -300, 0),
        // It had some back otherwise: that is the balloon's to give now.
        (50, 108, 0, -58),
        (0, 108, 0, -108),
    ] {
        let has = deferring(lent, deferred);
        assert_eq!(has.to_defer(above), more, "{lent} {deferred} {above}");
    }
    assert_eq!(has(100).to_defer(50), 0, "it borrowed");
}

fn figures(has: Holdings, above_target: i64) -> Figures {
    Figures {
        has,
        spare: 0,
        committed: 0,
        above_target,
        total_ram: 2_000,
        moves: 0,
        has_leftovers: false,
        busy: 0,
    }
}

/// A tick, and the request that it sends, if it does.
fn recalls(guest: &mut Guest, deferred: u64, now: u64) -> Option<u32> {
    let figures = figures(deferring(200, deferred), 0);
    assert!(guest.client.tick(&figures, now).is_some());
    let mut heard = guest.hear_all().into_iter();
    heard.find_map(|up| match up {
        Up::Request { id, pages, .. } => {
            assert_eq!(pages, deferred);
            Some(id)
        }
        _ => None,
    })
}

#[test]
fn what_is_deferred_is_recalled_and_nobody_waits_for_it() {
    let mut guest = Guest::open();
    assert_eq!(recalls(&mut guest, 0, NOW), None);
    let id = recalls(&mut guest, 108, NOW).expect("recalled");
    assert_eq!(recalls(&mut guest, 108, NOW + 9 * SECOND), None, "once");
    assert!(guest.client.next_recalled().is_none());
    guest.tell(&grant(ticket_of(&guest, id), 100), NOW);
    assert!(guest.client.has_work());
    let (ticket, granted) = guest.client.next_recalled().expect("answered");
    assert_eq!((ticket.serial, granted), (id, 100));
    guest.client.took(ticket, granted, 90);
    assert_eq!(guest.hear_all(), [Up::Took { id, pages: 90 }]);
    assert_eq!(guest.client.open_requests(), 0);
    assert!(!guest.client.has_work());
    assert!(guest.client.next_recalled().is_none());
}

#[test]
fn what_does_not_come_is_recalled_less_and_less_often() {
    let mut guest = Guest::open();
    let mut now = NOW;
    for pause in [1, 2, 4, 8, 16, 32, 64, 64] {
        let id = recalls(&mut guest, 9, now).expect("recalled");
        guest.tell(&grant(ticket_of(&guest, id), 0), now);
        let (ticket, granted) = guest.client.next_recalled().expect("answered");
        guest.client.took(ticket, granted, 0);
        now += pause * SECOND;
        assert_eq!(recalls(&mut guest, 9, now - 1), None, "{pause}");
    }
    // Something came: from then on it is worth the while again.
    let id = recalls(&mut guest, 9, now).expect("recalled");
    guest.tell(&grant(ticket_of(&guest, id), 1), now);
    let (ticket, granted) = guest.client.next_recalled().expect("answered");
    guest.client.took(ticket, granted, 1);
    let next = now + 64 * SECOND;
    assert!(recalls(&mut guest, 8, next).is_some());
    assert_eq!(guest.client.open_requests(), 1);
}

#[test]
fn a_recall_is_lost_with_its_connection_and_a_domain_to_be_saved_makes_none() {
    let mut guest = Guest::open();
    recalls(&mut guest, 9, NOW).expect("recalled");
    guest.client.hang_up();
    let (ticket, granted) = guest.client.next_recalled().expect("over");
    assert_eq!(granted, 0);
    guest.client.took(ticket, granted, 0);
    assert_eq!(guest.client.open_requests(), 0);

    // Granted before or after it is given up: it goes back.
    for answered in [true, false] {
        let mut guest = Guest::open();
        let id = recalls(&mut guest, 9, NOW).expect("recalled");
        let grant = grant(ticket_of(&guest, id), 9);
        if answered {
            guest.tell(&grant, NOW);
        }
        guest.client.stop_recalling();
        if !answered {
            guest.tell(&grant, NOW);
        }
        let said = guest.hear_all();
        assert_eq!(said.last(), Some(&Up::Took { id, pages: 0 }));
        assert_eq!(guest.client.open_requests(), 0);
        assert!(guest.client.next_recalled().is_none());
        assert_eq!(recalls(&mut guest, 9, NOW + 100 * SECOND), None);
    }

    let mut guest = Guest::open();
    guest.client.set_suspending(true);
    assert_eq!(recalls(&mut guest, 9, NOW), None);
    guest.client.set_suspending(false);
    assert!(recalls(&mut guest, 9, NOW).is_some());
}

fn ticket_of(guest: &Guest, serial: u32) -> Ticket {
    let epoch = guest.client.epoch();
    Ticket { serial, epoch }
}
