// SPDX-License-Identifier: GPL-2.0

//! The coordinator's rules, one by one.

use cmm::coordinator::{
    Coordinator, Domain, Event, Limits, Policy, Record, Refused, Settings, MILLISECOND, SECOND,
};
use cmm::protocol::{Down, GrantReason, RequestReason, Up, Violation, MAX_ASKS, MAX_REQUESTS};
use cmm::{pages, DomId};
use cmm_host_tests::frontend::Lie;
use cmm_host_tests::sim::Sim;
use cmm_host_tests::world::SLACK;

const A: u16 = 1;
const B: u16 = 2;
const C: u16 = 3;
const D: u16 = 4;

fn dom(number: u16) -> DomId {
    DomId::new(number).expect("not reserved")
}

/// Three domains of 2000 pages, of which each needs a quarter.
fn three(settings: Settings) -> Sim {
    let mut sim = Sim::new(10_000, 8, settings);
    for number in [A, B, C] {
        assert!(sim.boot(dom(number), 2_000, Limits::default()));
        sim.stats(dom(number));
        run(&mut sim);
    }
    sim
}

/// Delivers messages until there are none.
fn run(sim: &mut Sim) {
    loop {
        let moved = (A..=C).filter(|d| sim.serve(dom(*d)) | sim.hear(dom(*d)));
        if moved.count() == 0 {
            return;
        }
    }
}

/// As [`run`], and lets the time pass after which the reserve is filled.
fn run_and_fill(sim: &mut Sim) {
    run(sim);
    sim.advance(100 * MILLISECOND);
    run(sim);
}

fn balance(sim: &Sim, number: u16) -> i64 {
    sim.coordinator.domain(dom(number)).expect("known").balance
}

/// The last grant that lies unread in a domain's lane.
fn grant(sim: &Sim, number: u16) -> Option<(u64, GrantReason)> {
    let down = &sim.world.domains[&dom(number)].frontend.down;
    down.iter().rev().find_map(|message| match message {
        Down::Grant { pages, reason, .. } => Some((*pages, *reason)),
        _ => None,
    })
}

fn ask(sim: &mut Sim, number: u16, pages: u64) {
    assert!(sim.request(dom(number), pages, 0));
    while sim.hear(dom(number)) {}
}

/// Lets the donors answer, but not the requester read.
fn donors_answer(sim: &mut Sim, donors: &[u16]) {
    for donor in donors {
        while sim.serve(dom(*donor)) {}
        while sim.hear(dom(*donor)) {}
    }
}

#[test]
fn a_donor_gives_and_the_requester_takes() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    donors_answer(&mut sim, &[B, C]);
    assert_eq!(grant(&sim, A), Some((100, GrantReason::Full)));
    run(&mut sim);
    assert_eq!((balance(&sim, A), balance(&sim, B)), (100, -100));
    assert_eq!(sim.world.domains[&dom(A)].maximum, 2_000 + SLACK + 100);
    assert_eq!(sim.world.domains[&dom(B)].maximum, 2_000 + SLACK - 100);
    assert_eq!(sim.coordinator.pool(), 0);
}

#[test]
fn several_donors_are_asked_at_once() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 2_500);
    donors_answer(&mut sim, &[B, C]);
    assert_eq!(grant(&sim, A), Some((2_500, GrantReason::Full)));
}

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
    sim.advance(99 * MILLISECOND);
    assert_eq!(grant(&sim, A), None);
    sim.advance(MILLISECOND);
    assert_eq!(grant(&sim, A), Some((0, GrantReason::NoDonor)));
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

fn starve(sim: &mut Sim, number: u16) {
    sim.world
        .domains
        .get_mut(&dom(number))
        .expect("known")
        .starved = true;
}

fn pause(sim: &mut Sim, number: u16) {
    sim.world
        .domains
        .get_mut(&dom(number))
        .expect("known")
        .paused = true;
}

/// Makes B the best donor by far.
fn prefer_b(sim: &mut Sim) {
    let (dom, weight) = (dom(C), 1_000);
    sim.handle(Event::SetWeight { dom, weight })
        .expect("accepted");
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

/// Eleven domains, of which the first asks, the second has little to spare, and the others have much and are paused.
fn all_but_a_small_one_are_paused(settings: Settings) -> Sim {
    let mut sim = Sim::new(100_000, 16, settings);
    for number in 1..=11 {
        let pages = if number <= B { 2_000 } else { 4_000 };
        assert!(sim.boot(dom(number), pages, Limits::default()));
        sim.stats(dom(number));
        while sim.serve(dom(number)) | sim.hear(dom(number)) {}
        if number > B {
            pause(&mut sim, number);
        }
    }
    sim
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
        sim.world.domains.get_mut(&dom(C)).expect("exists").paused = false;
        sim.advance(100 * MILLISECOND);
        ask(&mut sim, A, 100);
        donors_answer(&mut sim, &[C]);
        assert_ne!(balance(&sim, C), 0);
    }
}

#[test]
fn paused_donors_do_not_hide_another_from_the_reserve() {
    let mut sim = all_but_a_small_one_are_paused(Settings::default());
    // What A says it has to spare is the least of all.
    let event = Event::SetReserve { pages: 2_500 };
    sim.handle(event).expect("in range");
    sim.advance(MILLISECOND);
    run(&mut sim);
    assert_eq!((balance(&sim, A), balance(&sim, B)), (-1_000, -1_500));
}

/// Asks for 100 pages, with everybody waiting for a CPU whenever something is done for the request. Returns who was
/// boosted, in order.
fn boosted_in_a_transfer(boost: bool) -> Vec<DomId> {
    let mut sim = three(Settings {
        boost,
        ..Settings::default()
    });
    let starve_all = |sim: &mut Sim| [A, B, C].map(|number| starve(sim, number));
    starve_all(&mut sim);
    ask(&mut sim, A, 100);
    starve_all(&mut sim);
    donors_answer(&mut sim, &[B, C]);
    starve_all(&mut sim);
    run(&mut sim);
    assert_eq!(balance(&sim, A), 100);
    std::mem::take(&mut sim.world.boosted)
}

#[test]
fn whom_a_transfer_waits_for_is_boosted() {
    // The requester, when it is granted the memory and when it has taken it; not the donor, which is busy already.
    assert_eq!(boosted_in_a_transfer(true), [dom(A), dom(A)]);
    assert_eq!(boosted_in_a_transfer(false), []);
}

/// Starves everybody for `ms` milliseconds. Returns how often which domain was boosted.
fn boosted_while_starving(sim: &mut Sim, ms: u64) -> [usize; 3] {
    sim.world.boosted.clear();
    for _ in 0..ms {
        for number in [A, B, C] {
            starve(sim, number);
        }
        sim.advance(MILLISECOND);
    }
    let boosted = &sim.world.boosted;
    [A, B, C].map(|number| boosted.iter().filter(|d| **d == dom(number)).count())
}

#[test]
fn who_does_not_answer_is_boosted_again_some_times() {
    let mut sim = three(Settings {
        boost: true,
        donor_timeout: 10 * SECOND,
        ..Settings::default()
    });
    assert!(sim.request(dom(A), 100, 20_000_000));
    while sim.hear(dom(A)) {}
    assert_eq!(boosted_while_starving(&mut sim, 500), [0, 6, 0]);
    donors_answer(&mut sim, &[B]);
    assert_eq!(boosted_while_starving(&mut sim, 500), [6, 0, 0]);
    run(&mut sim);
    assert_eq!(balance(&sim, A), 100);
    assert_eq!(boosted_while_starving(&mut sim, 500), [0, 0, 0]);
}

#[test]
fn a_donor_that_is_passed_over_is_not_boosted() {
    let mut sim = three(Settings {
        boost: true,
        donor_timeout: 2 * MILLISECOND,
        ..Settings::default()
    });
    ask(&mut sim, A, 100);
    // After 1.1 ms; by 3.3 ms nobody waits for it any more.
    let [_, b, _] = boosted_while_starving(&mut sim, 500);
    assert_eq!(b, 1);
}

#[test]
fn nobody_is_boosted_for_the_reserve() {
    let mut sim = three(Settings {
        boost: true,
        ..Settings::default()
    });
    sim.handle(Event::SetReserve { pages: 100 })
        .expect("in range");
    sim.advance(100 * MILLISECOND);
    assert_eq!(boosted_while_starving(&mut sim, 50), [0, 0, 0]);
    run(&mut sim);
    assert_eq!(sim.coordinator.pool(), 100);
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
fn every_denial_has_its_reason() {
    // Nobody has so much.
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 9_000);
    donors_answer(&mut sim, &[B, C]);
    assert_eq!(grant(&sim, A), Some((3_000, GrantReason::NoDonor)));

    // The ceiling is in the way, first in part and then altogether.
    let mut sim = three(Settings::default());
    let ceiling = 2_050;
    sim.world
        .domains
        .get_mut(&dom(A))
        .expect("exists")
        .limits
        .ceiling = ceiling;
    let event = Event::SetCeiling {
        dom: dom(A),
        pages: ceiling,
    };
    sim.handle(event).expect("accepted");
    ask(&mut sim, A, 100);
    donors_answer(&mut sim, &[B, C]);
    assert_eq!(grant(&sim, A), Some((50, GrantReason::Ceiling)));
    run(&mut sim);
    ask(&mut sim, A, 100);
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
    // In a second there is time to ask for a thousand extents.
    assert_eq!(asked, 10);
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
        sim.advance(4 * SECOND);
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

#[test]
fn a_silent_donor_is_passed_over_for_another() {
    let mut sim = three(Settings::default());
    sim.corrupt(dom(B), Lie::Silent);
    ask(&mut sim, A, 100);
    sim.advance(100 * MILLISECOND);
    donors_answer(&mut sim, &[C]);
    assert_eq!(grant(&sim, A), Some((100, GrantReason::Full)));
    assert_eq!(sim.coordinator.domain(dom(B)).expect("known").penalty, 1);
}

#[test]
fn a_donor_that_was_late_is_asked_after_one_that_was_not() {
    let mut sim = three(Settings::default());
    sim.world.domains.get_mut(&dom(C)).expect("exists").needs = 1_500;
    sim.stats(dom(C));
    run(&mut sim);
    sim.corrupt(dom(B), Lie::Silent);
    ask(&mut sim, A, 100);
    sim.advance(100 * MILLISECOND);
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
    for patience in [99, 100] {
        let mut sim = three(Settings::default());
        prefer_b(&mut sim);
        let mut waits = 0;
        for _ in 0..50 {
            sim.corrupt(dom(B), Lie::Silent);
            ask(&mut sim, A, 10);
            donors_answer(&mut sim, &[C]);
            waits += usize::from(grant(&sim, A).is_none());
            sim.advance(patience * MILLISECOND);
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
    sim.advance(100 * MILLISECOND);
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

#[test]
fn who_declined_what_it_is_owed_is_not_offered_it_sooner_by_connecting_again() {
    let mut sim = three(Settings::default());
    prefer_b(&mut sim);
    ask(&mut sim, A, 100);
    run(&mut sim);
    sim.world.domains.get_mut(&dom(B)).expect("exists").liar = true;
    let mut offers = 0;
    sim.release(dom(A), 100);
    while sim.hear(dom(A)) {}
    for _ in 0..20 {
        let frontend = &mut sim.world.domains.get_mut(&dom(B)).expect("exists").frontend;
        let down = std::mem::take(&mut frontend.down);
        for message in down {
            if let Down::Give { id, .. } = message {
                frontend.up.push_back(Up::Took { id, pages: 0 });
                offers += 1;
            }
        }
        while sim.hear(dom(B)) {}
        sim.vanish(dom(B));
        sim.attach(dom(B)).expect("accepted");
    }
    assert_eq!(offers, 1);
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
    for (id, number) in (1..).zip([vec![B], vec![A; requests]].concat()) {
        let domain = sim.world.domains.get_mut(&dom(number)).expect("exists");
        domain.frontend.up.push_back(Up::Request {
            id,
            pages: 1_000,
            deadline_us: 60_000_000,
            reason: RequestReason::Manual,
        });
        while sim.hear(dom(number)) {}
    }
    sim
}

fn release(sim: &mut Sim, number: u16, pages: u64) {
    sim.release(dom(number), pages);
    while sim.hear(dom(number)) {}
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
fn a_pool_waits_for_the_lenders_that_an_earlier_back_end_knew() {
    let mut sim = three(Settings::default());
    // The lender's number is the last, so that the others are there before it.
    for number in [A, B] {
        let domain = sim.world.domains.get_mut(&dom(number)).expect("exists");
        domain.needs = domain.current;
        sim.stats(dom(number));
    }
    run(&mut sim);
    ask(&mut sim, A, 100);
    donors_answer(&mut sim, &[C]);
    assert_eq!(balance(&sim, C), -100);
    // What was granted and not taken is the pool's as soon as A is back.
    sim.reload();
    run(&mut sim);
    assert_eq!((balance(&sim, A), balance(&sim, C)), (0, 0));
}

#[test]
fn the_toolstacks_cap_is_known_even_if_it_is_the_one_we_had_set() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    sim.mem_set(dom(A), 2_100, true);
    assert_eq!(sim.world.domains[&dom(A)].maximum, 2_100 + SLACK + 100);
    sim.mem_set(dom(A), 2_000, true);
    assert_eq!(sim.world.domains[&dom(A)].maximum, 2_000 + SLACK + 100);
    // And if the back-end hears of it only when it is loaded again.
    sim.mem_set(dom(A), 2_100, false);
    sim.reload();
    assert_eq!(sim.world.domains[&dom(A)].maximum, 2_100 + SLACK + 100);
}

#[test]
fn limits_by_default_leave_a_domain_what_its_toolstack_lets_it_have() {
    let mib = |mib: u64| mib * 256;
    // Target, largest, cap; floor, ceiling.
    for (target, largest, cap, floor, ceiling) in [
        (mib(1024), mib(2048), mib(1025), mib(256), mib(2048)),
        (mib(128), mib(128), mib(129), mib(64), mib(129)),
        (mib(32), mib(32), mib(33), mib(32), mib(33)),
    ] {
        let limits = Limits::by_default(target, largest, cap);
        assert_eq!((limits.floor, limits.ceiling), (floor, ceiling));
        assert_eq!(limits.check(), Ok(()));
    }
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
        let domain = sim.world.domains.get_mut(&dom(number)).expect("exists");
        domain.needs = domain.current;
        sim.stats(dom(number));
    }
    run(&mut sim);
    sim.world.domains.get_mut(&dom(A)).expect("exists").needs = 0;
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

/// Leaves a domain so many pages that it could give. It does not tell.
fn leave(sim: &mut Sim, number: u16, pages: u64) {
    let domain = sim.world.domains.get_mut(&dom(number)).expect("exists");
    domain.needs = domain.current - pages;
}

/// [`three`], of which only B has something to spare.
fn only_b_has_some(settings: Settings) -> Sim {
    let mut sim = three(settings);
    for number in [A, C] {
        leave(&mut sim, number, 0);
        sim.stats(dom(number));
    }
    run(&mut sim);
    sim
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

fn credit(sim: &Sim, number: u16) -> (u64, u64) {
    let known = sim.coordinator.domain(dom(number)).expect("known").credit;
    (known, sim.world.domains[&dom(number)].frontend.credit)
}

#[test]
fn credit_is_drawn_without_asking_and_filled_again() {
    let mut sim = three(Settings::default());
    sim.set_credit(16);
    run(&mut sim);
    for number in [A, B, C] {
        assert_eq!(credit(&sim, number), (16, 16));
        let domain = &sim.world.domains[&dom(number)];
        let cap = (2_000 + SLACK + 16).saturating_add_signed(balance(&sim, number));
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

    // What is taken away while it draws and has not said so.
    sim.draw(dom(A), 60);
    sim.set_credit(0);
    run(&mut sim);
    assert_eq!(credit(&sim, A), (60, 0));
    sim.tell_drawn(dom(A));
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
    sim.release(dom(B), 8);
    while sim.hear(dom(B)) {}
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
        sim.detach(dom(A));
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
        sim.settle();
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

#[test]
fn by_hand_memory_comes_from_and_goes_to_xen() {
    let mut sim = three(Settings::default());
    let free = sim.world.free;
    let give = |pages| Event::Give { dom: dom(A), pages };
    let take = |pages| Event::Take { dom: dom(A), pages };
    sim.handle(give(100)).expect("accepted");
    run(&mut sim);
    assert_eq!((balance(&sim, A), sim.world.free), (100, free - 100));
    sim.handle(take(150)).expect("accepted");
    run(&mut sim);
    assert_eq!((balance(&sim, A), sim.world.free), (-50, free + 50));
    assert_eq!(sim.handle(give(0)), Err(Refused::OutOfRange));
    assert_eq!(sim.handle(give(1 << 28)), Err(Refused::AboveCeiling));
    assert_eq!(sim.handle(take(2_000)), Err(Refused::BelowFloor));
    let unknown = Event::Give {
        dom: dom(9),
        pages: 1,
    };
    assert_eq!(sim.handle(unknown), Err(Refused::UnknownDomain));
}

#[test]
fn the_toolstack_moves_the_baseline_beneath_a_balance() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    for (number, target) in [(A, 1_500), (B, 1_500), (A, 3_000)] {
        sim.mem_set(dom(number), target, true);
        let cap = (target + SLACK).saturating_add_signed(balance(&sim, number));
        assert_eq!(sim.world.domains[&dom(number)].maximum, cap);
    }
}

#[test]
fn liars_are_disconnected_and_nobody_else() {
    let cases = [
        (Lie::Keeps, B),
        (Lie::Hides, A),
        (Lie::Repeats, B),
        (Lie::Exaggerates, B),
        (Lie::Invents, B),
        (Lie::Floods, B),
    ];
    for (lie, liar) in cases {
        let mut sim = three(Settings::default());
        // Without slack under its cap, to which a lie could go unnoticed.
        let domain = sim.world.domains.get_mut(&dom(liar)).expect("exists");
        domain.slack = 0;
        domain.maximum -= SLACK;
        sim.coordinator = Coordinator::new(vec![Domain::default(); 8], Settings::default());
        for number in [A, B, C] {
            sim.world
                .domains
                .get_mut(&dom(number))
                .expect("exists")
                .connected = false;
        }
        for number in [A, B, C] {
            sim.attach(dom(number)).expect("room");
            sim.stats(dom(number));
            run(&mut sim);
        }
        sim.corrupt(dom(liar), lie);
        while sim.hear(dom(liar)) {}
        ask(&mut sim, A, 100);
        run(&mut sim);
        let who: Vec<_> = sim.world.disconnected.iter().map(|(dom, _)| *dom).collect();
        assert_eq!(who, [dom(liar)], "{lie:?}");
    }
}

#[test]
fn a_repeated_request_is_a_violation() {
    let mut sim = three(Settings::default());
    sim.corrupt(dom(A), Lie::Silent);
    assert!(sim.request(dom(A), 100, 0));
    let frontend = &mut sim.world.domains.get_mut(&dom(A)).expect("exists").frontend;
    let again = frontend.up[0];
    frontend.up.push_back(again);
    let Up::Request { id, .. } = again else {
        panic!("a request was queued");
    };
    run(&mut sim);
    assert_eq!(sim.world.disconnected, [(dom(A), Violation::Repeated(id))]);
}

#[test]
fn balances_survive_a_reload() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    sim.reload();
    assert_eq!((balance(&sim, A), balance(&sim, B)), (100, -100));
    sim.release(dom(A), 100);
    run(&mut sim);
    assert_eq!((balance(&sim, A), balance(&sim, B)), (0, 0));
}

#[test]
fn a_lender_is_made_whole_when_its_borrower_died_unheard() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    let size = sim.world.domains[&dom(B)].current;
    sim.reload_after(|world| {
        world.destroy(dom(A));
        Vec::new()
    });
    run(&mut sim);
    assert_eq!(balance(&sim, B), 0);
    assert_eq!(sim.world.domains[&dom(B)].current, size + 100);
}

#[test]
fn a_lender_is_made_whole_when_nobody_can_say_that_its_borrower_died() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    let size = sim.world.domains[&dom(B)].current;
    sim.reload_after(|world| {
        world.destroy(dom(A));
        vec![dom(A)]
    });
    // Others go on meanwhile.
    ask(&mut sim, C, 100);
    sim.advance(11 * SECOND);
    run(&mut sim);
    assert_eq!(balance(&sim, B), 0);
    assert_eq!(sim.world.domains[&dom(B)].current, size + 100);
}

#[test]
fn what_a_borrower_gave_back_and_gave_unheard_is_believed() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    let (dom, pages) = (dom(A), 50);
    sim.handle(Event::Take { dom, pages }).expect("accepted");
    sim.detach(dom);
    // It gives back what it borrowed, and then what it was asked for; nobody reads its lane any more.
    assert_eq!(sim.world.give_up(dom, 150), 150);
    sim.world
        .domains
        .get_mut(&dom)
        .expect("exists")
        .frontend
        .balance = -50;
    sim.attach(dom).expect("accepted");
    assert_eq!(balance(&sim, A), -50);
    // Nothing of it is missing: all get back what is theirs.
    run(&mut sim);
    assert_eq!((balance(&sim, A), balance(&sim, B)), (0, 0));
}

#[test]
fn a_claim_is_believed_only_as_far_as_it_can_be_true() {
    let cases = [
        (Some(0), 0),
        (Some(60), 60),
        (Some(100), 100),
        (Some(1 << 40), 100),
        (Some(-1_000), 0),
    ];
    for (claim, expected) in cases {
        let mut sim = three(Settings::default());
        ask(&mut sim, A, 100);
        donors_answer(&mut sim, &[B]);
        let taken = claim.unwrap_or(0i64).clamp(0, 100);
        sim.detach(dom(A));
        assert_eq!(sim.world.populate(dom(A), taken as u64), taken as u64);
        connect_claiming(&mut sim, A, claim.unwrap_or(0));
        assert_eq!(balance(&sim, A), expected, "{claim:?}");
        let view = sim.coordinator.domain(dom(A)).expect("known");
        let doubts = u32::from(claim != Some(expected));
        assert_eq!(view.disbelieved, doubts, "{claim:?}");
        // It is corrected, and not thrown out.
        assert_eq!(sim.world.disconnected, []);
    }
}

/// What it claims may be true or not.
fn connect_claiming(sim: &mut Sim, number: u16, balance: i64) {
    let domain = sim.world.domains.get_mut(&dom(number)).expect("exists");
    domain.frontend.balance = balance;
    domain.liar = true;
    sim.attach(dom(number)).expect("accepted");
}

#[test]
fn without_a_claim_what_was_taken_is_what_the_domain_has() {
    for taken in [0, 60, 100] {
        let mut sim = three(Settings::default());
        ask(&mut sim, A, 100);
        donors_answer(&mut sim, &[B]);
        sim.detach(dom(A));
        assert_eq!(sim.world.populate(dom(A), taken), taken);
        attach_claiming_nothing(&mut sim, A, 2_000);
        assert_eq!(balance(&sim, A), taken as i64);
        assert_eq!(
            sim.coordinator.domain(dom(A)).expect("known").disbelieved,
            0
        );
    }
}

/// Attaches a front-end without an account of its own, when the back-end knows of this target.
fn attach_claiming_nothing(sim: &mut Sim, number: u16, target: u64) {
    let domain = sim.world.domains.get_mut(&dom(number)).expect("exists");
    domain.connected = true;
    let attach = Event::Attach {
        dom: dom(number),
        claim: None,
        credit: true,
        limits: Limits::default(),
        target,
    };
    sim.handle(attach).expect("accepted");
}

#[test]
fn who_took_more_than_it_claims_is_corrected_and_not_thrown_out() {
    for (claim, expected) in [(0, 744), (500, 744), (744, 744), (900, 900)] {
        let mut sim = three(Settings::default());
        ask(&mut sim, A, 1_000);
        donors_answer(&mut sim, &[B, C]);
        sim.detach(dom(A));
        assert_eq!(sim.world.populate(dom(A), 1_000), 1_000);
        connect_claiming(&mut sim, A, claim);
        assert_eq!(sim.world.disconnected, []);
        // But for its slack.
        assert_eq!(balance(&sim, A), expected, "claims {claim}");
        assert_eq!(
            sim.world.domains[&dom(A)].maximum,
            2_000 + SLACK + expected as u64
        );
    }
}

#[test]
fn who_kept_what_it_was_asked_for_and_claims_otherwise_is_corrected() {
    let mut sim = three(Settings::default());
    prefer_b(&mut sim);
    ask(&mut sim, A, 1_000);
    sim.vanish(dom(B));
    connect_claiming(&mut sim, B, -1_000);
    assert_eq!(sim.world.disconnected, []);
    assert_eq!(balance(&sim, B), -(SLACK as i64));
}

/// The size of a domain is changed when the back-end has read its old target, and connects it.
fn mem_set_while_it_connects(sim: &mut Sim, number: u16, target: u64) {
    let known = sim.world.domains[&dom(number)].target;
    sim.world.mem_set(dom(number), target);
    sim.world
        .domains
        .get_mut(&dom(number))
        .expect("exists")
        .cap_written = true;
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
            sim.world
                .domains
                .get_mut(&dom(D))
                .expect("exists")
                .cap_written = false;
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
        let ours = sim.world.domains[&dom(D)].maximum - 2_500 - SLACK;
        sim.mem_set(dom(D), 2_500 + ours, true);
        let cap = 2_500 + 2 * ours + SLACK;
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
        sim.world.domains.get_mut(&dom(A)).expect("exists").slack = slack;
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
fn a_lender_is_owed_less_only_if_it_has_the_pages() {
    let cases = [
        (40, -60, -60),
        (39, -60, -100),
        (0, -60, -100),
        (100, 0, 0),
        (200, 100, -100),
    ];
    for (got, claim, expected) in cases {
        let mut sim = three(Settings::default());
        prefer_b(&mut sim);
        ask(&mut sim, A, 100);
        run(&mut sim);
        assert_eq!(balance(&sim, B), -100);
        sim.detach(dom(B));
        assert_eq!(sim.world.populate(dom(B), got), got);
        connect_claiming(&mut sim, B, claim);
        assert_eq!(balance(&sim, B), expected, "{got} pages, claims {claim}");
        // What it got elsewhere it got from its slack, which it does not have twice.
        let cap = 2_000 + SLACK - 100;
        assert_eq!(sim.world.domains[&dom(B)].maximum, cap);
    }
}

/// A connects again, and lies about what it has lent.
fn reconnect_claiming(sim: &mut Sim, claim: i64) {
    sim.detach(dom(A));
    let domain = sim.world.domains.get_mut(&dom(A)).expect("exists");
    domain.false_by = claim - domain.frontend.balance;
    domain.liar = true;
    sim.attach(dom(A)).expect("accepted");
}

#[test]
fn memory_is_made_of_nothing_up_to_the_slack_and_not_over_and_over() {
    for reload in [false, true] {
        let settings = Settings {
            donor_timeout: 100 * SECOND,
            ..Settings::default()
        };
        let mut sim = three(settings);
        sim.corrupt(dom(C), Lie::Silent);
        // B takes whatever A says it gave.
        assert!(sim.request(dom(B), 2_000, 60_000_000));
        while sim.hear(dom(B)) {}
        let free = sim.world.free;
        for _ in 0..8 {
            reconnect_claiming(&mut sim, -(SLACK as i64));
            reconnect_claiming(&mut sim, 0);
            if reload {
                sim.reload();
                sim.request(dom(B), 2_000, 60_000_000);
                while sim.hear(dom(B)) {}
            }
        }
        sim.advance(60 * SECOND);
        donors_answer(&mut sim, &[B]);
        assert_eq!(balance(&sim, A), 0);
        assert_eq!(sim.world.free, free - SLACK, "reload: {reload}");
        assert_eq!(sim.world.domains[&dom(A)].maximum, 2_000);

        // The toolstack's word counts, and begins anew.
        sim.mem_set(dom(A), 2_100, true);
        assert_eq!(sim.world.domains[&dom(A)].maximum, 2_100 + SLACK);
    }
}

#[test]
fn a_lender_that_was_made_as_small_as_lending_had_is_owed_nothing_and_can_grow() {
    let mut sim = three(Settings::default());
    prefer_b(&mut sim);
    ask(&mut sim, A, 1_000);
    run(&mut sim);
    assert_eq!(balance(&sim, B), -1_000);
    sim.mem_set(dom(B), 1_000, true);
    sim.unload(dom(B));
    // It has nothing to lend any more.
    sim.world.domains.get_mut(&dom(B)).expect("exists").needs = 1_000;
    sim.attach(dom(B)).expect("accepted");
    assert_eq!(balance(&sim, B), 0);
    assert_eq!(sim.world.domains[&dom(B)].maximum, 1_000 + SLACK);
}

#[test]
fn a_gift_counts_if_it_is_heard_before_the_stock_balloon_makes_up_for_it() {
    for heard in [true, false] {
        let mut sim = three(Settings::default());
        prefer_b(&mut sim);
        ask(&mut sim, A, 1_000);
        sim.world.domains.get_mut(&dom(B)).expect("exists").liar = true;
        while sim.serve(dom(B)) {}
        if heard {
            sim.unload(dom(B));
        }
        sim.world.populate(dom(B), 1_000);
        while sim.hear(dom(B)) {}
        let kept = sim
            .world
            .disconnected
            .iter()
            .any(|(_, why)| matches!(why, Violation::Kept { .. }));
        assert_eq!(kept, !heard);
    }
}

#[test]
fn storage_grows() {
    let mut sim = Sim::new(10_000, 1, Settings::default());
    assert!(sim.boot(dom(B), 100, Limits::default()));
    assert!(!sim.boot(dom(A), 100, Limits::default()));
    let small = sim.coordinator.grow(Vec::new());
    assert_eq!(small.len(), 0);
    sim.coordinator.grow(vec![Domain::default(); 2]);
    sim.attach(dom(A)).expect("room");
    let doms: Vec<_> = sim.coordinator.domains().map(|view| view.dom).collect();
    assert_eq!(doms, [dom(A), dom(B)]);
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let mut sim = three(Settings::default());
    let events = [
        Event::SetFloor {
            dom: dom(A),
            pages: u64::MAX,
        },
        Event::SetCeiling {
            dom: dom(A),
            pages: u64::MAX,
        },
        Event::SetWeight {
            dom: dom(A),
            weight: 0,
        },
        Event::SetReserve { pages: u64::MAX },
        Event::SetCredit { pages: u64::MAX },
        Event::SetDonorTimeout { nanos: 0 },
        Event::Died { dom: dom(9) },
        Event::Detach { dom: dom(9) },
    ];
    for event in events {
        let refused = sim.handle(event).expect_err("nonsense");
        assert!(!refused.to_string().is_empty());
    }
    assert_eq!(
        sim.coordinator.domain(dom(A)).expect("known").limits,
        Limits::default()
    );
}

#[test]
fn records_that_make_no_sense_are_refused() {
    for text in [
        "",
        "1 2 3",
        "1 2 3 4 5 6 7 8 9 10",
        "1 2 3 4 5 6 7 8 9 10 11 12 13",
        "1 2 3 4 5 6 7 8 9 10 11 -12",
        "a 2 3 4 5 6 7 8 9 10 11",
        "1 -2 3 4 5 6 7 8 9 10 11",
        "99999999999999 0 0 0 0 0 0 0 0 9 100",
        "0 0 0 0 0 0 0 0 9 8 100",
        "0 0 0 0 0 0 0 0 8 9 0",
    ] {
        assert_eq!(Record::parse(text), None, "{text}");
    }
    for text in [
        "",
        "1 2 3 largest 4 0",
        "1 2 3 largest 4 0 1 0 0",
        "1 2 3 largest 4 0 1 none",
        "1 2 3 largest 4 0 1 -99999999999999",
        "1 2 3 largest 4 0 2",
        "1 2 3 smallest 4 0 1",
        "1 2 0 largest 4 0 1",
        "99999999999999 2 3 largest 4 0 1",
    ] {
        assert_eq!(Settings::parse(text), None, "{text}");
    }
    let mut coordinator = Coordinator::new(vec![Domain::default(); 1], Settings::default());
    let mut world = cmm_host_tests::world::World::new(0);
    let record = Record {
        balance: i64::MIN,
        ..Record::default()
    };
    let event = Event::Recall {
        dom: dom(A),
        record,
    };
    assert_eq!(
        coordinator.handle(event, 0, &mut world),
        Err(Refused::OutOfRange)
    );
}

#[test]
fn records_of_earlier_back_ends_are_read() {
    let record = Record::parse("1 2 3 4 5 6 7 8 9 10 11").expect("all there was");
    assert_eq!((record.limits.weight, record.forgiven), (11, 0));
}

#[test]
fn what_the_administrator_set_is_recorded() {
    let limits = Limits {
        floor: 1_000,
        ceiling: 3_000,
        weight: 7,
    };
    let mut sim = Sim::new(10_000, 8, Settings::default());
    assert!(sim.boot(dom(A), 2_000, limits));
    for event in [
        Event::SetCredit { pages: 5 },
        Event::SetReserve { pages: 6 },
        Event::SetPolicy(Policy::Spread),
        Event::SetBoost(true),
        Event::SetAskReady(false),
    ] {
        sim.handle(event).expect("sensible");
    }
    let settings = sim.coordinator.settings();
    let written = Settings::parse(&settings.to_string()).expect("its own words");
    assert_eq!(written, settings);

    let mut next = Coordinator::new(vec![Domain::default(); 1], written);
    let recall = Event::Recall {
        dom: dom(A),
        record: sim.coordinator.record(dom(A)).expect("known"),
    };
    next.handle(recall, 0, &mut sim.world).expect("sensible");
    assert_eq!(next.domain(dom(A)).expect("recalled").limits, limits);
}

#[test]
fn kib_are_rounded_up_to_pages() {
    let cases = [
        (0, Some(0)),
        (1, Some(1)),
        (4, Some(1)),
        (5, Some(2)),
        (u64::MAX, None),
    ];
    for (kib, expected) in cases {
        assert_eq!(pages::from_kib(kib), expected);
    }
    assert_eq!(pages::to_kib(3), 12);
}
