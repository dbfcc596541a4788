// SPDX-License-Identifier: GPL-2.0

//! What is granted and not taken has an end.

use super::*;

/// When so much is over that was granted.
fn over(pages: u64) -> Nanos {
    2 * SECOND + pages * DONOR_PAGE_NANOS
}

fn in_flight(sim: &Sim, number: u16) -> u64 {
    view(sim, number).in_flight
}

fn view(sim: &Sim, number: u16) -> View {
    sim.coordinator.domain(dom(number)).expect("known")
}

/// A asks for a thousand pages, is granted them, and does not run any more.
fn granted_and_paused() -> Sim {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 1_000);
    donors_answer(&mut sim, &[B, C]);
    assert_eq!(grant(&sim, A), Some((1_000, GrantReason::Full)));
    pause(&mut sim, A);
    sim
}

/// A has said late that it took a thousand pages, of which Xen has seen nothing.
fn took_late() -> Sim {
    let mut sim = granted_and_paused();
    sim.corrupt(dom(A), Lie::Silent);
    sim.advance(over(1_000));
    run(&mut sim);
    let (id, pages) = (1, 1_000);
    assert!(sim.forge(dom(A), &Up::Took { id, pages }));
    while sim.hear(dom(A)) {}
    assert_eq!(balance(&sim, A), 1_000);
    sim
}

#[test]
fn a_grant_that_nobody_takes_goes_back_and_cannot_be_taken() {
    let mut sim = granted_and_paused();
    sim.advance(over(1_000) - MILLISECOND);
    assert_eq!(in_flight(&sim, A), 1_000);
    sim.advance(MILLISECOND);
    assert_eq!((in_flight(&sim, A), sim.domain(A).maximum), (0, 0));
    run(&mut sim);
    assert_eq!((balance(&sim, B), sim.coordinator.pool()), (0, 0));
}

#[test]
fn who_runs_again_finds_its_cap_as_it_was() {
    let mut sim = granted_and_paused();
    let before = sim.domain(A).maximum - 1_000;
    sim.advance(over(1_000));
    run(&mut sim);
    sim.domain(A).paused = false;
    run(&mut sim);
    assert_eq!((balance(&sim, A), in_flight(&sim, A)), (0, 0));
    assert_eq!(sim.domain(A).maximum, before);
    let view = view(&sim, A);
    assert_eq!((view.connected, view.forgiven), (true, 0));
    // And may ask again.
    ask(&mut sim, A, 1_000);
    run(&mut sim);
    assert_eq!(balance(&sim, A), 1_000);
    sim.come_to_rest();
}

#[test]
fn what_was_taken_in_time_and_is_said_late_is_owed_and_nothing_else() {
    let mut sim = granted_and_paused();
    sim.domain(A).current += 300;
    sim.world.free -= 300;
    sim.domain(A).session.balance += 300;
    sim.advance(over(1_000));
    assert_eq!((balance(&sim, A), in_flight(&sim, A)), (0, 300));
    let id = 1;
    assert!(sim.forge(dom(A), &Up::Took { id, pages: 300 }));
    while sim.hear(dom(A)) {}
    assert_eq!((balance(&sim, A), in_flight(&sim, A)), (300, 0));
    let domain = sim.domain(A);
    assert_eq!(domain.maximum, 2_000 + CAP_MARGIN + 300);
    assert_eq!(view(&sim, A).forgiven, 0);
}

#[test]
fn to_say_late_that_it_was_taken_gains_nothing() {
    let before = granted_and_paused().domain(A).maximum - 1_000;
    assert_eq!(took_late().domain(A).maximum, before);
}

#[test]
fn what_was_taken_and_given_back_before_either_was_said_leaves_nothing_behind() {
    let mut sim = granted_and_paused();
    let before = sim.domain(A).maximum - 1_000;
    let domain = sim.domain(A);
    (domain.current, domain.session.balance) = (2_700, 700);
    sim.world.free -= 700;
    sim.advance(over(1_000));
    let (id, pages) = (1, 1_000);
    assert!(sim.forge(dom(A), &Up::Took { id, pages }));
    let (id, pages) = (2, 300);
    assert!(sim.forge(dom(A), &Up::Release { id, pages }));
    while sim.hear(dom(A)) {}
    assert_eq!((balance(&sim, A), view(&sim, A).forgiven), (700, 0));
    assert_eq!(sim.domain(A).maximum, before + 700);
}

#[test]
fn who_has_not_said_what_it_took_is_granted_nothing() {
    let mut sim = granted_and_paused();
    sim.corrupt(dom(A), Lie::Silent);
    sim.advance(over(1_000));
    let request = Up::Request {
        id: 7,
        pages: 10,
        deadline_us: 0,
        reason: RequestReason::Manual,
    };
    assert!(sim.forge(dom(A), &request));
    while sim.hear(dom(A)) {}
    assert_eq!(grant(&sim, A), Some((0, GrantReason::Ceiling)));
    assert_eq!(sim.domain(A).maximum, 0);
}

#[test]
fn all_ends_if_one_of_several_is_late() {
    let mut sim = three(Settings::default());
    for pages in [1, 257] {
        ask(&mut sim, A, pages);
        donors_answer(&mut sim, &[B, C]);
    }
    sim.advance(over(257));
    assert_eq!(in_flight(&sim, A), 0);
    run(&mut sim);
    assert_eq!(balance(&sim, A), 0);
    let view = view(&sim, A);
    assert_eq!((view.connected, view.pinned), (true, false));
    sim.come_to_rest();
}

#[test]
fn what_a_pinned_domain_gives_it_may_not_take_again() {
    let mut sim = granted_and_paused();
    sim.advance(over(1_000));
    run(&mut sim);
    let mut inside = sim.world.inside(dom(A)).expect("exists");
    assert_eq!(inside.give_up(100), 100);
    inside.domain.session.moved(-100);
    assert!(sim.forge(dom(A), &Up::Release { id: 1, pages: 100 }));
    while sim.hear(dom(A)) {}
    assert_eq!((balance(&sim, A), sim.domain(A).maximum), (-100, 0));
}

/// The thousand pages that a lender is owed are nobody's, and A has them for the asking.
fn others_may_have_what_is_owed_to(sim: &mut Sim, lender: u16) {
    let nobodys = (in_flight(sim, lender), sim.coordinator.pool());
    assert_eq!(nobodys, (0, 1_000));
    ask(sim, A, 1_000);
    assert_eq!(grant(sim, A), Some((1_000, GrantReason::Full)));
    run(sim);
}

#[test]
fn what_a_paused_lender_is_owed_is_for_others() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 1_000);
    run(&mut sim);
    let lender = if balance(&sim, B) < 0 { B } else { C };
    pause(&mut sim, lender);
    sim.release(dom(A), 1_000);
    while sim.hear(dom(A)) {}
    others_may_have_what_is_owed_to(&mut sim, lender);
    // It gets its own when it runs again.
    sim.release(dom(A), 1_000);
    run(&mut sim);
    sim.domain(lender).paused = false;
    sim.advance(100 * MILLISECOND);
    run(&mut sim);
    assert_eq!((balance(&sim, lender), sim.coordinator.pool()), (0, 0));
}

#[test]
fn what_a_lender_does_not_take_back_is_for_others() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 1_000);
    run(&mut sim);
    let lender = if balance(&sim, B) < 0 { B } else { C };
    sim.release(dom(A), 1_000);
    while sim.hear(dom(A)) {}
    assert_eq!(in_flight(&sim, lender), 1_000);
    pause(&mut sim, lender);
    sim.advance(over(1_000));
    others_may_have_what_is_owed_to(&mut sim, lender);
    // It gets its own when it runs again.
    sim.release(dom(A), 1_000);
    sim.domain(lender).paused = false;
    sim.come_to_rest();
    assert_eq!(balance(&sim, lender), 0);
}

#[test]
fn what_was_given_by_hand_does_not_come_to_the_pool() {
    let mut sim = three(Settings::default());
    let pages = 100;
    pause(&mut sim, A);
    let unbooked = |sim: &Sim| sim.coordinator.settings().unbooked;
    let before = unbooked(&sim);
    sim.handle(Event::Give { dom: dom(A), pages })
        .expect("accepted");
    sim.advance(over(pages));
    assert_eq!((in_flight(&sim, A), sim.coordinator.pool()), (0, 0));
    assert_eq!(unbooked(&sim), before);
}

#[test]
fn who_goes_before_it_said_what_it_took_is_expected_and_not_for_ever() {
    let mut sim = granted_and_paused();
    sim.domain(A).paused = false;
    sim.vanish(dom(A));
    sim.advance(10 * SECOND - MILLISECOND);
    assert_eq!(in_flight(&sim, A), 1_000);
    sim.advance(MILLISECOND);
    assert_eq!(in_flight(&sim, A), 0);
    run(&mut sim);
    assert_eq!(balance(&sim, B) + balance(&sim, C), 0);
    sim.attach(dom(A)).expect("accepted");
    sim.come_to_rest();
    assert_eq!(view(&sim, A).disbelieved, 0);
}

#[test]
fn who_is_sent_away_is_not_expected() {
    for forged in [true, false] {
        let mut sim = granted_and_paused();
        sim.domain(A).paused = false;
        if forged {
            // The coordinator sees that.
            let unasked = Up::Offered {
                id: (1 << 31) | 99,
                pages: 1,
            };
            sim.domain(A).liar = true;
            assert!(sim.forge(dom(A), &unasked));
        } else {
            // Only who reads the lane does.
            sim.corrupt(dom(A), Lie::Scribbles);
        }
        while sim.hear(dom(A)) {}
        assert_eq!(sim.world.disconnected.len(), 1, "{forged}");
        sim.advance(MILLISECOND);
        assert_eq!(in_flight(&sim, A), 0, "{forged}");
        run(&mut sim);
        assert_eq!(balance(&sim, B) + balance(&sim, C), 0, "{forged}");
    }
}

#[test]
fn what_was_taken_below_a_cap_is_forgotten_when_the_toolstack_sets_another() {
    let mut sim = took_late();
    sim.world.mem_set(dom(A), 1_990);
    let before = sim.domain(A).maximum as i64;
    let (id, pages) = (2, 100);
    assert!(sim.forge(dom(A), &Up::Release { id, pages }));
    while sim.hear(dom(A)) {}
    assert_eq!(sim.domain(A).maximum as i64, before + balance(&sim, A));
}

#[test]
fn who_gave_back_what_it_took_below_its_cap_is_believed_by_the_next_back_end() {
    let mut sim = took_late();
    let before = sim.domain(A).maximum;
    assert_eq!(sim.coordinator.record(dom(A)).expect("known").below, 1_000);
    sim.reload();
    assert_eq!((balance(&sim, A), view(&sim, A).disbelieved), (0, 0));
    assert_eq!(sim.domain(A).maximum, before);
}
