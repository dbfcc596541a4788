// SPDX-License-Identifier: GPL-2.0

//! Requests: who is answered when, and with what.

use super::*;

/// [`three`], of which A has `requests` of a page open, and B is asked for as many as it can be.
fn b_is_crowded(requests: usize) -> Sim {
    let mut sim = three(Settings::default());
    prefer_b(&mut sim);
    for _ in 0..requests {
        ask(&mut sim, A, 1);
    }
    sim
}

#[test]
fn who_asks_for_much_at_once_leaves_the_donor_to_others_too() {
    let mut sim = b_is_crowded(MAX_REQUESTS);
    // B has no room for another question now, and C must not be told that there is no donor.
    ask(&mut sim, C, 10);
    assert_eq!(grant(&sim, C), None);
    donors_answer(&mut sim, &[B, B]);
    assert_eq!(grant(&sim, C), Some((10, GrantReason::Full)));
    run(&mut sim);
    assert_eq!(balance(&sim, A), MAX_REQUESTS as i64);
}

#[test]
fn when_a_crowded_donor_is_gone_another_is_asked() {
    let mut sim = b_is_crowded(MAX_ASKS);
    ask(&mut sim, C, 10);
    sim.die(dom(B));
    // A has been told that there is no donor, and can give itself.
    donors_answer(&mut sim, &[A]);
    assert_eq!(grant(&sim, C), Some((10, GrantReason::Full)));
}

#[test]
fn a_crowded_donor_that_does_not_answer_is_not_waited_for() {
    let mut sim = only_b_has_some(Settings::default());
    sim.corrupt(dom(B), Lie::Silent);
    // It has no more room for a question than for these, and answers none of them.
    for _ in 0..MAX_ASKS {
        ask(&mut sim, A, 10);
        sim.advance(SECOND);
        run(&mut sim);
    }
    sim.advance(60 * SECOND);
    ask(&mut sim, A, 10);
    assert_eq!(grant(&sim, A), Some((0, GrantReason::NoDonor)));
}

#[test]
fn a_crowded_donor_is_waited_for_as_long_as_any_other() {
    let mut sim = only_b_has_some(Settings::default());
    sim.corrupt(dom(B), Lie::Silent);
    for _ in 0..MAX_ASKS {
        let (dom, pages) = (dom(B), 1);
        sim.handle(Event::Take { dom, pages }).expect("accepted");
    }
    ask(&mut sim, A, 10);
    sim.advance(late(MAX_ASKS as u64) - MILLISECOND);
    assert_eq!(grant(&sim, A), None);
    sim.advance(MILLISECOND);
    assert_eq!(grant(&sim, A), Some((0, GrantReason::NoDonor)));
}

#[test]
fn every_denial_has_its_reason() {
    // Nobody has so much.
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 9_000);
    donors_answer(&mut sim, &[B, C]);
    assert_eq!(grant(&sim, A), Some((3_000, GrantReason::NoDonor)));

    // The ceiling is in the way, first in part and then altogether.
    let mut sim = three(Settings::default());
    let ceiling = 2_050;
    sim.domain(A).limits.ceiling = ceiling;
    let event = Event::SetCeiling {
        dom: dom(A),
        pages: ceiling,
    };
    sim.handle(event).expect("accepted");
    ask(&mut sim, A, 100);
    donors_answer(&mut sim, &[B, C]);
    assert_eq!(grant(&sim, A), Some((50, GrantReason::Ceiling)));
    run(&mut sim);
    // Our front-end has been told of it, and would not ask.
    assert!(!sim.request(dom(A), 100, 0));
    let request = Up::Request {
        id: 99,
        pages: 100,
        deadline_us: 0,
        reason: RequestReason::Manual,
    };
    sim.forge(dom(A), &request);
    while sim.hear(dom(A)) {}
    assert_eq!(grant(&sim, A), Some((0, GrantReason::Ceiling)));

    // The donors are silent.
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    sim.advance(SECOND);
    assert_eq!(grant(&sim, A), Some((0, GrantReason::NoDonor)));
    let mut sim = three(Settings {
        donor_timeout: 10 * SECOND,
        ..Settings::default()
    });
    ask(&mut sim, A, 100);
    sim.advance(SECOND);
    assert_eq!(grant(&sim, A), None);
    sim.advance(100 * DONOR_PAGE_NANOS);
    assert_eq!(grant(&sim, A), Some((0, GrantReason::Deadline)));

    // Too often.
    let mut sim = three(Settings {
        request_rate: 1,
        request_burst: 1,
        ..Settings::default()
    });
    ask(&mut sim, A, 1);
    ask(&mut sim, A, 1);
    assert_eq!(grant(&sim, A), Some((0, GrantReason::RateLimit)));

    // The end.
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    sim.handle(Event::ShutDown).expect("never refused");
    assert_eq!(grant(&sim, A), Some((0, GrantReason::ShuttingDown)));
}

/// [`three`] with a thousand times as much memory, of which each may ask for the price of an extent a millisecond.
fn large_and_limited() -> Sim {
    let settings = Settings {
        request_rate: 1_000,
        request_burst: 4,
        ..Settings::default()
    };
    let mut sim = Sim::new(10_000_000, 8, settings);
    for number in [A, B, C] {
        assert!(sim.boot(dom(number), 2_000_000, Limits::default()));
        sim.stats(dom(number));
        run(&mut sim);
    }
    sim
}

#[test]
fn who_has_donors_asked_for_much_and_does_not_wait_is_limited() {
    let mut sim = large_and_limited();
    let mut asked = 0;
    for _ in 0..1_000 {
        assert!(sim.request(dom(A), 100 * 512, 1));
        while sim.hear(dom(A)) {}
        asked += usize::from(grant(&sim, A).is_none());
        sim.advance(MILLISECOND);
        run(&mut sim);
    }
    // In a second there is time for a thousand extents, or requests. Each is one, and its first question is for eight.
    assert_eq!(asked, 112);
}

#[test]
fn no_request_is_refused_for_its_own_size() {
    let mut sim = large_and_limited();
    for _ in 0..5 {
        ask(&mut sim, A, 2_000_000);
        donors_answer(&mut sim, &[B, C]);
        assert_eq!(grant(&sim, A), Some((2_000_000, GrantReason::Full)));
        run(&mut sim);
        ask(&mut sim, A, 1);
        assert_eq!(grant(&sim, A), Some((0, GrantReason::RateLimit)));
        sim.release(dom(A), 2_000_000);
        run(&mut sim);
        // Others have worked for it for six seconds.
        sim.advance(40 * SECOND);
    }
}

#[test]
fn what_the_pool_has_costs_no_more_than_a_request() {
    let mut sim = large_and_limited();
    let event = Event::SetReserve { pages: 100_000 };
    sim.handle(event).expect("in range");
    run(&mut sim);
    for _ in 0..4 {
        ask(&mut sim, A, 10_000);
        assert_eq!(grant(&sim, A), Some((10_000, GrantReason::Full)));
    }
}

/// [`three`] and a large fourth, which has borrowed so much of A, if anything. B waits for 1000 pages, and since later A
/// does so, `requests` times. No donor answers.
fn b_waits_and_then_a(borrowed: u64, requests: usize) -> Sim {
    let mut sim = three(Settings {
        donor_timeout: 50 * SECOND,
        ..Settings::default()
    });
    assert!(sim.boot(dom(D), 4_000, Limits::default()));
    if borrowed > 0 {
        ask(&mut sim, D, borrowed);
        donors_answer(&mut sim, &[A, D]);
    }
    assert_eq!(balance(&sim, A), -(borrowed as i64));
    for number in [vec![B], vec![A; requests]].concat() {
        assert!(sim.request(dom(number), 1_000, 60_000_000));
        while sim.hear(dom(number)) {}
    }
    sim
}

/// Which of A and B has been granted all it waits for.
fn served(sim: &Sim) -> Vec<u16> {
    let full = Some((1_000, GrantReason::Full));
    let all = [A, B].into_iter();
    all.filter(|number| grant(sim, *number) == full).collect()
}

#[test]
fn who_lends_a_page_is_not_served_before_others_for_that() {
    for lent in [0, 1, 999] {
        let mut sim = b_waits_and_then_a(0, 1);
        if lent > 0 {
            release(&mut sim, A, lent);
        }
        release(&mut sim, D, 1_000 - lent);
        assert_eq!(served(&sim), [B]);
    }
}

#[test]
fn who_wants_its_own_back_is_served_before_others() {
    let mut sim = b_waits_and_then_a(1_000, 1);
    release(&mut sim, D, 1_000);
    assert_eq!(served(&sim), [A]);
}

#[test]
fn what_is_owed_once_is_a_reason_to_be_served_first_once() {
    let mut sim = b_waits_and_then_a(1_000, 2);
    release(&mut sim, D, 1_500);
    assert_eq!(served(&sim), [A]);
    release(&mut sim, D, 500);
    assert_eq!(served(&sim), [A, B]);
}

#[test]
fn who_connects_again_is_not_served_before_others_for_that() {
    let mut sim = b_waits_and_then_a(1_000, 1);
    // A has back what it lent when it was asked to, and lends as much unasked.
    release(&mut sim, D, 1_000);
    donors_answer(&mut sim, &[A]);
    release(&mut sim, A, 1_000);
    donors_answer(&mut sim, &[A, B]);
    assert_eq!(balance(&sim, A), -1_000);
    sim.detach(dom(A));
    sim.attach(dom(A)).expect("known");
    while sim.serve(dom(A)) | sim.hear(dom(A)) {}
    for number in [B, A] {
        assert!(sim.request(dom(number), 1_000, 60_000_000));
        while sim.hear(dom(number)) {}
    }
    release(&mut sim, D, 1_000);
    assert_eq!(served(&sim), [B]);
}

#[test]
fn who_asks_last_does_not_take_what_came_for_those_who_wait() {
    const LAST: u16 = 21;
    const NEWCOMER: u16 = 23;
    let mut sim = Sim::new(
        1_000_000,
        32,
        Settings {
            donor_timeout: 50 * SECOND,
            ..Settings::default()
        },
    );
    for number in A..=NEWCOMER {
        assert!(sim.boot(dom(number), 20_000, Limits::default()));
        if number != A {
            leave(&mut sim, number, 0);
        }
        sim.stats(dom(number));
        while sim.serve(dom(number)) | sim.hear(dom(number)) {}
    }
    sim.corrupt(dom(A), Lie::Silent);
    for number in B..=LAST {
        assert!(sim.request(dom(number), 100, 60_000_000));
        while sim.hear(dom(number)) {}
    }
    // As much as all twenty wait for, and more than have their turn in one event.
    sim.domain(22).needs = 0;
    release(&mut sim, 22, 2_000);
    ask(&mut sim, NEWCOMER, 400);
    sim.advance(MILLISECOND);
    let full = Some((100, GrantReason::Full));
    let served = (B..=LAST).filter(|number| grant(&sim, *number) == full);
    assert_eq!(served.count(), 20);
    assert_eq!(grant(&sim, NEWCOMER), None);
}

#[test]
fn a_cancelled_request_is_answered_at_once_and_frees_its_place() {
    let mut sim = only_b_has_some(Settings::default());
    sim.corrupt(dom(B), Lie::Silent);
    for _ in 0..3 {
        for _ in 0..MAX_REQUESTS {
            assert!(sim.request(dom(A), 10, 60_000_000));
        }
        while sim.hear(dom(A)) {}
        assert_eq!(grant(&sim, A), None);
        for _ in 0..MAX_REQUESTS {
            sim.interrupt(dom(A));
            while sim.hear(dom(A)) {}
            assert_eq!(grant(&sim, A), Some((0, GrantReason::Cancelled)));
        }
        let waiting = sim.coordinator.domain(dom(A)).expect("known").waiting;
        assert_eq!(waiting, 0);
        while sim.serve(dom(A)) {}
    }
}

#[test]
fn a_cancellation_that_crosses_the_answer_changes_nothing() {
    let mut sim = three(Settings::default());
    let (id, pages, deadline_us, reason) = (1, 100, 0, RequestReason::Manual);
    say(
        &mut sim,
        A,
        Up::Request {
            id,
            pages,
            deadline_us,
            reason,
        },
    );
    donors_answer(&mut sim, &[B, C]);
    assert_eq!(grant(&sim, A), Some((100, GrantReason::Full)));
    say(&mut sim, A, Up::Cancel { id });
    say(&mut sim, A, Up::Cancel { id: 77 });
    assert!(sim.coordinator.domain(dom(A)).expect("known").connected);
    assert_eq!(
        sim.coordinator.domain(dom(A)).expect("known").in_flight,
        100
    );
}

#[test]
fn what_was_put_aside_for_a_cancelled_request_is_for_others() {
    let mut sim = three(Settings::default());
    sim.corrupt(dom(C), Lie::Silent);
    assert!(sim.request(dom(A), 2_500, 60_000_000));
    while sim.hear(dom(A)) {}
    donors_answer(&mut sim, &[B]);
    assert!(sim.coordinator.pool() > 0 && grant(&sim, A).is_none());
    sim.interrupt(dom(A));
    while sim.hear(dom(A)) {}
    sim.advance(MILLISECOND);
    run(&mut sim);
    // Nobody waits for it: it goes back to who lent it.
    assert_eq!((sim.coordinator.pool(), balance(&sim, B)), (0, 0));
}

/// Dom0 hears this of a domain.
fn say(sim: &mut Sim, number: u16, up: Up) {
    assert!(sim.forge(dom(number), &up));
    while sim.hear(dom(number)) {}
}

/// [`three`] with a thousand times as much memory, of which B and C can give most.
fn large() -> Sim {
    let mut sim = Sim::new(10_000_000, 8, Settings::default());
    for number in [A, B, C] {
        assert!(sim.boot(dom(number), 2_000_000, Limits::default()));
        sim.stats(dom(number));
        run(&mut sim);
    }
    sim
}

/// A asks for so much and gives it back, over and over for ten seconds, as fast as donors can, of which each page takes
/// 3 us; returns for how long it had them work, in thousandths of a CPU.
fn turned_over(sim: &mut Sim, pages: u64) -> u64 {
    let (end, mut worked) = (sim.world.now + 10 * SECOND, 0);
    while sim.world.now < end {
        ask(sim, A, pages);
        donors_answer(sim, &[B, C]);
        let granted = balance_after(sim);
        let took = 100 * MICROSECOND + 3 * MICROSECOND * granted;
        if granted > 0 {
            worked += took;
            sim.release(dom(A), granted);
            run(sim);
        }
        sim.advance(took);
    }
    worked / (10 * SECOND / 1_000)
}

/// What A has borrowed when it has read its answer.
fn balance_after(sim: &mut Sim) -> u64 {
    run(sim);
    balance(sim, A).unsigned_abs()
}

#[test]
fn who_asks_and_gives_back_in_a_loop_has_others_work_for_a_share_of_a_cpu() {
    for pages in [1, 512, 16_384] {
        // Two seconds are saved up, and what it never had before is free, once a minute.
        let share = turned_over(&mut large(), pages);
        assert!((200..=460).contains(&share), "{pages} pages: {share}");
    }
}

/// A has others work until it has used up its share.
fn use_up(sim: &mut Sim) {
    while grant(sim, A) != Some((0, GrantReason::RateLimit)) {
        run(sim);
        let had = balance(sim, A).unsigned_abs();
        if had > 0 {
            sim.release(dom(A), had);
            run(sim);
        }
        ask(sim, A, 100_000);
        donors_answer(sim, &[B, C]);
    }
    run(sim);
}

#[test]
fn who_has_used_up_its_share_is_refused_until_it_has_earned_enough() {
    let mut sim = large();
    use_up(&mut sim);
    // Others are none the worse for it.
    ask(&mut sim, B, 1_000);
    donors_answer(&mut sim, &[A, C]);
    assert_eq!(grant(&sim, B), Some((1_000, GrantReason::Full)));
    sim.advance(3 * SECOND);
    run(&mut sim);
    ask(&mut sim, A, 1_000);
    donors_answer(&mut sim, &[B, C]);
    assert_eq!(grant(&sim, A), Some((1_000, GrantReason::Full)));
}

#[test]
fn a_question_that_brings_nothing_costs_nothing() {
    let mut sim = large();
    use_up(&mut sim);
    for number in [B, C] {
        leave(&mut sim, number, 0);
    }
    // From the moment on at which it may ask again, it may ask twice.
    loop {
        sim.advance(10 * MICROSECOND);
        ask(&mut sim, A, 100);
        donors_answer(&mut sim, &[B, C]);
        if grant(&sim, A) != Some((0, GrantReason::RateLimit)) {
            break;
        }
        run(&mut sim);
    }
    ask(&mut sim, A, 100);
    assert_ne!(grant(&sim, A), Some((0, GrantReason::RateLimit)));
}

#[test]
fn who_grows_and_keeps_it_has_nothing_to_pay() {
    let mut sim = large();
    // Four times what its share would do for, at once.
    for _ in 0..16 {
        ask(&mut sim, A, 150_000);
        donors_answer(&mut sim, &[B, C]);
        assert_eq!(grant(&sim, A), Some((150_000, GrantReason::Full)));
        run(&mut sim);
        // It may not ask for so much any more often, whatever becomes of it.
        sim.advance(50 * MILLISECOND);
    }
    assert_eq!(balance(&sim, A), 16 * 150_000);
}
