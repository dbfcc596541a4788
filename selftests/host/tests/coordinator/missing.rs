// SPDX-License-Identifier: GPL-2.0

//! The pool is a part of Xen's free memory, and others take of that.

use super::*;

/// [`three`], which have filled a reserve of 400 pages.
fn with_reserve() -> Sim {
    let mut sim = three(Settings::default());
    sim.handle(Event::SetReserve { pages: 400 })
        .expect("accepted");
    run(&mut sim);
    assert_eq!(sim.coordinator.pool(), 400);
    sim
}

/// A new domain takes all but so much of what Xen has free, and tells nobody.
fn newcomer(sim: &mut Sim, but: u64) {
    sim.world.tainted = true;
    let pages = sim.world.free - but;
    assert!(sim.world.create(dom(D), pages, Limits::default()));
}

/// A domain says how it fares, some time after all else.
fn later(sim: &mut Sim) {
    sim.advance(SECOND);
    sim.stats(dom(A));
    run(sim);
}

fn lent(sim: &Sim) -> i64 {
    -[A, B, C]
        .map(|number| balance(sim, number))
        .iter()
        .sum::<i64>()
}

/// Xen has what anybody was promised.
fn assert_true(sim: &mut Sim) {
    sim.world.tainted = false;
    sim.check();
    sim.world.tainted = true;
}

/// The pool is `pages`, which Xen has.
fn assert_pool(sim: &mut Sim, pages: u64) {
    assert_eq!(sim.coordinator.pool(), pages);
    assert_true(sim);
}

#[test]
fn what_a_new_domain_took_is_not_in_the_pool_any_more() {
    let mut sim = with_reserve();
    let before = sim.coordinator.settings();
    newcomer(&mut sim, 100);
    // No longer than until somebody says something.
    sim.advance(SECOND);
    sim.stats(dom(A));
    while sim.hear(dom(A)) {}
    assert_pool(&mut sim, 100);
    // The next back-end finds out for itself.
    assert_eq!(sim.coordinator.settings(), before);
}

#[test]
fn the_reserve_is_filled_again() {
    let mut sim = with_reserve();
    newcomer(&mut sim, 0);
    later(&mut sim);
    run_and_fill(&mut sim);
    assert_pool(&mut sim, 400);
    assert_eq!(lent(&sim), 800);
}

#[test]
fn a_domain_that_gets_less_than_it_was_granted_tells_of_it() {
    let mut sim = with_reserve();
    newcomer(&mut sim, 0);
    ask(&mut sim, A, 300);
    assert_eq!(grant(&sim, A), Some((300, GrantReason::Full)));
    run(&mut sim);
    assert_pool(&mut sim, 0);
    let lent_before = -balance(&sim, A);
    // Now donors are asked.
    ask(&mut sim, A, 300);
    donors_answer(&mut sim, &[B, C]);
    run(&mut sim);
    assert_eq!(balance(&sim, A) + lent_before, 300);
}

#[test]
fn lenders_have_it_back_once_xen_has_it_again() {
    let mut sim = with_reserve();
    newcomer(&mut sim, 0);
    later(&mut sim);
    sim.handle(Event::SetReserve { pages: 0 })
        .expect("accepted");
    run(&mut sim);
    sim.advance(10 * SECOND);
    run(&mut sim);
    assert_eq!((sim.coordinator.pool(), lent(&sim)), (0, 400));
    sim.world.destroy(dom(D));
    // Nobody says anything.
    for _ in 0..5 {
        sim.advance(SECOND);
        run(&mut sim);
    }
    assert_eq!(lent(&sim), 0);
    assert_pool(&mut sim, 0);
    assert_eq!(sim.coordinator.next_deadline(), None);
}

#[test]
fn what_is_promised_is_not_taken_for_the_pools() {
    let mut sim = with_reserve();
    newcomer(&mut sim, 0);
    later(&mut sim);
    sim.handle(Event::SetReserve { pages: 0 })
        .expect("accepted");
    sim.world.most_credit = 50;
    sim.handle(Event::SetCredit { pages: 50 })
        .expect("accepted");
    // Some is free again, for less than what was lent and for all the credits.
    sim.world.destroy(dom(D));
    newcomer(&mut sim, 350);
    for _ in 0..4 {
        later(&mut sim);
        run_and_fill(&mut sim);
    }
    let credit: u64 = sim.coordinator.domains().map(|view| view.credit).sum();
    assert!(credit > 0);
    assert_true(&mut sim);
}

#[test]
fn it_survives_the_back_end() {
    let mut sim = with_reserve();
    newcomer(&mut sim, 0);
    later(&mut sim);
    sim.handle(Event::SetReserve { pages: 0 })
        .expect("accepted");
    run(&mut sim);
    sim.reload();
    later(&mut sim);
    sim.advance(20 * SECOND);
    later(&mut sim);
    assert_pool(&mut sim, 0);
    sim.world.destroy(dom(D));
    for _ in 0..6 {
        later(&mut sim);
    }
    assert_eq!(lent(&sim), 0);
    assert_pool(&mut sim, 0);
}

#[test]
fn what_is_owed_to_nobody_is_forgotten() {
    let mut sim = with_reserve();
    newcomer(&mut sim, 0);
    later(&mut sim);
    sim.handle(Event::SetReserve { pages: 0 })
        .expect("accepted");
    for number in [A, B, C] {
        // What they had goes to the newcomer as well.
        sim.die(dom(number));
    }
    sim.world.free = 0;
    sim.world.total = sim.world.domains[&dom(D)].current;
    sim.advance(60 * SECOND);
    assert_eq!(sim.coordinator.pool(), 0);
    assert!(sim.coordinator.is_balanced());
    assert_eq!(sim.coordinator.next_deadline(), None);
}
