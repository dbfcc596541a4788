// SPDX-License-Identifier: GPL-2.0

//! What the lab's domains play, and what they say of it.

use cmm::coordinator::{MILLISECOND, SECOND};
use cmm_host_tests::fleet::demand::{mean, total, Segment, MIB};
use cmm_host_tests::fleet::tenant::Burst;
use cmm_host_tests::lab::account::Shared;
use cmm_host_tests::lab::case::{demands, loads, ALWAYS, CEILING, DOMAINS, HOST};
use cmm_host_tests::lab::memory::Memory;
use cmm_host_tests::lab::player::Part;
use cmm_host_tests::lab::report::{beside, outcome, Said};

#[test]
fn the_mean_demand_is_the_load() {
    let end = 20 * SECOND;
    for load in loads() {
        for seed in 1..4 {
            let all = demands(load, seed, end).expect("it is played");
            assert_eq!(all.len(), DOMAINS);
            let found = mean(&total(&all, end)) * 100.0 / HOST as f64;
            assert!(
                (found - f64::from(load)).abs() < 1.0,
                "{found}, and {load} % wanted"
            );
            for segment in all.iter().flatten() {
                assert!((ALWAYS..CEILING).contains(&segment.goal));
            }
        }
    }
    assert_eq!(demands(50, 1, end), None);
}

/// From 100 to 300 MiB above what always runs within two seconds, after one; over after five.
fn part() -> Part {
    let at = |from, goal, rate: u64, begins| Segment {
        from: from * SECOND,
        goal: ALWAYS + goal * MIB,
        rate: (rate * MIB) as f64,
        begins,
    };
    Part {
        start: 0,
        end: 10 * SECOND,
        segments: vec![
            at(0, 100, 0, false),
            at(1, 300, 100, true),
            at(5, 100, 100, true),
        ],
    }
}

#[test]
fn what_was_missing_is_counted() {
    let part = part();
    let mut account = Shared::new().expect("there is room");
    account.change(&part.segments[0]);
    account.passed(ALWAYS + 100 * MIB, SECOND);
    assert_eq!(account.lacked, 0.0);
    account.change(&part.segments[1]);
    // 200 MiB were wanted in the mean for two seconds, and 150 were there.
    account.passed(ALWAYS + 150 * MIB, 3 * SECOND);
    assert_eq!(account.lacked, (2 * 50 * MIB) as f64);
    account.passed(ALWAYS + 300 * MIB, 5 * SECOND);
    account.change(&part.segments[2]);
    account.passed(ALWAYS + 100 * MIB, 10 * SECOND);
    assert_eq!(account.lacked, (2 * 50 * MIB) as f64);
    assert_eq!(
        account.wanted,
        (10 * ALWAYS + (100 + 400 + 600 + 500) * MIB) as f64
    );
    assert_eq!(account.risen, (ALWAYS + 300 * MIB) as f64);
    let lasted = 4 * SECOND;
    assert_eq!(
        account.bursts(),
        [Burst {
            lasted,
            ..Burst::default()
        }]
    );
}

#[test]
fn a_burst_stalls_for_pages_that_took_long_and_when_it_was_killed() {
    let part = part();
    let mut account = Shared::new().expect("there is room");
    account.touched(50 * MILLISECOND);
    account.change(&part.segments[1]);
    account.touched(9 * MILLISECOND);
    account.touched(30 * MILLISECOND);
    account.was_killed(2 * SECOND, 5 * SECOND);
    account.change(&part.segments[2]);
    assert_eq!((account.killed, account.longest), (1, 50 * MILLISECOND));
    let [burst] = account.bursts() else {
        panic!("one burst");
    };
    assert!(burst.killed);
    assert_eq!(burst.stalled, 3 * SECOND + 30 * MILLISECOND);
}

#[test]
fn whoever_is_killed_goes_on_when_the_burst_would_be_over() {
    let part = Part {
        // It began a second and a half ago, as far as whole seconds can say.
        start: std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970")
            .as_secs()
            - 1,
        ..part()
    };
    let mut account = Shared::new().expect("there is room");
    account.change(&part.segments[1]);
    account.segment = 1;
    assert!(part.killed(&mut account));
    assert_eq!(account.segment, 2);
    assert!(!part.killed(&mut account));
}

#[test]
fn memory_is_used_page_by_page() {
    let mut memory = Memory::new(1_000);
    assert_eq!(memory.used(), 0);
    for _ in 0..600 {
        memory.touch().expect("there is room");
    }
    assert_eq!(memory.used(), 600);
    for pages in [513, 512, 300, 256, 1, 0] {
        memory.shrink(pages);
        assert_eq!(memory.used(), pages);
    }
}

#[test]
fn what_is_said_is_understood() {
    let said = Said {
        available: 1,
        moved: 2,
        refaults: 3,
        reclaims: 4,
        waited_us: 5,
        wanted: 600.0,
        lacked: 7.0,
        risen: 8.0,
        killed: 1,
        longest: 10,
        kills: vec![30],
        had: vec![(0, 500), (20, 400), (40, 300)],
        bursts: vec![
            Burst {
                lasted: 100,
                stalled: 50,
                killed: true,
            },
            Burst {
                lasted: 100,
                ..Burst::default()
            },
        ],
    };
    assert_eq!(Said::parse(&said.to_string()), Ok(said.clone()));
    assert_eq!(Said::parse("moved 1\nlost 3\n"), Err("lost 3".into()));
    assert_eq!(Said::parse("burst 1 2\n"), Err("burst 1 2".into()));
    assert_eq!(beside(&[said.clone(), said.clone(), said.clone()]), 800);
    let all = outcome(&[said.clone(), said]);
    assert_eq!((all.bursts, all.killed), (4, 2));
    assert_eq!((all.stall_p50, all.stall_p99), (0, 50));
    assert_eq!((all.time_ratio, all.moved_per_demand), (1.25, 0.25));
}
