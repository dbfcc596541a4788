// SPDX-License-Identifier: GPL-2.0

//! The stopwatch: no time is lost, and none is counted twice.

use cmm::timing::{Phase, Span, Stopwatch};
use proptest::prelude::*;

fn phase() -> impl Strategy<Value = Phase> {
    (0..Phase::ALL.len()).prop_map(|i| Phase::ALL[i].0)
}

fn run(mut stopwatch: Stopwatch, mut now: u64, events: &[(Phase, u64)]) -> (Stopwatch, u64) {
    for (phase, spent) in events {
        now += spent;
        stopwatch.split(*phase, now);
    }
    (stopwatch, now)
}

fn sum(stopwatch: &Stopwatch) -> u64 {
    stopwatch
        .phases()
        .map(|(_, span)| u64::from(span.spent))
        .sum()
}

struct Shown<'a>(&'a Stopwatch, Option<i64>);

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
fn a_phase_adds_its_spans_up() {
    let mut stopwatch = Stopwatch::begin(7, 16, 100);
    stopwatch.split(Phase::Allocate, 110);
    stopwatch.split(Phase::Unmap, 111);
    stopwatch.split(Phase::Allocate, 131);
    let spent = |spent, until| Span { spent, until };
    assert_eq!(
        stopwatch.phases().collect::<Vec<_>>(),
        [
            (Phase::Allocate, spent(30, 31)),
            (Phase::Unmap, spent(1, 11))
        ]
    );
}

#[test]
fn what_is_shown() {
    let mut stopwatch = Stopwatch::begin(7, 16, 100);
    stopwatch.split(Phase::Allocate, 130);
    assert_eq!(
        Shown(&stopwatch, Some(-30)).to_string(),
        "donor 7 16 70 allocate 30 30\n"
    );
    assert_eq!(
        Shown(&stopwatch, None).to_string(),
        "donor 7 16 0 allocate 30 30\n"
    );
}

#[test]
fn what_takes_too_long_is_said_to_be_long() {
    let mut stopwatch = Stopwatch::begin(7, 16, 0);
    stopwatch.split(Phase::Donors, u64::MAX);
    let (_, span) = stopwatch.phases().next().unwrap();
    assert_eq!((span.spent, span.until), (u32::MAX, u32::MAX));
}

proptest! {
    #[test]
    fn phases_add_up(
        began in 0..1u64 << 50,
        events in prop::collection::vec((phase(), 0..1u64 << 26), 0..50),
    ) {
        let (stopwatch, ended) = run(Stopwatch::begin(1, 1, began), began, &events);
        prop_assert_eq!(stopwatch.total(), ended - began);
        prop_assert_eq!(sum(&stopwatch), stopwatch.total());
    }

    #[test]
    fn a_clock_that_goes_backwards_costs_nothing(
        times in prop::collection::vec((phase(), 0..1u64 << 31), 0..50),
    ) {
        let mut stopwatch = Stopwatch::begin(1, 1, 1 << 30);
        for (phase, now) in times {
            stopwatch.split(phase, now);
        }
        prop_assert_eq!(sum(&stopwatch), stopwatch.total());
    }

    #[test]
    fn joined_spans_add_up(
        first in prop::collection::vec((phase(), 0..1u64 << 26), 0..20),
        gap in 0..1u64 << 26,
        second in prop::collection::vec((phase(), 0..1u64 << 26), 0..20),
    ) {
        let (mut stopwatch, ended) = run(Stopwatch::begin(1, 1, 5), 5, &first);
        let (turn, last) = run(Stopwatch::begin(0, 0, ended + gap), ended + gap, &second);
        stopwatch.join(Phase::Donors, &turn);
        prop_assert_eq!(stopwatch.total(), last - 5);
        prop_assert_eq!(sum(&stopwatch), stopwatch.total());
        let ends = stopwatch.phases().map(|(_, span)| span.until).max();
        prop_assert!(u64::from(ends.unwrap_or(0)) <= stopwatch.total().max(1));
    }

    #[test]
    fn a_turn_is_the_beginning_of_what_it_began(
        events in prop::collection::vec((phase(), 0..1u64 << 26), 0..20),
    ) {
        let (turn, _) = run(Stopwatch::begin(0, 0, 9), 9, &events);
        let mut stopwatch = turn.again(4, 2);
        stopwatch.join(Phase::Donors, &turn);
        let phases = |stopwatch: &Stopwatch| stopwatch.phases().collect::<Vec<_>>();
        prop_assert_eq!(phases(&stopwatch), phases(&turn));
    }
}
