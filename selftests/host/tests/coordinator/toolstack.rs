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
    assert_eq!(balance(&sim, B), 0);
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
