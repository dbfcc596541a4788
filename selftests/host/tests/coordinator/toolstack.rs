// SPDX-License-Identifier: GPL-2.0

//! What the toolstack does meanwhile.

use super::*;

#[test]
fn the_toolstacks_cap_is_known_even_if_it_is_the_one_we_had_set() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    sim.mem_set(dom(A), 2_100, true);
    assert_eq!(sim.world.domains[&dom(A)].maximum, 2_100 + CAP_MARGIN + 100);
    sim.mem_set(dom(A), 2_000, true);
    assert_eq!(sim.world.domains[&dom(A)].maximum, 2_000 + CAP_MARGIN + 100);
    // And if the back-end hears of it only when it is loaded again.
    sim.mem_set(dom(A), 2_100, false);
    sim.reload();
    assert_eq!(sim.world.domains[&dom(A)].maximum, 2_100 + CAP_MARGIN + 100);
}

#[test]
fn the_toolstack_moves_the_baseline_beneath_a_balance() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    for (number, target) in [(A, 1_500), (B, 1_500), (A, 3_000)] {
        sim.mem_set(dom(number), target, true);
        let cap = (target + CAP_MARGIN).saturating_add_signed(balance(&sim, number));
        assert_eq!(sim.world.domains[&dom(number)].maximum, cap);
    }
}

/// The size of a domain is changed when the back-end has read its old target, and connects it.
fn mem_set_while_it_connects(sim: &mut Sim, number: u16, target: u64) {
    let known = sim.world.domains[&dom(number)].target;
    sim.world.mem_set(dom(number), target);
    sim.domain(number).cap_written = true;
    attach_claiming_nothing(sim, number, known);
}

#[test]
fn the_toolstack_may_change_the_size_of_a_domain_while_it_connects() {
    const D: u16 = 5;
    for (known, credit) in [(false, 0), (true, 0), (false, 16), (true, 16)] {
        let mut sim = three(Settings::default());
        sim.set_credit(credit);
        assert!(sim.world.create(dom(D), 2_000, Limits::default()));
        if known {
            sim.attach(dom(D)).expect("accepted");
            sim.detach(dom(D));
        }
        mem_set_while_it_connects(&mut sim, D, 3_000);
        // What it hears then is checked against the cap.
        for target in [3_000, 2_500] {
            if target != 3_000 {
                sim.world.mem_set(dom(D), target);
            }
            let changed = Event::ToolstackChanged {
                dom: dom(D),
                target,
            };
            sim.domain(D).cap_written = false;
            sim.handle(changed).expect("known");
        }
        // It sets the very cap that we have set.
        let free = sim.world.free;
        sim.handle(Event::Give {
            dom: dom(D),
            pages: 70,
        })
        .expect("accepted");
        while sim.serve(dom(D)) | sim.hear(dom(D)) {}
        assert_eq!(sim.world.free, free - 70);
        let ours = sim.world.domains[&dom(D)].maximum - 2_500 - CAP_MARGIN;
        sim.mem_set(dom(D), 2_500 + ours, true);
        let cap = 2_500 + 2 * ours + CAP_MARGIN;
        assert_eq!(sim.world.domains[&dom(D)].maximum, cap);
    }
}

#[test]
fn a_cap_that_was_seen_before_the_target_is_not_guessed_again() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    for slack in [0, 300] {
        // The toolstack does not always add the same.
        sim.domain(A).cap_margin = slack;
        let target = 2_500 + slack;
        sim.world.mem_set(dom(A), target);
        sim.stats(dom(A));
        run(&mut sim);
        let cap = target + slack + 100;
        assert_eq!(sim.world.domains[&dom(A)].maximum, cap);
        let changed = Event::ToolstackChanged {
            dom: dom(A),
            target,
        };
        sim.handle(changed).expect("known");
        assert_eq!(sim.world.domains[&dom(A)].maximum, cap);
    }
}

#[test]
fn what_a_borrower_gave_back_unheard_is_believed_while_the_toolstack_makes_it_smaller() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    sim.mem_set(dom(A), 1_500, true);
    sim.release(dom(A), 100);
    sim.vanish(dom(A));
    sim.attach(dom(A)).expect("accepted");
    assert_eq!(balance(&sim, A), 0);
}

#[test]
fn a_lender_that_was_made_as_small_as_lending_had_is_owed_nothing_and_can_grow() {
    let mut sim = lent_by_b(1_000);
    assert_eq!(balance(&sim, B), -1_000);
    sim.mem_set(dom(B), 1_000, true);
    sim.unload(dom(B));
    // It has nothing to lend any more.
    sim.domain(B).needs = 1_000;
    sim.attach(dom(B)).expect("accepted");
    // It is owed what the toolstack wants to have, and says when that has come.
    assert_eq!(balance(&sim, B), -1_000);
    sim.report(dom(B));
    run(&mut sim);
    assert_eq!(balance(&sim, B), 0);
    assert_eq!(sim.domain(B).current, 1_000);
    assert_eq!(sim.world.domains[&dom(B)].maximum, 1_000 + CAP_MARGIN);
}

#[test]
fn a_target_that_is_moved_alone_moves_no_cap() {
    for borrowed in [0, 100] {
        let mut sim = three(Settings::default());
        if borrowed > 0 {
            ask(&mut sim, A, borrowed);
            run(&mut sim);
        }
        let cap = sim.domain(A).maximum;
        let domain = sim.domain(A);
        (domain.target, domain.cap_margin) = (1_900, CAP_MARGIN + 100);
        let (dom, target) = (dom(A), 1_900);
        sim.handle(Event::ToolstackChanged { dom, target })
            .expect("known");
        assert_eq!(sim.domain(A).maximum, cap);
    }
}

/// A has borrowed 1000 pages of B, which is to be smaller by 700 then.
fn lender_made_smaller() -> Sim {
    let mut sim = three(Settings::default());
    prefer_b(&mut sim);
    ask(&mut sim, A, 1_000);
    run(&mut sim);
    assert_eq!(balance(&sim, B), -1_000);
    sim
}

fn nobody_can_give(sim: &mut Sim) {
    for number in [A, C] {
        sim.domain(number).needs = 3_000;
        sim.stats(dom(number));
    }
    run(sim);
}

fn make_b_smaller(sim: &mut Sim) {
    sim.mem_set(dom(B), 1_300, true);
    sim.balloon(dom(B), 5_000, 0);
    assert_eq!(sim.domain(B).current, 1_000, "it has given that already");
    sim.report(dom(B));
    run(sim);
    sim.advance(100 * MILLISECOND);
    run(sim);
}

#[test]
fn who_lent_and_is_made_smaller_recalls_that_and_has_no_less_than_it_is_to_have() {
    let mut sim = lender_made_smaller();
    let free = sim.world.free;
    make_b_smaller(&mut sim);
    assert_eq!((balance(&sim, A), balance(&sim, B)), (300, -300));
    assert_eq!(sim.domain(B).current, 1_000);
    assert_eq!(sim.world.free, free + 700, "the toolstack's");
    assert_eq!(sim.world.domains[&dom(B)].maximum, 1_000 + CAP_MARGIN);
    sim.check();

    sim.release(dom(A), 300);
    run(&mut sim);
    sim.balloon(dom(B), 5_000, 0);
    assert_eq!((balance(&sim, B), sim.domain(B).current), (0, 1_300));
    sim.check();
}

#[test]
fn a_lender_waits_with_getting_smaller_until_what_it_lent_can_come_back() {
    let mut sim = lender_made_smaller();
    nobody_can_give(&mut sim);
    make_b_smaller(&mut sim);
    assert_eq!((balance(&sim, A), balance(&sim, B)), (1_000, -1_000));
    assert_eq!(sim.domain(B).current, 1_000);
    // Some of it comes of itself.
    sim.domain(A).needs = 0;
    let free = sim.world.free;
    sim.release(dom(A), 200);
    run(&mut sim);
    assert_eq!((balance(&sim, B), sim.domain(B).current), (-800, 1_000));
    assert_eq!(sim.world.free, free + 200);
    // It is to be as large as before, after all.
    sim.mem_set(dom(B), 2_000, true);
    sim.report(dom(B));
    sim.balloon(dom(B), 5_000, 200);
    sim.release(dom(A), 800);
    run(&mut sim);
    sim.balloon(dom(B), 5_000, 200);
    assert_eq!((balance(&sim, B), sim.domain(B).current), (0, 2_000));
    sim.come_to_rest();
    sim.check_at_rest();
}

#[test]
fn what_a_lender_is_not_to_have_back_is_not_its_balloons_either() {
    let mut sim = lender_made_smaller();
    nobody_can_give(&mut sim);
    make_b_smaller(&mut sim);
    sim.unload(dom(B));
    sim.balloon(dom(B), 5_000, 0);
    assert_eq!(sim.domain(B).current, 1_000);
    sim.attach(dom(B)).expect("accepted");
    assert_eq!((balance(&sim, B), sim.domain(B).current), (-1_000, 1_000));
    assert_eq!(sim.domain(B).session.deferred, 700);
    sim.check();
}

#[test]
fn a_domain_that_may_have_no_more_borrows_no_more() {
    let mut sim = three(Settings::default());
    prefer_b(&mut sim);
    ask(&mut sim, A, 1_000);
    run(&mut sim);
    // With what it has borrowed it has 3000. The toolstack lets it have that, less, and then more.
    for (most, granted) in [(3_100, 100), (2_500, 0), (3_300, 200)] {
        let before = balance(&sim, A);
        sim.world.mem_max(dom(A), most - CAP_MARGIN);
        ask(&mut sim, A, 500);
        run(&mut sim);
        assert_eq!(balance(&sim, A) - before, granted, "{most}");
    }
    // It wants it to have another size: that is the last word.
    sim.mem_set(dom(A), 2_100, true);
    sim.balloon(dom(A), 5_000, 100);
    let before = balance(&sim, A);
    ask(&mut sim, A, 500);
    run(&mut sim);
    assert_eq!(balance(&sim, A) - before, 500);
    assert_eq!(
        sim.world.domains[&dom(A)].maximum,
        2_100 + CAP_MARGIN + 1_800
    );
    sim.check();
}

#[test]
fn a_lender_that_may_have_no_more_gets_back_what_it_lent() {
    let mut sim = three(Settings::default());
    prefer_b(&mut sim);
    ask(&mut sim, A, 1_000);
    run(&mut sim);
    for most in [3_000, 2_000] {
        sim.world.mem_max(dom(B), most);
        sim.release(dom(A), 500);
        run(&mut sim);
    }
    assert_eq!((balance(&sim, B), sim.domain(B).current), (0, 2_000));
    sim.check();
}

/// B may have up to 6000 pages, of which its toolstack wants it to have 2000, and has them.
fn b_may_have_more() -> Sim {
    let mut sim = three(Settings::default());
    sim.world.mem_max(dom(B), 6_000);
    sim.stats(dom(B));
    run(&mut sim);
    assert_eq!(sim.domain(B).maximum, 6_000 + CAP_MARGIN);
    sim
}

/// B's front-end says that it gave back so much, whatever it did.
fn b_says_it_released(sim: &mut Sim, pages: u64) {
    sim.domain(B).liar = true;
    assert!(sim.forge(dom(B), &Up::Release { id: 1, pages }));
    while sim.hear(dom(B)) {}
}

#[test]
fn who_may_have_more_than_it_has_lends_nothing_of_that() {
    let mut sim = b_may_have_more();
    b_says_it_released(&mut sim, 3_900);
    // By the toolstack's margin it can be wrong, as ever.
    assert!(balance(&sim, B) >= -(CAP_MARGIN as i64));
    assert!(sim.coordinator.pool() <= CAP_MARGIN);
    assert!(sim.world.disconnected.is_empty());
    sim.coordinator.check().expect("in order");
}

#[test]
fn who_may_have_more_than_it_has_is_not_believed_that_it_lent_that() {
    let mut sim = b_may_have_more();
    sim.falsify(dom(B), -3_900);
    sim.detach(dom(B));
    sim.attach(dom(B)).expect("accepted");
    assert!(balance(&sim, B) >= -(CAP_MARGIN as i64));
    assert!(sim.coordinator.pool() <= CAP_MARGIN);
}

#[test]
fn who_has_more_than_it_is_to_have_can_lend_that() {
    let mut sim = b_may_have_more();
    let mut inside = sim.world.inside(dom(B)).expect("exists");
    assert_eq!(inside.populate(3_000), 3_000);
    sim.stats(dom(B));
    run(&mut sim);
    let mut inside = sim.world.inside(dom(B)).expect("exists");
    assert_eq!(inside.give_up(2_500), 2_500);
    b_says_it_released(&mut sim, 2_500);
    assert_eq!(balance(&sim, B), -2_500);
}

#[test]
fn who_grew_before_its_target_was_heard_of_is_believed_when_that_is() {
    let mut sim = three(Settings::default());
    // The cap comes first, and Dom0 hears of the target last.
    sim.world.mem_set(dom(B), 3_000);
    let mut inside = sim.world.inside(dom(B)).expect("exists");
    assert_eq!(inside.populate(1_000), 1_000);
    assert_eq!(inside.give_up(100), 100);
    b_says_it_released(&mut sim, 100);
    assert_eq!(balance(&sim, B), 0);
    let (dom, target) = (dom(B), 3_000);
    sim.handle(Event::ToolstackChanged { dom, target })
        .expect("known");
    assert_eq!(balance(&sim, B), -100);
    sim.coordinator.check().expect("in order");
}
