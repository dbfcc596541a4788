// SPDX-License-Identifier: GPL-2.0

//! The reserve.

use super::*;

#[test]
fn paused_donors_do_not_hide_another_from_the_reserve() {
    let mut sim = all_but_a_small_one_are_paused(Settings::default());
    // What A and B say they have to spare is the least of all, and the same.
    let event = Event::SetReserve { pages: 2_500 };
    sim.handle(event).expect("in range");
    sim.advance(MILLISECOND);
    run(&mut sim);
    let given = [balance(&sim, A), balance(&sim, B)];
    assert!(given == [-1_000, -1_500] || given == [-1_500, -1_000]);
}

#[test]
fn the_reserve_answers_at_once_and_fills_again() {
    let mut sim = three(Settings::default());
    sim.handle(Event::SetReserve { pages: 400 })
        .expect("accepted");
    run(&mut sim);
    assert_eq!(sim.coordinator.pool(), 400);
    ask(&mut sim, A, 300);
    assert_eq!(grant(&sim, A), Some((300, GrantReason::Full)));
    // Nobody waits for the donors now: they do not get in the requester's way.
    run(&mut sim);
    assert_eq!(sim.coordinator.pool(), 100);
    run_and_fill(&mut sim);
    assert_eq!(sim.coordinator.pool(), 400);
    sim.handle(Event::SetReserve { pages: 0 })
        .expect("accepted");
    run(&mut sim);
    assert_eq!(sim.coordinator.pool(), 0);
}

#[test]
fn what_is_not_free_for_the_reserve_can_be_had_by_a_request() {
    for wait in [0, 100 * MILLISECOND] {
        let mut sim = only_b_has_some(Settings::default());
        leave(&mut sim, B, 30);
        let event = Event::SetReserve { pages: 100 };
        sim.handle(event).expect("in range");
        // In time or late.
        sim.advance(wait);
        run(&mut sim);
        assert_eq!(sim.coordinator.pool(), 30);
        // Its page cache is what it had to spare, and it has told so already.
        leave(&mut sim, B, 1_470);
        sim.advance(wait);
        ask(&mut sim, A, 1_000);
        donors_answer(&mut sim, &[B]);
        assert_eq!(grant(&sim, A), Some((1_000, GrantReason::Full)));
    }
}

#[test]
fn who_has_nothing_free_is_not_asked_for_the_reserve_over_and_over() {
    let mut sim = only_b_has_some(Settings::default());
    leave(&mut sim, B, 0);
    let before = sim.world.sent;
    let event = Event::SetReserve { pages: 100 };
    sim.handle(event).expect("in range");
    for _ in 0..6_000 {
        run(&mut sim);
        sim.advance(10 * MILLISECOND);
    }
    let questions = sim.world.sent - before;
    assert!((5..=12).contains(&questions), "{questions} in a minute");
    // Others are asked meanwhile.
    leave(&mut sim, C, 200);
    sim.stats(dom(C));
    run(&mut sim);
    sim.advance(60 * SECOND);
    run(&mut sim);
    assert_eq!((sim.coordinator.pool(), balance(&sim, C)), (100, -100));
}
