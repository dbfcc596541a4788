// SPDX-License-Identifier: GPL-2.0

//! What Dom0 is told of how the domain fares.

use super::*;

#[test]
fn dom0_is_told_what_is_news_and_nothing_else() {
    let mut guest = Guest::open();
    let mut figures = at_rest(0);
    let told = |guest: &mut Guest, figures: &Figures| {
        assert!(guest.client.tick(figures, NOW).is_some());
        guest.hear_all().len()
    };
    assert_eq!(told(&mut guest, &figures), 1, "a new connection");
    assert_eq!(told(&mut guest, &figures), 0);
    figures.spare += 256;
    assert_eq!(told(&mut guest, &figures), 0, "too little");
    figures.spare += 1;
    assert_eq!(told(&mut guest, &figures), 1);
    figures.moves += 2;
    assert_eq!(told(&mut guest, &figures), 1, "there and back");
    guest.tell(&reclaim(0), NOW);
    let (demand, epoch) = guest.client.next_demand().expect("waits");
    guest.client.answer(epoch, &demand, 9);
    guest.hear_all();
    assert_eq!(told(&mut guest, &figures), 1, "it gave less");
    guest.client.hang_up();
    assert!(
        guest.client.tick(&figures, NOW).is_none(),
        "until the next connection"
    );
}

#[test]
fn a_domain_of_more_than_a_message_can_name_is_not_thrown_out_for_it() {
    let mut guest = Guest::open();
    let figures = Figures {
        has: Holdings {
            baseline: MAX_PAGES + 3,
            ..has(0)
        },
        spare: MAX_PAGES + 1,
        committed: 0,
        above_target: 0,
        total_ram: MAX_PAGES + 2,
        moves: 0,
        has_leftovers: false,
        busy: 0,
    };
    assert!(guest.client.tick(&figures, NOW).is_some());
    let said = Up::Stats {
        available: MAX_PAGES,
        size: MAX_PAGES,
        total_ram: MAX_PAGES,
    };
    assert_eq!(guest.hear_all(), [said]);
}

#[test]
fn dom0_hears_ten_times_a_second() {
    assert_eq!(INTERVAL * 10, SECOND);
}

#[test]
fn what_the_kernel_refused_to_have_less_of_is_not_offered_again() {
    let mut guest = Guest::open();
    let mut figures = Figures {
        has: Holdings {
            readahead: 3,
            ..has(500)
        },
        spare: 10_000,
        committed: 5_000,
        above_target: 0,
        total_ram: 20_000,
        moves: 0,
        has_leftovers: false,
        busy: 0,
    };
    guest.client.refused_by_kernel(5_000, NOW);
    // What it has committed now, when, what Dom0 is told: not more than was taken back since, but
    // for what nobody has asked for yet.
    for (committed, now, told) in [
        (5_000, NOW, 3),
        (4_000, NOW, 1_003),
        (6_000, NOW + 10 * SECOND - 1, 3),
        (6_000, NOW + 10 * SECOND, 10_003),
    ] {
        figures.committed = committed;
        figures.moves += 1;
        assert!(guest.client.tick(&figures, now).is_some());
        let heard = guest.hear_all();
        let [Up::Stats { available, .. }] = heard[..] else {
            panic!("{heard:?}");
        };
        assert_eq!(available, told, "{committed} {now}");
    }
}
