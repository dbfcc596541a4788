// SPDX-License-Identifier: GPL-2.0

//! Histograms of phases: each time is counted once, where it belongs.

use cmm::timing::{Histograms, Phase, Stopwatch};

struct Shown(Histograms);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.show(f, "donor")
    }
}

fn shown(times: &[u64]) -> String {
    let mut histograms = Histograms::default();
    for nanos in times {
        let mut stopwatch = Stopwatch::begin(1, 1, 0);
        stopwatch.split(Phase::Map, *nanos);
        histograms.add(&stopwatch);
    }
    Shown(histograms).to_string()
}

#[test]
fn nothing_is_shown_of_what_has_not_been() {
    assert_eq!(shown(&[]), "");
}

#[test]
fn times_are_counted_below_the_next_power_of_two() {
    assert_eq!(
        shown(&[0, 255, 256, 511, 512, 1000]),
        "donor map <256:2 <512:2 <1024:2\n"
    );
}

#[test]
fn what_takes_too_long_is_counted_last() {
    let last = 1u64 << 31;
    assert_eq!(
        shown(&[1 << 30, 1 << 31, u64::MAX]),
        format!("donor map <{last}:3\n")
    );
}
