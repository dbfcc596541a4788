// SPDX-License-Identifier: GPL-2.0

//! What comes back, and to whom.

use super::*;

#[test]
fn who_declined_what_it_is_owed_is_not_offered_it_sooner_by_connecting_again() {
    let mut sim = lent_by_b(100);
    sim.domain(B).session.guest.client.set_suspending(true);
    let mut offers = 0;
    sim.release(dom(A), 100);
    while sim.hear(dom(A)) {}
    for _ in 0..20 {
        let unread = sim.domain(B).session.guest.unread();
        let offered = |message: &&Down| matches!(message, Down::Give { .. });
        offers += unread.iter().filter(offered).count();
        donors_answer(&mut sim, &[B]);
        sim.vanish(dom(B));
        sim.attach(dom(B)).expect("accepted");
    }
    assert_eq!(offers, 1);
    sim.domain(B).session.guest.client.set_suspending(false);
    sim.advance(100 * MILLISECOND);
    run(&mut sim);
    assert_eq!(balance(&sim, B), 0);
}

#[test]
fn what_is_released_goes_back_to_the_lender() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    sim.release(dom(A), 100);
    run(&mut sim);
    assert_eq!((balance(&sim, A), balance(&sim, B)), (0, 0));
}

#[test]
fn a_lender_can_spare_again_what_it_got_back() {
    let mut sim = three(Settings::default());
    let available = |sim: &Sim| sim.coordinator.domain(dom(B)).expect("known").available;
    let before = available(&sim);
    ask(&mut sim, A, 100);
    run(&mut sim);
    assert_eq!(available(&sim), before - 100);
    sim.release(dom(A), 100);
    run(&mut sim);
    assert_eq!(available(&sim), before);
}

#[test]
fn a_lender_recalls_what_its_borrower_cannot_spare() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    // The third has nothing to spare, nor has the borrower by its own account.
    for number in [A, C] {
        let domain = sim.domain(number);
        domain.needs = domain.current;
        sim.stats(dom(number));
    }
    run(&mut sim);
    sim.domain(A).needs = 0;
    ask(&mut sim, B, 100);
    run(&mut sim);
    assert_eq!((balance(&sim, A), balance(&sim, B)), (0, 0));
}

#[test]
fn death_makes_lenders_whole_and_forgets_their_debts() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    sim.die(dom(A));
    run(&mut sim);
    assert_eq!(balance(&sim, B), 0);

    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    sim.die(dom(B));
    sim.release(dom(A), 100);
    run(&mut sim);
    assert_eq!((balance(&sim, A), sim.coordinator.pool()), (0, 0));
}

#[test]
fn what_was_lent_is_asked_back_urgently() {
    let mut sim = lent_by_b(100);
    ask(&mut sim, B, 100);
    let unread = sim.world.domains[&dom(A)].session.guest.unread();
    let urgencies = unread.iter().filter_map(|message| match message {
        Down::Reclaim { urgency, .. } => Some(*urgency),
        _ => None,
    });
    assert_eq!(urgencies.collect::<Vec<_>>(), [Urgency::Urgent]);
}
