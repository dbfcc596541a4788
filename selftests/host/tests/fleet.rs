// SPDX-License-Identifier: GPL-2.0

//! The fleet simulation: its parts, and that it tells good managers from bad ones.

use cmm::coordinator::{Nanos, Policy, MILLISECOND, SECOND};
use cmm_host_tests::fleet::balanced::{Balanced, Rule};
use cmm_host_tests::fleet::balancers::{qmemman, self_balloon, squeezed, Known};
use cmm_host_tests::fleet::demand::{mean, total, unavoidable, Bursts, Segment, MIB, SIZE};
use cmm_host_tests::fleet::host::{Host, Manager};
use cmm_host_tests::fleet::ours::Ours;
use cmm_host_tests::fleet::outcome::Outcome;
use cmm_host_tests::fleet::tenant::{Tenant, KEPT};
use cmm_host_tests::random::Random;

/// Rises from 100 to 300 MiB within two seconds, after one, and is over after five.
fn one_burst() -> Vec<Segment> {
    let at = |from, goal, rate: u64, begins| Segment {
        from,
        goal: goal * MIB,
        rate: (rate * MIB) as f64,
        begins,
    };
    vec![
        at(0, 100, 0, false),
        at(SECOND, 300, 100, true),
        at(5 * SECOND, 100, 100, true),
    ]
}

fn live(tenant: &mut Tenant, from: Nanos, to: Nanos) {
    for now in (from..=to).step_by(MILLISECOND as usize) {
        tenant.advance(now);
        tenant.change(now);
    }
}

#[test]
fn who_has_enough_is_never_held_up() {
    let mut tenant = Tenant::new(304 * MIB, 304 * MIB, one_burst());
    live(&mut tenant, 0, 10 * SECOND);
    assert_eq!(tenant.lacked.round(), 0.0);
    let [burst] = tenant.bursts[..] else {
        panic!("one burst");
    };
    assert_eq!((burst.stalled, burst.killed), (0, false));
    assert_eq!(burst.lasted, 4 * SECOND);
    // 10 s of 100 MiB, 2 s of 100 more in the mean, 2 s of 200 more.
    let wanted = (1_000 + 200 + 400) as f64 * MIB as f64;
    assert!((tenant.wanted / wanted - 1.0).abs() < 0.01);
    assert_eq!(tenant.risen, (300 * MIB) as f64);
}

#[test]
fn who_has_too_little_is_held_up_for_as_long() {
    // It has what it takes for one second of the rise, and gets the rest at the third.
    let mut tenant = Tenant::new(200 * MIB + KEPT, 304 * MIB, one_burst());
    live(&mut tenant, 0, SECOND);
    assert_eq!(tenant.gone_at(), Some(2 * SECOND));
    live(&mut tenant, SECOND, 3 * SECOND);
    assert!(tenant.is_held_up());
    tenant.gets(100 * MIB);
    live(&mut tenant, 3 * SECOND, 6 * SECOND);
    let burst = tenant.bursts[0];
    assert!(
        burst.stalled.abs_diff(SECOND) < 10 * MILLISECOND,
        "{burst:?}"
    );
    assert!(burst.killed, "a second is longer than anybody waits");
    // A triangle of a second and 100 MiB, twice: while it is held up, and while it catches up.
    assert!((tenant.lacked / (100 * MIB) as f64 - 1.0).abs() < 0.02);
}

fn known(used: u64, size: u64) -> Known {
    Known {
        used: used * MIB,
        size: size * MIB,
        floor: 256 * MIB,
        ceiling: 4_096 * MIB,
    }
}

#[test]
fn no_rule_shares_out_more_than_there_is() {
    let mut random = Random::new(1);
    for _ in 0..2_000 {
        let count = random.range(1, 12);
        let any = |random: &mut Random| {
            let size = random.range(300, 3_000);
            known(random.range(50, size), size)
        };
        let all: Vec<_> = (0..count).map(|_| any(&mut random)).collect();
        let free = random.range(0, 1_000) * MIB;
        let have = all.iter().map(|known| known.size).sum::<u64>() + free;
        for rule in [qmemman, squeezed] {
            let targets = rule(&all, free);
            assert_eq!(targets.len(), all.len());
            assert!(targets.iter().sum::<u64>() <= have, "{all:?} {free}");
            let fits = |(known, target): (&Known, &u64)| *target <= known.ceiling;
            assert!(all.iter().zip(&targets).all(fits), "{all:?} {free}");
        }
    }
}

#[test]
fn rules_give_to_who_lacks() {
    let all = [known(1_000, 1_050), known(300, 2_000)];
    for rule in [qmemman, squeezed] {
        let targets = rule(&all, 0);
        assert!(
            targets[0] > all[0].size && targets[1] < all[1].size,
            "{targets:?}"
        );
    }
    assert!(self_balloon(&all[0]) > all[0].size);
    let less = self_balloon(&all[1]);
    assert!(
        less < all[1].size && less > 1_700 * MIB,
        "an eighth of the way"
    );
}

/// As at 70 % of a host's memory, on which all could have what they need nearly always.
const BURSTS: Bursts = Bursts {
    base: 40,
    peak: 160,
    calm: 9,
    burst: 3,
};
const END: Nanos = 120 * SECOND;

fn demands(seed: u64) -> Vec<Vec<Segment>> {
    let demand = |dom| BURSTS.demand(SIZE, END, Random::new(seed * 100 + dom));
    (0..8).map(demand).collect()
}

fn play<M: Manager>(mut manager: M, seed: u64, load: f64) -> Outcome {
    let demands = demands(seed);
    let pages = (mean(&total(&demands, END)) * 100.0 / load) as u64;
    let mut host = Host::new(&demands, pages);
    host.run(&mut manager, END);
    host.check(pages);
    Outcome::of(&host)
}

#[test]
fn who_has_all_the_memory_lacks_none() {
    let still = play(Balanced::new(8, Rule::Static, SECOND), 1, 15.0);
    assert_eq!((still.killed, still.stall_p99), (0, 0));
    assert_eq!(still.unmet_pct, 0.0);
    let ours = play(Ours::new(8, Policy::Largest, 0), 1, 15.0);
    assert_eq!((ours.unmet_pct, ours.killed), (0.0, 0));
    assert_eq!(ours.moved_per_demand, 0.0, "nobody has to ask");
}

#[test]
fn the_same_seed_gives_the_same() {
    let ours = || play(Ours::new(8, Policy::Largest, 0), 3, 85.0);
    assert_eq!(ours(), ours());
    assert_ne!(ours(), play(Ours::new(8, Policy::Largest, 0), 4, 85.0));
}

#[test]
fn asking_is_better_than_being_looked_at_each_second_and_not_asking() {
    for seed in 1..4 {
        let ours = play(Ours::new(8, Policy::Largest, 0), seed, 70.0);
        let polled = play(Balanced::new(8, Rule::ForAll(qmemman), SECOND), seed, 70.0);
        let still = play(Balanced::new(8, Rule::Static, SECOND), seed, 70.0);
        let unmet = [ours, polled, still].map(|outcome| outcome.unmet_pct);
        assert!(unmet[0] * 2.0 < unmet[1], "{unmet:?}");
        assert!(unmet[1] * 2.0 < unmet[2], "{unmet:?}");
        assert!(unmet[0] < 1.0, "{unmet:?}");
    }
}

#[test]
fn nobody_does_better_than_is_possible() {
    let demands = demands(5);
    let totals = total(&demands, END);
    for load in [70.0, 95.0, 120.0] {
        let pages = (mean(&totals) * 100.0 / load) as u64;
        let least = unavoidable(&totals, pages);
        let ours = play(Ours::new(8, Policy::Largest, 0), 5, load).unmet_pct;
        assert!(ours + 0.05 >= least, "{load} %: {ours} beside {least}");
    }
}
