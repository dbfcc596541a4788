// SPDX-License-Identifier: GPL-2.0

//! Short runs of the simulator, and proof that it would notice a broken coordinator.

use std::panic::{catch_unwind, AssertUnwindSafe};

use cmm::coordinator::SECOND;
use cmm_host_tests::crowd::{Crowd, Plan};
use cmm_host_tests::mistake::{Mistake, Pending};

/// Panics with the numbers that show it again.
fn simulate(seed: u64, domains: u16, events: u64) {
    let plan = Plan {
        seed,
        domains,
        events,
    };
    let run = catch_unwind(|| {
        let mut crowd = Crowd::new(plan);
        crowd.run(|_| {});
        crowd.finish();
        assert!(crowd.sim.world.granted > 0, "nothing happened");
    });
    assert!(
        run.is_ok(),
        "a rule is broken: make simulate SEED={seed} DOMAINS={domains} EVENTS={events}"
    );
}

#[test]
fn a_few_domains_for_long() {
    for seed in 1..9 {
        simulate(seed, 12, 150_000);
    }
}

#[test]
fn a_thousand_domains() {
    for seed in 1..3 {
        simulate(seed, 1_000, 200_000);
    }
}

#[test]
fn ten_thousand_domains() {
    simulate(1, 10_000, 40_000);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut crowd = Crowd::new(Plan {
            seed: 7,
            domains: 50,
            events: 20_000,
        });
        crowd.run(|_| {});
        let world = &crowd.sim.world;
        (world.now, world.sent, world.granted, world.free)
    };
    assert_eq!(run(), run());
}

#[test]
fn mistakes_are_noticed() {
    let cases = [
        (Mistake::NoAnswer, "is overdue"),
        (Mistake::TwoAnswers, "answered without being open"),
        (Mistake::GrantsTooMuch, "for the wrong reason"),
        (Mistake::IgnoresFloor, "below its floor"),
        (Mistake::ForgetsCap, "cap "),
        (Mistake::LendsTooMuch, "of credit too many"),
    ];
    for (mistake, complaint) in cases {
        let run = catch_unwind(AssertUnwindSafe(|| {
            let mut crowd = Crowd::new(Plan {
                seed: 2,
                domains: 50,
                events: 200_000,
            });
            crowd.sim.world.mistake = Pending(Some((5 * SECOND, mistake)));
            crowd.run(|_| {});
        }));
        let Err(panic) = run else {
            panic!("{mistake:?} was not noticed");
        };
        let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(said.contains(complaint), "{mistake:?}: {said}");
    }
}
