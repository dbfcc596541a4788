// SPDX-License-Identifier: GPL-2.0

//! Domains that must not be held up.

use super::*;

fn protect(sim: &mut Sim, number: u16, protected: bool) {
    let dom = dom(number);
    let event = Event::SetProtected { dom, protected };
    sim.handle(event).expect("accepted");
}

/// What A is granted if it asks for 100 pages, and only B has some.
fn granted(sim: &mut Sim) -> (u64, GrantReason) {
    ask(sim, A, 100);
    donors_answer(sim, &[B, C]);
    grant(sim, A).expect("answered")
}

#[test]
fn a_protected_domain_is_no_donor() {
    let mut sim = only_b_has_some(Settings::default());
    protect(&mut sim, B, true);
    assert_eq!(granted(&mut sim), (0, GrantReason::NoDonor));
    run(&mut sim);
    protect(&mut sim, B, false);
    assert_eq!(granted(&mut sim), (100, GrantReason::Full));
}

#[test]
fn the_reserve_is_not_filled_from_a_protected_domain() {
    let mut sim = only_b_has_some(Settings::default());
    protect(&mut sim, B, true);
    sim.handle(Event::SetReserve { pages: 100 })
        .expect("accepted");
    run_and_fill(&mut sim);
    assert_eq!((balance(&sim, B), sim.coordinator.pool()), (0, 0));
}

#[test]
fn a_protected_borrower_keeps_what_it_has() {
    let mut sim = lent_by_b(100);
    assert_eq!((balance(&sim, A), balance(&sim, B)), (100, -100));
    protect(&mut sim, A, true);
    leave(&mut sim, C, 0);
    sim.stats(dom(C));
    run(&mut sim);
    ask(&mut sim, B, 100);
    donors_answer(&mut sim, &[A, C]);
    assert_eq!(grant(&sim, B), Some((0, GrantReason::NoDonor)));
}

#[test]
fn the_administrator_still_takes_from_it_by_hand() {
    let mut sim = three(Settings::default());
    protect(&mut sim, B, true);
    let (dom, pages) = (dom(B), 100);
    sim.handle(Event::Take { dom, pages }).expect("accepted");
    run(&mut sim);
    assert_eq!(balance(&sim, B), -100);
}

/// A asks, then C, for what only B has, which does not answer. Then 100 pages come. Who gets them?
fn first_served(protected: bool) -> Option<u16> {
    let mut sim = only_b_has_some(Settings::default());
    protect(&mut sim, C, protected);
    sim.corrupt(dom(B), Lie::Silent);
    ask(&mut sim, A, 100);
    ask(&mut sim, C, 100);
    release(&mut sim, B, 100);
    let full = Some((100, GrantReason::Full));
    [A, C]
        .into_iter()
        .find(|number| grant(&sim, *number) == full)
}

#[test]
fn a_protected_domain_is_served_before_who_came_earlier() {
    assert_eq!(first_served(false), Some(A));
    assert_eq!(first_served(true), Some(C));
}

#[test]
fn what_is_protected_is_recorded() {
    let mut sim = three(Settings::default());
    protect(&mut sim, B, true);
    let record = |number| sim.coordinator.record(dom(number)).expect("known");
    for (number, protected) in [(A, false), (B, true)] {
        let text = record(number).to_string();
        let read = Record::parse(&text).expect("our own");
        assert_eq!(read.limits.protected, protected, "{text}");
    }
    // Earlier back-ends did not write it.
    let earlier = Record::parse("1 2 3 4 5 6 7 8 9 10 11 12").expect("all there was");
    assert_eq!((earlier.forgiven, earlier.limits.protected), (12, false));
    assert_eq!(Record::parse("1 2 3 4 5 6 7 8 9 10 11 12 2"), None);
}
