// SPDX-License-Identifier: GPL-2.0

//! Who is woken, and who goes on waiting.

use super::*;

#[test]
fn an_event_says_what_it_was_for() {
    let mut guest = Guest::open();
    assert_eq!(guest.client.event(NOW), Event::Nothing);
    let ticket = ask(&mut guest, 100);
    assert_eq!(guest.say(&grant(ticket, 60)), Ok(()));
    assert_eq!(guest.client.event(NOW), Event::Some);
    assert_eq!(guest.say(&reclaim(0)), Ok(()));
    assert_eq!(guest.client.event(NOW), Event::Work);
    assert_eq!(guest.client.event(NOW), Event::Nothing);
}

#[test]
fn whoever_waits_goes_on_until_answered_or_out_of_patience() {
    let mut guest = Guest::open();
    let (first, second) = (ask(&mut guest, 100), ask(&mut guest, 100));
    assert_eq!(guest.client.look(first, true), Waiting::On);
    assert_eq!(guest.client.look(first, false), Waiting::GivenUp);
    guest.tell(&grant(second, 60), NOW);
    let waiting = guest.client.look(second, false);
    assert!(matches!(
        waiting,
        Waiting::Answered(Answer { pages: 60, .. })
    ));
    let third = ask(&mut guest, 100);
    guest.hang_up();
    assert_eq!(guest.client.look(third, true), Waiting::Lost);
}

#[test]
fn patience_is_the_deadline_or_what_so_many_pages_take() {
    let hasty = wish(10);
    assert_eq!(hasty.patience_us(), hasty.deadline_us);
    let (small, large) = (Wish::take_back(1), Wish::take_back(1 << 20));
    assert_eq!(small.patience_us(), default_deadline_us(1));
    assert!(large.patience_us() > small.patience_us());
}

#[test]
fn taking_little_is_not_worth_an_event() {
    for (pages, events) in [(511, 0), (512, 1)] {
        let mut guest = Guest::open();
        let ticket = ask(&mut guest, pages);
        guest.tell(&grant(ticket, pages), NOW);
        guest.hear_all();
        let before = guest.wire.notified.get();
        guest.client.took(ticket, pages, pages);
        assert_eq!(guest.wire.notified.get() - before, events, "{pages}");
    }
}

#[test]
fn the_thread_is_woken_when_there_is_something_to_do() {
    let mut guest = Guest::open();
    let leftovers = |readahead| Figures {
        has: Holdings {
            readahead,
            ..has(100)
        },
        spare: 0,
        committed: 0,
        above_target: 0,
        total_ram: 2_000,
        moves: 0,
        has_leftovers: false,
        busy: 0,
    };
    let woken = |guest: &mut Guest, readahead| {
        let before = guest.wire.woken.get();
        assert!(guest.client.tick(&leftovers(readahead), NOW).is_some());
        guest.wire.woken.get() - before
    };
    assert_eq!(woken(&mut guest, 0), 0);
    guest.client.set_readahead_limit(0);
    assert_eq!(woken(&mut guest, 10), 1, "nothing may be read ahead");
    assert_eq!(woken(&mut guest, 0), 0);
    guest.tell(&Down::Credit { pages: 100 }, NOW);
    assert_eq!(woken(&mut guest, 0), 1, "there is credit to prepopulate");
    assert_eq!(guest.client.prepopulate(), Some(100));
    assert_eq!(woken(&mut guest, 0), 0);
}

#[test]
fn dom0_is_woken_for_what_was_said_quietly_when_it_is_due() {
    let mut guest = Guest::open();
    let ticket = ask(&mut guest, 10);
    guest.tell(&grant(ticket, 10), NOW);
    guest.hear_all();
    guest.client.took(ticket, 10, 10);
    let quiet = guest.wire.notified.get();
    guest.client.catch_up();
    assert_eq!(guest.wire.notified.get(), quiet + 1);
    guest.client.catch_up();
    assert_eq!(guest.wire.notified.get(), quiet + 1, "it has been");
}
