// SPDX-License-Identifier: GPL-2.0

//! Donors: who is asked.

use cmm::client::Wish;

use super::*;

#[test]
fn a_donor_gives_and_the_requester_takes() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    donors_answer(&mut sim, &[B, C]);
    assert_eq!(grant(&sim, A), Some((100, GrantReason::Full)));
    run(&mut sim);
    assert_eq!((balance(&sim, A), balance(&sim, B)), (100, -100));
    assert_eq!(sim.world.domains[&dom(A)].maximum, 2_000 + CAP_MARGIN + 100);
    assert_eq!(sim.world.domains[&dom(B)].maximum, 2_000 + CAP_MARGIN - 100);
    assert_eq!(sim.coordinator.pool(), 0);
}

#[test]
fn several_donors_are_asked_at_once() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 2_500);
    donors_answer(&mut sim, &[B, C]);
    assert_eq!(grant(&sim, A), Some((2_500, GrantReason::Full)));
}

#[test]
fn spreading_asks_each_for_its_share() {
    let settings = Settings {
        policy: Policy::Spread,
        ..Settings::default()
    };
    let mut sim = three(settings);
    ask(&mut sim, A, 100);
    run(&mut sim);
    assert_eq!((balance(&sim, B), balance(&sim, C)), (-50, -50));
}

#[test]
fn a_donor_that_waits_for_a_cpu_is_asked_last() {
    for policy in [Policy::Largest, Policy::Spread] {
        let mut sim = three(Settings {
            policy,
            ..Settings::default()
        });
        prefer_b(&mut sim);
        starve(&mut sim, B);
        ask(&mut sim, A, 1_000);
        run(&mut sim);
        assert_eq!((balance(&sim, B), balance(&sim, C)), (0, -1_000));
        ask(&mut sim, A, 600);
        run(&mut sim);
        assert_eq!(
            balance(&sim, A),
            1_600,
            "it is asked if the others have not enough"
        );
    }
}

#[test]
fn it_is_asked_as_any_other_if_that_is_not_to_matter() {
    let mut sim = three(Settings {
        ask_ready: false,
        ..Settings::default()
    });
    prefer_b(&mut sim);
    starve(&mut sim, B);
    ask(&mut sim, A, 100);
    run(&mut sim);
    assert_eq!((balance(&sim, B), balance(&sim, C)), (-100, 0));
}

#[test]
fn a_paused_donor_is_not_waited_for() {
    let mut sim = three(Settings::default());
    pause(&mut sim, B);
    pause(&mut sim, C);
    ask(&mut sim, A, 100);
    assert_eq!(grant(&sim, A), Some((0, GrantReason::NoDonor)));
}

#[test]
fn paused_donors_do_not_hide_another_from_a_request() {
    for policy in [Policy::Largest, Policy::Spread] {
        let mut sim = all_but_a_small_one_are_paused(Settings {
            policy,
            ..Settings::default()
        });
        ask(&mut sim, A, 100);
        donors_answer(&mut sim, &[B]);
        assert_eq!(grant(&sim, A), Some((100, GrantReason::Full)));
        run(&mut sim);
        // They are left alone for a short while only.
        sim.domain(C).paused = false;
        sim.advance(100 * MILLISECOND);
        ask(&mut sim, A, 100);
        donors_answer(&mut sim, &[C]);
        assert_ne!(balance(&sim, C), 0);
    }
}

#[test]
fn weights_tell_who_gives_first() {
    let mut sim = three(Settings::default());
    let weight = 1_000;
    let dom_b = dom(B);
    sim.handle(Event::SetWeight { dom: dom_b, weight })
        .expect("accepted");
    ask(&mut sim, A, 100);
    run(&mut sim);
    assert_eq!((balance(&sim, B), balance(&sim, C)), (0, -100));
}

#[test]
fn a_silent_donor_is_passed_over_for_another() {
    let mut sim = three(Settings::default());
    sim.corrupt(dom(B), Lie::Silent);
    ask(&mut sim, A, 100);
    sim.advance(late(100));
    donors_answer(&mut sim, &[C]);
    assert_eq!(grant(&sim, A), Some((100, GrantReason::Full)));
    assert_eq!(sim.coordinator.domain(dom(B)).expect("known").penalty, 1);
}

#[test]
fn a_donor_that_often_gave_too_little_is_asked_again_soon() {
    let mut sim = three(Settings::default());
    sim.domain(C).needs = 2_000;
    sim.stats(dom(C));
    // Each time it seems to have much, and its own burst is there first.
    for _ in 0..8 {
        sim.domain(B).needs = 500;
        sim.stats(dom(B));
        run(&mut sim);
        sim.domain(B).needs = sim.domain(B).current - 10;
        ask(&mut sim, A, 100);
        run(&mut sim);
        sim.advance(400 * MILLISECOND);
    }
    sim.domain(B).needs = 500;
    sim.stats(dom(B));
    run(&mut sim);
    ask(&mut sim, A, 100);
    donors_answer(&mut sim, &[B]);
    assert_eq!(grant(&sim, A), Some((100, GrantReason::Full)));
}

#[test]
fn a_donor_that_was_late_is_asked_after_one_that_was_not() {
    let mut sim = three(Settings::default());
    sim.domain(C).needs = 1_500;
    sim.stats(dom(C));
    run(&mut sim);
    sim.corrupt(dom(B), Lie::Silent);
    ask(&mut sim, A, 100);
    sim.advance(late(100));
    donors_answer(&mut sim, &[C, A]);
    assert_eq!((balance(&sim, A), grant(&sim, A)), (100, None));
    // Long enough to be asked again, and still with more to spare than the other.
    sim.advance(SECOND);
    ask(&mut sim, A, 100);
    donors_answer(&mut sim, &[C]);
    assert_eq!(grant(&sim, A), Some((100, GrantReason::Full)));
    assert_eq!(sim.coordinator.domain(dom(B)).expect("known").penalty, 1);
}

/// A front-end goes without answering, and another comes in its place that is willing.
fn connect_again(sim: &mut Sim, number: u16) {
    sim.vanish(dom(number));
    sim.attach(dom(number)).expect("accepted");
    sim.stats(dom(number));
    while sim.serve(dom(number)) | sim.hear(dom(number)) {}
}

#[test]
fn connecting_again_does_not_make_a_donor_that_was_late_the_first_to_be_asked() {
    // Whether it waits until it is passed over or goes before.
    for patience in [late(10) - MILLISECOND, late(10)] {
        let mut sim = three(Settings::default());
        prefer_b(&mut sim);
        let mut waits = 0;
        for _ in 0..50 {
            sim.corrupt(dom(B), Lie::Silent);
            ask(&mut sim, A, 10);
            donors_answer(&mut sim, &[C]);
            waits += usize::from(grant(&sim, A).is_none());
            sim.advance(patience);
            connect_again(&mut sim, B);
            donors_answer(&mut sim, &[C]);
            run(&mut sim);
        }
        assert_eq!(balance(&sim, A), 500);
        // Once because it is the best by far, and once more because it still was after that.
        assert_eq!(waits, 2);
    }
}

#[test]
fn a_donor_that_was_late_and_connects_again_is_asked_when_its_time_has_passed() {
    let mut sim = only_b_has_some(Settings::default());
    sim.corrupt(dom(B), Lie::Silent);
    ask(&mut sim, A, 10);
    sim.advance(late(10));
    connect_again(&mut sim, B);
    assert_eq!(sim.coordinator.domain(dom(B)).expect("known").penalty, 1);
    run(&mut sim);
    sim.advance(99 * MILLISECOND);
    ask(&mut sim, A, 10);
    assert_eq!(grant(&sim, A), Some((0, GrantReason::NoDonor)));
    run(&mut sim);
    sim.advance(MILLISECOND);
    ask(&mut sim, A, 10);
    donors_answer(&mut sim, &[B]);
    assert_eq!(grant(&sim, A), Some((10, GrantReason::Full)));
    assert_eq!(sim.coordinator.domain(dom(B)).expect("known").penalty, 0);
}

#[test]
fn a_donor_that_goes_when_nobody_waits_for_it_is_asked_at_once_when_it_is_back() {
    let mut sim = only_b_has_some(Settings::default());
    connect_again(&mut sim, B);
    ask(&mut sim, A, 10);
    donors_answer(&mut sim, &[B]);
    assert_eq!(grant(&sim, A), Some((10, GrantReason::Full)));
}

/// Lets everybody up to `last` serve and be heard, until requests of A's are answered. Returns how many rounds it took.
fn rounds_until_a_is_answered(sim: &mut Sim, last: u16) -> usize {
    for round in 0..100 {
        if grant(sim, A).is_some() {
            return round;
        }
        for number in B..=last {
            donors_answer(sim, &[number]);
        }
    }
    panic!("not answered");
}

/// Sets what a domain has to spare, and lets it say so.
fn can_spare(sim: &mut Sim, number: u16, pages: u64) {
    leave(sim, number, pages);
    sim.stats(dom(number));
    while sim.serve(dom(number)) | sim.hear(dom(number)) {}
}

#[test]
fn a_borrower_that_has_nothing_to_give_back_is_not_asked_over_and_over() {
    for (wanted, spare, expected) in [
        (1_000, 1_900, (1_000, GrantReason::Full)),
        (1, 0, (0, GrantReason::NoDonor)),
    ] {
        let mut sim = three(Settings::default());
        can_spare(&mut sim, C, 0);
        ask(&mut sim, B, 1);
        run(&mut sim);
        assert_eq!((balance(&sim, A), balance(&sim, B)), (-1, 1));
        can_spare(&mut sim, B, 0);
        can_spare(&mut sim, C, spare);
        ask(&mut sim, A, wanted);
        let rounds = rounds_until_a_is_answered(&mut sim, C);
        assert_eq!(grant(&sim, A), Some(expected));
        assert!(rounds <= 2, "{rounds} rounds");
    }
}

#[test]
fn who_is_owed_a_page_recalls_that_and_asks_others_for_the_rest() {
    const LAST: u16 = 11;
    const LENDER: u16 = 12;
    let mut sim = Sim::new(100_000, 16, Settings::default());
    for number in A..=LENDER {
        assert!(sim.boot(dom(number), 2_000, Limits::default()));
        can_spare(&mut sim, number, if number == LENDER { 1_000 } else { 0 });
    }
    for number in B..LAST {
        ask(&mut sim, number, 10);
        donors_answer(&mut sim, &[LENDER, number]);
    }
    can_spare(&mut sim, LENDER, 0);
    can_spare(&mut sim, A, 1);
    ask(&mut sim, B, 1);
    donors_answer(&mut sim, &[A, B]);
    assert_eq!(balance(&sim, A), -1);
    // Nine borrowers, who would give back what they borrowed, and one who has more than all of them.
    for number in B..LAST {
        can_spare(&mut sim, number, 0);
        leave(&mut sim, number, 10);
    }
    can_spare(&mut sim, LAST, 1_500);
    ask(&mut sim, A, 2_000);
    assert_eq!(rounds_until_a_is_answered(&mut sim, LAST), 1);
    assert_eq!(grant(&sim, A), Some((1_501, GrantReason::NoDonor)));
}

#[test]
fn a_donor_that_is_gone_when_it_is_asked_is_not_waited_for() {
    let mut sim = three(Settings::default());
    prefer_b(&mut sim);
    // Nobody has told us yet.
    sim.domain(B).connected = false;
    ask(&mut sim, A, 100);
    assert!(!sim.coordinator.domain(dom(B)).expect("known").connected);
    donors_answer(&mut sim, &[C]);
    assert_eq!(grant(&sim, A), Some((100, GrantReason::Full)));
}

#[test]
fn what_was_held_for_whom_dealing_with_went_wrong_is_for_others() {
    let mut sim = three(Settings {
        donor_timeout: 50 * SECOND,
        ..Settings::default()
    });
    // A waits with 500 pages put aside for it, B with none.
    assert!(sim.request(dom(A), 2_500, 60_000_000));
    while sim.hear(dom(A)) {}
    release(&mut sim, C, 500);
    assert_eq!((sim.coordinator.pool(), grant(&sim, A)), (500, None));
    assert!(sim.request(dom(B), 500, 60_000_000));
    while sim.hear(dom(B)) {}
    sim.domain(A).liar = true;
    sim.forge(dom(A), &Up::Took { id: 7, pages: 1 });
    while sim.hear(dom(A)) {}
    assert_eq!(sim.world.disconnected, [(dom(A), Violation::Unasked(7))]);
    // At the same time, in the next turn at the latest.
    sim.advance(0);
    assert_eq!(grant(&sim, B), Some((500, GrantReason::Full)));
}

#[test]
fn who_was_fast_is_late_sooner() {
    let mut sim = only_b_has_some(Settings::default());
    ask(&mut sim, A, 1_000);
    // That is a microsecond a page.
    sim.advance(MILLISECOND);
    run(&mut sim);
    ask(&mut sim, A, 400);
    let penalty = |sim: &Sim| sim.coordinator.domain(dom(B)).expect("known").penalty;
    let soon = Settings::default().donor_timeout + 4 * 400 * MICROSECOND;
    sim.advance(soon - 1);
    assert_eq!(penalty(&sim), 0);
    sim.advance(1);
    assert_eq!(penalty(&sim), 1);
}

/// As [`ask`], of somebody who would have a process killed otherwise.
fn cry(sim: &mut Sim, number: u16, pages: u64) {
    let wish = Wish {
        pages,
        deadline_us: 300_000,
        reason: RequestReason::Emergency,
        exact: false,
    };
    assert!(sim.wish(dom(number), &wish));
    while sim.hear(dom(number)) {}
}

/// [`only_b_has_some`], and B is left alone, for it was late.
fn only_b_has_some_and_was_late() -> Sim {
    let mut sim = only_b_has_some(Settings::default());
    sim.corrupt(dom(B), Lie::Silent);
    ask(&mut sim, A, 100);
    sim.advance(late(100));
    assert_eq!(grant(&sim, A), Some((0, GrantReason::NoDonor)));
    connect_again(&mut sim, B);
    run(&mut sim);
    sim
}

#[test]
fn who_is_left_alone_is_asked_in_an_emergency_if_there_is_nobody_else() {
    let mut sim = only_b_has_some_and_was_late();
    ask(&mut sim, A, 100);
    assert_eq!(grant(&sim, A), Some((0, GrantReason::NoDonor)));
    run(&mut sim);
    cry(&mut sim, A, 100);
    assert_eq!(grant(&sim, A), None);
    donors_answer(&mut sim, &[B]);
    assert_eq!(grant(&sim, A), Some((100, GrantReason::Full)));
}

#[test]
fn who_is_left_alone_is_not_asked_in_an_emergency_if_somebody_else_has_some() {
    let mut sim = only_b_has_some_and_was_late();
    can_spare(&mut sim, C, 200);
    cry(&mut sim, A, 100);
    donors_answer(&mut sim, &[C]);
    assert_eq!(grant(&sim, A), Some((100, GrantReason::Full)));
    assert_eq!(balance(&sim, C), -100);
}

#[test]
fn who_is_late_for_want_of_a_cpu_is_asked_again_soon() {
    for (has_no_cpu, reason) in [(true, None), (false, Some((0, GrantReason::NoDonor)))] {
        let mut sim = only_b_has_some(Settings::default());
        sim.domain(B).starved = has_no_cpu;
        for _ in 0..4 {
            sim.advance(SECOND);
            sim.corrupt(dom(B), Lie::Silent);
            ask(&mut sim, A, 10);
            sim.advance(late(10));
            connect_again(&mut sim, B);
            run(&mut sim);
        }
        assert_eq!(sim.coordinator.domain(dom(B)).expect("known").penalty, 4);
        sim.advance(400 * MILLISECOND);
        ask(&mut sim, A, 10);
        assert_eq!(grant(&sim, A), reason);
    }
}
