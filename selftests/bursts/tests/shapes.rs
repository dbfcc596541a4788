// SPDX-License-Identifier: GPL-2.0

//! What is found in needs of a known shape.

use cmm_bursts::notice::{allowed, noticed, noticed_by_poll};
use cmm_bursts::numbers::{correlation, quantile};
use cmm_bursts::rise::{rises, Rise};
use cmm_bursts::series::{Point, Series};
use cmm_bursts::shapes::{file, parse, Generator, Shape};
use cmm_bursts::sharing::share;

const MS: u64 = 1_000;
const MIB: u64 = 256;
const EVERY: u64 = 2 * MS;

/// Of lines from each corner to the next, in ms and MiB, looked at each 2 ms.
fn lines(corners: &[(u64, u64)]) -> Series {
    let mut points = Vec::new();
    for pair in corners.windows(2) {
        let [(from, low), (to, high)] = [pair[0], pair[1]];
        let mut time = from * MS;
        while time < to * MS {
            let part = (time - from * MS) as f64 / ((to - from) * MS) as f64;
            let need = low as f64 + (high as f64 - low as f64) * part;
            points.push(Point {
                time,
                need: (need * MIB as f64) as u64,
            });
            time += EVERY;
        }
    }
    let (end, last) = corners[corners.len() - 1];
    let need = last * MIB;
    points.push(Point {
        time: end * MS,
        need,
    });
    points.dedup_by_key(|point| point.need);
    Series {
        points,
        end: end * MS,
    }
}

/// 100 MiB within a second, two seconds there, and down; twice.
fn trapezoids() -> Series {
    lines(&[
        (0, 50),
        (1_000, 50),
        (2_000, 150),
        (4_000, 150),
        (4_100, 50),
        (6_000, 50),
        (6_500, 150),
        (7_000, 150),
        (7_200, 50),
        (9_000, 50),
    ])
}

fn near(value: u64, wanted: u64, by: u64) -> bool {
    value.abs_diff(wanted) <= by
}

#[test]
fn a_rise_is_as_high_and_as_long_as_it_is() {
    let found = rises(&trapezoids(), EVERY);
    assert_eq!(found.len(), 2, "{found:?}");
    let [first, second] = [found[0], found[1]];
    assert_eq!((first.base, first.height()), (50 * MIB, 100 * MIB));
    assert!(near(first.begin, 1_000 * MS, 2 * EVERY), "{first:?}");
    assert!(near(first.took(), 1_000 * MS, 2 * EVERY), "{first:?}");
    assert!(near(first.held, 2_050 * MS, 2 * EVERY), "{first:?}");
    assert!(near(second.took(), 500 * MS, 2 * EVERY), "{second:?}");
    assert!(near(second.begin - first.peaked, 4_000 * MS, 2 * EVERY));
}

#[test]
fn a_pause_within_a_rise_does_not_end_it() {
    let pause = |ms: u64| {
        let corners = [
            (0, 10),
            (100, 10),
            (200, 30),
            (200 + ms, 30),
            (300 + ms, 50),
            (600 + ms, 50),
        ];
        rises(&lines(&corners), EVERY)
    };
    assert_eq!(pause(300).len(), 1);
    assert_eq!(pause(300)[0].height(), 40 * MIB);
    assert_eq!(pause(700).len(), 2);
    assert_eq!(pause(700)[1].height(), 20 * MIB);
    assert!(near(pause(700)[1].took(), 100 * MS, 2 * EVERY));
}

#[test]
fn what_is_low_or_falls_is_no_rise() {
    assert!(rises(&lines(&[(0, 10), (50, 13), (900, 13)]), EVERY).is_empty());
    assert!(rises(&lines(&[(0, 90), (900, 10)]), EVERY).is_empty());
    assert!(rises(&Series::default(), EVERY).is_empty());
    // Up and down by 3 MiB all the time.
    let saw: Vec<_> = (0..40).map(|i| (i * 50, 20 + i % 2 * 3)).collect();
    assert!(rises(&lines(&saw), EVERY).is_empty());
}

#[test]
fn a_dip_of_less_than_a_quarter_does_not_end_a_rise() {
    let dip = |to| {
        let corners = [
            (0, 10),
            (100, 50),
            (120, to),
            (200, 90),
            (300, 90),
            (310, 10),
            (400, 10),
        ];
        rises(&lines(&corners), EVERY).len()
    };
    assert_eq!(dip(45), 1);
    assert_eq!(dip(30), 2);
}

#[test]
fn steepness_is_the_most_within_a_window() {
    let series = trapezoids();
    assert!(near(series.steepest(100 * MS), 20 * MIB, MIB));
    assert!(near(series.steepest(500 * MS), 100 * MIB, MIB));
    assert!(near(series.steepest(9_000 * MS), 100 * MIB, MIB));
    assert_eq!(series.peak(), 150 * MIB);
    // 1 s + ½ s of rises, 2.5 s at the peak, and the rest, 0.3 s of it falling.
    let mean = (50.0 + (0.75 + 2.5 + 0.15) * 100.0 / 9.0) * MIB as f64;
    assert!(
        (series.mean() - mean).abs() < MIB as f64,
        "{}",
        series.mean()
    );
}

fn allowances(headroom: u64) -> Vec<Option<u64>> {
    let series = trapezoids();
    let found: Vec<Rise> = rises(&series, EVERY);
    let times = found.iter().map(|rise| allowed(rise, &series, headroom));
    times.collect()
}

#[test]
fn the_time_allowed_is_what_the_headroom_lasts_once_the_rise_shows() {
    // 100 MiB/s: 1 MiB shows after 10 ms, 21 MiB are gone after 210.
    let [first, second] = allowances(21 * MIB)[..] else {
        panic!("two rises");
    };
    assert!(near(first.expect("higher"), 200 * MS, 2 * EVERY));
    assert!(near(second.expect("higher"), 100 * MS, 2 * EVERY));
    assert_eq!(allowances(100 * MIB), [None, None]);
    assert!(allowances(0).iter().all(|time| time.expect("any") <= EVERY));
}

#[test]
fn who_is_faster_than_the_time_allowed_is_not_noticed() {
    let times = [10 * MS, 100 * MS, 1_000 * MS, 10_000 * MS];
    assert_eq!(noticed(&times, 10 * MS), 0.0);
    assert_eq!(noticed(&times, 11 * MS), 0.25);
    assert_eq!(noticed(&times, 60_000 * MS), 1.0);
    // Of those that allow 10 and 100 ms, nine of ten are missed by who looks each 100 ms, and none.
    assert!((noticed_by_poll(&times, 100 * MS) - 0.9 / 4.0).abs() < 1e-9);
    assert_eq!(noticed(&[], 1), 0.0);
}

#[test]
fn what_never_comes_together_can_be_shared() {
    let one = lines(&[(0, 0), (100, 100), (200, 100), (201, 0), (1_000, 0)]);
    let alone = share(std::slice::from_ref(&one), 1, 0, 7);
    assert_eq!(alone.sum_of_peaks, 100 * MIB);
    assert!(alone.saved() < 1.0, "{alone:?}");
    let many = share(std::slice::from_ref(&one), 50, 0, 7);
    assert_eq!(many.sum_of_peaks, 5_000 * MIB);
    assert!(many.saved() > 50.0, "{many:?}");
    assert!(many.mean <= many.peak_of_sums as f64);
    let rested = share(&[one], 50, 2, 7);
    assert!((many.mean / rested.mean - 3.0).abs() < 0.1, "{rested:?}");
}

#[test]
fn a_quantile_is_one_of_the_numbers() {
    let numbers: Vec<u64> = (1..=100).collect();
    assert_eq!(quantile(&numbers, 1.0), Some(1));
    assert_eq!(quantile(&numbers, 50.0), Some(50));
    assert_eq!(quantile(&numbers, 100.0), Some(100));
    assert_eq!(quantile(&numbers, 0.0), Some(1));
    assert_eq!(quantile::<u64>(&[], 50.0), None);
}

#[test]
fn correlation_tells_together_from_apart() {
    let one = [1.0, 2.0, 3.0, 4.0];
    assert!((correlation(&one, &[10.0, 20.0, 30.0, 40.0]) - 1.0).abs() < 1e-9);
    assert!((correlation(&one, &[4.0, 3.0, 2.0, 1.0]) + 1.0).abs() < 1e-9);
    assert_eq!(correlation(&one, &[5.0; 4]), 0.0);
}

fn shape(name: &str, height: u64, held: u64) -> Shape {
    Shape {
        name: name.into(),
        base: 20 * MIB,
        height: height * MIB,
        course: [10, 20, 30, 40, 50, 60, 70, 80].map(|ms| ms * MS),
        held: held * MS,
        gap: 900 * MS,
    }
}

#[test]
fn shapes_are_kept() {
    let shapes = [shape("one", 40, 700), shape("other", 8, 20)];
    assert_eq!(parse(&file(&shapes)).expect("shapes"), shapes);
    assert_eq!(parse("# no\none 1 2 3\n"), Err(2));
    assert_eq!(
        parse("one 1 2 1 2 3 4 5 6 8 7 9 9"),
        Err(1),
        "time goes back"
    );
}

#[test]
fn what_is_made_is_like_what_was_kept() {
    let shapes = [
        shape("one", 40, 700),
        shape("one", 120, 700),
        shape("other", 8, 20),
    ];
    let make = |seed| Generator::new(&shapes, "one", seed).expect("it has shapes");
    let series = make(1).series(600_000 * MS);
    assert_eq!(series, make(1).series(600_000 * MS));
    assert_ne!(series, make(2).series(600_000 * MS));
    let found = rises(&series, MS);
    // A rise of 80 ms and 900 ms until the next.
    assert!(near(found.len() as u64, 611, 3), "{}", found.len());
    let mut heights: Vec<_> = found.iter().map(|rise| rise.height() / MIB).collect();
    heights.sort_unstable();
    assert!(heights[0] >= 30 && *heights.last().expect("some") <= 150);
    let low = heights.iter().filter(|height| **height <= 50).count();
    assert!(near(low as u64 * 2, heights.len() as u64, 90), "{low}");
    let whole = &found[..found.len() - 1];
    assert!(whole.iter().all(|rise| near(rise.held, 700 * MS, 10 * MS)));
    assert!(Generator::new(&shapes, "none", 1).is_none());
}
