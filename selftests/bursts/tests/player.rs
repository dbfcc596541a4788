// SPDX-License-Identifier: GPL-2.0

//! As much is used as is played. By itself in its process, whose memory is looked at.

use std::fs;
use std::thread;
use std::time::Duration;

use cmm_bursts::player::play;
use cmm_bursts::series::{Point, Series};

/// This process's memory that is in use, in pages.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let resident = statm.split_whitespace().nth(1).expect("the second number");
    resident.parse().expect("a number")
}

#[test]
fn as_much_is_used_as_is_played() {
    let point = |time, need| Point { time, need };
    let series = Series {
        points: vec![point(0, 10), point(100_000, 20_000), point(400_000, 100)],
        end: 600_000,
    };
    let before = resident();
    let player = thread::spawn(move || play(&series).expect("there is room"));
    let (mut most, mut last) = (0, 0);
    while !player.is_finished() {
        last = resident().saturating_sub(before);
        most = most.max(last);
        thread::sleep(Duration::from_millis(1));
    }
    let played = player.join().expect("it plays");
    assert!((19_000..22_000).contains(&most), "{most} pages");
    assert!(last < 2_000, "{last} pages");
    assert_eq!(played.stalls.len(), 1);
    assert!(played.took >= played.planned, "{played:?}");
}
