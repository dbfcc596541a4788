// SPDX-License-Identifier: GPL-2.0

//! What a front-end may cost Dom0.

use cmm::budget::{Budget, Visits, Worth};
use cmm::protocol::{RequestReason, Up};
use cmm::time::{Nanos, MICROSECOND, MILLISECOND, SECOND};

const REQUEST: Up = Up::Request {
    id: 1,
    pages: 1,
    deadline_us: 0,
    reason: RequestReason::Manual,
};
const OFFERED: Up = Up::Offered { id: 1, pages: 1 };
const TOOK: Up = Up::Took { id: 1, pages: 1 };
const STATS: Up = Up::Stats {
    available: 1,
    size: 1,
    total_ram: 1,
};

fn said(ups: &[Up]) -> Worth {
    let mut worth = Worth::NONE;
    for up in ups {
        worth.add(up);
    }
    worth
}

/// Says the same as fast as it is listened to, for ten seconds; returns how much of these Dom0 has spent on it, in
/// thousandths, and how often it was woken for that. The interrupt takes five microseconds each time.
fn flood(ups: &[Up], took: Nanos) -> (Nanos, u32) {
    let (mut budget, mut now, mut spent, mut pauses) = (Budget::new(), SECOND, 0, 0);
    while now < 11 * SECOND {
        let wait = budget.wait(now);
        pauses += u32::from(wait > 0);
        now += wait;
        let all = took + 5 * MICROSECOND;
        now += all;
        spent += all;
        budget.pay(&said(ups), took, now);
    }
    (spent / (10 * SECOND / 1000), pauses)
}

fn share(ups: &[Up], took: Nanos) -> Nanos {
    flood(ups, took).0
}

/// Each time it takes the CPU from somebody.
#[test]
fn dom0_is_not_woken_often_for_who_is_in_debt() {
    for took in [MICROSECOND, 10 * MICROSECOND, MILLISECOND] {
        assert!(flood(&[STATS], took).1 <= 1500, "reports, {took} ns each");
        assert!(
            flood(&[REQUEST], took).1 <= 1500,
            "requests, {took} ns each"
        );
    }
}

#[test]
fn who_floods_has_a_twentieth() {
    for took in [MICROSECOND, 10 * MICROSECOND, MILLISECOND] {
        assert!(share(&[], took) <= 53, "events, {took} ns each");
        assert!(share(&[STATS], took) <= 53, "reports, {took} ns each");
        assert!(
            share(&[REQUEST; 32], took) <= 53,
            "full lanes, {took} ns each"
        );
    }
    assert!(share(&[STATS], MILLISECOND) >= 40, "but it has that");
}

#[test]
fn who_asks_has_a_fifth() {
    for took in [MICROSECOND, 10 * MICROSECOND, MILLISECOND] {
        assert!(share(&[REQUEST], took) <= 205, "{took} ns each");
        assert!(
            share(&[REQUEST, TOOK, STATS], took) <= 205,
            "{took} ns each"
        );
    }
    assert!(share(&[REQUEST], MILLISECOND) >= 160, "but it has that");
}

#[test]
fn who_is_asked_is_not_held_up() {
    let mut budget = Budget::new();
    for i in 0..100_000 {
        budget.pay(&said(&[OFFERED]), 50 * MICROSECOND, i);
        budget.pay(&said(&[TOOK, OFFERED]), 50 * MICROSECOND, i);
    }
    assert_eq!(budget.wait(100_000), 0);
}

#[test]
fn a_quiet_one_may_say_much_at_once() {
    let mut budget = Budget::new();
    let now = 5 * SECOND;
    for _ in 0..500 {
        budget.pay(&said(&[REQUEST]), 20 * MICROSECOND, now);
        assert_eq!(budget.wait(now), 0);
    }
    for _ in 0..500 {
        budget.pay(&said(&[REQUEST]), 20 * MICROSECOND, now);
    }
    let wait = budget.wait(now);
    assert!(wait > 0);
    assert_eq!(
        budget.wait(now + wait),
        0,
        "it is listened to when it has earned enough"
    );
    assert_eq!(Budget::default().wait(0), 0);
}

#[test]
fn time_that_never_ends_is_no_overflow() {
    let mut budget = Budget::new();
    budget.pay(&said(&[]), Nanos::MAX, Nanos::MAX);
    budget.pay(&said(&[]), Nanos::MAX, 0);
    assert!(budget.wait(0) > 0);
    assert_eq!(budget.wait(Nanos::MAX), 0);
}

/// Comes again as soon as it may, for ten seconds, unless it is shut out; returns how often it came.
fn visits(every: Nanos) -> u32 {
    let (mut visits, mut now, mut count) = (Visits::new(), SECOND, 0);
    while now < 11 * SECOND && visits.pay(now) {
        now += every;
        count += 1;
    }
    count
}

#[test]
fn who_comes_and_goes_all_the_time_is_shut_out() {
    assert_eq!(visits(0), 40);
    assert!(visits(20 * MILLISECOND) <= 45);
    assert_eq!(visits(200 * MILLISECOND), 50, "that often it may");
}

#[test]
fn who_is_shut_out_has_not_paid() {
    let mut visits = Visits::new();
    while visits.pay(SECOND) {}
    let shut_out = visits;
    assert!(!visits.pay(SECOND));
    assert_eq!(visits, shut_out);
    assert!(visits.pay(SECOND + 200 * MILLISECOND));
}
