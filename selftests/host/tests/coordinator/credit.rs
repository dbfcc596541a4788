// SPDX-License-Identifier: GPL-2.0

//! Credit.

use super::*;

fn credit(sim: &Sim, number: u16) -> (u64, u64) {
    let known = sim.coordinator.domain(dom(number)).expect("known").credit;
    let client = &sim.world.domains[&dom(number)].session.guest.client;
    (known, client.credit())
}

#[test]
fn credit_is_drawn_without_asking_and_filled_again() {
    let mut sim = three(Settings::default());
    sim.set_credit(16);
    run(&mut sim);
    for number in [A, B, C] {
        assert_eq!(credit(&sim, number), (16, 16));
        let domain = &sim.world.domains[&dom(number)];
        let cap = (2_000 + CAP_MARGIN + 16).saturating_add_signed(balance(&sim, number));
        assert_eq!(domain.maximum, cap);
    }
    assert_eq!(sim.coordinator.pool(), 0);
    let before = balance(&sim, A);

    // Not for every page.
    sim.draw(dom(A), 7);
    sim.tell_drawn(dom(A));
    let sent = sim.world.sent;
    run(&mut sim);
    assert_eq!((balance(&sim, A), sim.world.sent), (before + 7, sent));
    assert_eq!(credit(&sim, A), (9, 9));

    sim.draw(dom(A), 9);
    sim.tell_drawn(dom(A));
    run_and_fill(&mut sim);
    assert_eq!(balance(&sim, A), before + 16);
    assert_eq!(credit(&sim, A), (16, 16));

    // It can be taken away again, and goes to the lenders.
    sim.set_credit(4);
    run(&mut sim);
    assert_eq!(credit(&sim, A), (4, 4));
    sim.set_credit(0);
    run(&mut sim);
    assert_eq!((credit(&sim, A), sim.coordinator.pool()), ((0, 0), 0));
    let balances: i64 = [A, B, C].into_iter().map(|d| balance(&sim, d)).sum();
    assert_eq!(balances, 0);
}

#[test]
fn credit_and_drawing_may_cross() {
    let mut sim = three(Settings::default());
    sim.set_credit(16);
    run(&mut sim);
    let before = balance(&sim, A);

    // What is added while it draws.
    sim.draw(dom(A), 10);
    sim.set_credit(64);
    sim.tell_drawn(dom(A));
    run(&mut sim);
    assert_eq!((credit(&sim, A), balance(&sim, A)), ((64, 64), before + 10));

    // What is taken away while it draws, and has said so or not.
    sim.draw(dom(A), 20);
    sim.set_credit(10);
    sim.draw(dom(A), 40);
    sim.set_credit(0);
    assert_eq!(credit(&sim, A), (64, 4));
    run(&mut sim);
    assert_eq!((credit(&sim, A), balance(&sim, A)), ((0, 0), before + 70));
}

#[test]
fn credit_is_asked_back_after_all_of_it_was_drawn_once() {
    let mut sim = three(Settings::default());
    sim.set_credit(1);
    run(&mut sim);
    // It has told all that it drew when it says that it has nothing to return.
    sim.set_credit(0);
    sim.draw(dom(A), 1);
    sim.tell_drawn(dom(A));
    run(&mut sim);
    assert_eq!(credit(&sim, A), (0, 0));
    sim.set_credit(2);
    release(&mut sim, B, 8);
    while sim.serve(dom(A)) {}
    assert_eq!(credit(&sim, A), (2, 2));
    sim.set_credit(0);
    run(&mut sim);
    assert_eq!(credit(&sim, A), (0, 0));
}

#[test]
fn more_than_its_credit_is_a_violation() {
    let mut sim = three(Settings::default());
    sim.set_credit(16);
    run(&mut sim);
    sim.corrupt(dom(A), Lie::Exaggerates);
    sim.draw(dom(A), 16);
    sim.tell_drawn(dom(A));
    run(&mut sim);
    let excess = Violation::Excess {
        id: 1,
        said: 32,
        allowed: 16,
    };
    assert_eq!(sim.world.disconnected, [(dom(A), excess)]);
}

#[test]
fn credit_stays_under_the_ceiling() {
    let limits = Limits {
        ceiling: 2_010,
        ..Limits::default()
    };
    let mut sim = Sim::new(10_000, 8, Settings::default());
    for (number, limits) in [(A, limits), (B, Limits::default())] {
        assert!(sim.boot(dom(number), 2_000, limits));
        sim.stats(dom(number));
        run(&mut sim);
    }
    sim.set_credit(16);
    run(&mut sim);
    let (known, believed) = credit(&sim, A);
    assert_eq!(known, believed);
    let size = sim.world.domains[&dom(A)].current;
    assert!((1..=2_010 - size).contains(&known), "{known} above {size}");
    assert!(credit(&sim, B).0 > 8);
}

#[test]
fn credit_ends_with_the_connection() {
    for drawn in [0, 5, 16] {
        let mut sim = three(Settings::default());
        sim.set_credit(16);
        run(&mut sim);
        let before = balance(&sim, A);
        sim.draw(dom(A), drawn);
        sim.vanish(dom(A));
        assert_eq!(credit(&sim, A), (0, 0));
        let record = sim.coordinator.record(dom(A)).expect("known");
        assert_eq!((record.balance, record.in_flight), (before, 16));
        sim.attach(dom(A)).expect("accepted");
        run_and_fill(&mut sim);
        assert_eq!(balance(&sim, A), before + drawn as i64);
        let (known, believed) = credit(&sim, A);
        assert!(known == believed && known > 8, "{known} {believed}");

        sim.draw(dom(A), drawn);
        sim.reload();
        [A, B, C].into_iter().for_each(|d| sim.stats(dom(d)));
        sim.come_to_rest();
        assert_eq!(balance(&sim, A), before + 2 * drawn as i64);
        let (known, believed) = credit(&sim, A);
        assert!(known == believed && known > 8, "{known} {believed}");
    }
}

#[test]
fn a_front_end_that_does_not_understand_credit_has_none() {
    let mut sim = three(Settings::default());
    assert!(sim.boot(dom(D), 2_000, Limits::default()));
    sim.set_credit(16);
    run(&mut sim);
    sim.hear(dom(D));
    assert_eq!(credit(&sim, D), (0, 0));
}
