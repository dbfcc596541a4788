// SPDX-License-Identifier: GPL-2.0

//! What Dom0 is told of how the domain fares.

use super::*;

#[test]
fn dom0_is_told_what_is_news_and_nothing_else() {
    let mut guest = Guest::open();
    let mut figures = Figures {
        has: has(0),
        spare: 1_000,
        total_ram: 2_000,
        moves: 0,
        has_leftovers: false,
    };
    let told = |guest: &mut Guest, figures: &Figures| {
        assert!(guest.client.tick(figures, NOW));
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
        !guest.client.tick(&figures, NOW),
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
        total_ram: MAX_PAGES + 2,
        moves: 0,
        has_leftovers: false,
    };
    assert!(guest.client.tick(&figures, NOW));
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
