// SPDX-License-Identifier: GPL-2.0

//! The stopwatch: no time is lost, and none is counted twice.

use cmm::laps::{Lap, Laps, Phase};
use proptest::prelude::*;

fn phase() -> impl Strategy<Value = Phase> {
    (0..Phase::ALL.len()).prop_map(|i| Phase::ALL[i].0)
}

fn run(mut laps: Laps, mut now: u64, events: &[(Phase, u64)]) -> (Laps, u64) {
    for (phase, spent) in events {
        now += spent;
        laps.lap(*phase, now);
    }
    (laps, now)
}

fn sum(laps: &Laps) -> u64 {
    laps.phases().map(|(_, lap)| u64::from(lap.spent)).sum()
}

struct Shown<'a>(&'a Laps, Option<i64>);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.show(f, format_args!("donor"), self.1)
    }
}

#[test]
fn phases_are_numbered_as_they_are_listed() {
    for (i, (phase, _)) in Phase::ALL.iter().enumerate() {
        assert_eq!(*phase as usize, i);
    }
}

#[test]
fn a_phase_adds_its_laps_up() {
    let mut laps = Laps::begin(7, 16, 100);
    laps.lap(Phase::Allocate, 110);
    laps.lap(Phase::Unmap, 111);
    laps.lap(Phase::Allocate, 131);
    let spent = |spent, until| Lap { spent, until };
    assert_eq!(
        laps.phases().collect::<Vec<_>>(),
        [
            (Phase::Allocate, spent(30, 31)),
            (Phase::Unmap, spent(1, 11))
        ]
    );
}

#[test]
fn what_is_shown() {
    let mut laps = Laps::begin(7, 16, 100);
    laps.lap(Phase::Allocate, 130);
    assert_eq!(
        Shown(&laps, Some(-30)).to_string(),
        "donor 7 16 70 allocate 30 30\n"
    );
    assert_eq!(
        Shown(&laps, None).to_string(),
        "donor 7 16 0 allocate 30 30\n"
    );
}

#[test]
fn what_takes_too_long_is_said_to_be_long() {
    let mut laps = Laps::begin(7, 16, 0);
    laps.lap(Phase::Donors, u64::MAX);
    let (_, lap) = laps.phases().next().unwrap();
    assert_eq!((lap.spent, lap.until), (u32::MAX, u32::MAX));
}

proptest! {
    #[test]
    fn phases_add_up(
        began in 0..1u64 << 50,
        events in prop::collection::vec((phase(), 0..1u64 << 26), 0..50),
    ) {
        let (laps, ended) = run(Laps::begin(1, 1, began), began, &events);
        prop_assert_eq!(laps.total(), ended - began);
        prop_assert_eq!(sum(&laps), laps.total());
    }

    #[test]
    fn a_clock_that_goes_backwards_costs_nothing(
        times in prop::collection::vec((phase(), 0..1u64 << 31), 0..50),
    ) {
        let mut laps = Laps::begin(1, 1, 1 << 30);
        for (phase, now) in times {
            laps.lap(phase, now);
        }
        prop_assert_eq!(sum(&laps), laps.total());
    }

    #[test]
    fn joined_laps_add_up(
        first in prop::collection::vec((phase(), 0..1u64 << 26), 0..20),
        gap in 0..1u64 << 26,
        second in prop::collection::vec((phase(), 0..1u64 << 26), 0..20),
    ) {
        let (mut laps, ended) = run(Laps::begin(1, 1, 5), 5, &first);
        let (turn, last) = run(Laps::begin(0, 0, ended + gap), ended + gap, &second);
        laps.join(Phase::Donors, &turn);
        prop_assert_eq!(laps.total(), last - 5);
        prop_assert_eq!(sum(&laps), laps.total());
        let ends = laps.phases().map(|(_, lap)| lap.until).max();
        prop_assert!(u64::from(ends.unwrap_or(0)) <= laps.total().max(1));
    }

    #[test]
    fn a_turn_is_the_beginning_of_what_it_began(
        events in prop::collection::vec((phase(), 0..1u64 << 26), 0..20),
    ) {
        let (turn, _) = run(Laps::begin(0, 0, 9), 9, &events);
        let mut laps = turn.again(4, 2);
        laps.join(Phase::Donors, &turn);
        let phases = |laps: &Laps| laps.phases().collect::<Vec<_>>();
        prop_assert_eq!(phases(&laps), phases(&turn));
    }
}
