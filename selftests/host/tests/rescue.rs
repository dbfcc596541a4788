// SPDX-License-Identifier: GPL-2.0

//! What is asked for before a process is killed.

use cmm::client::{Attempt, Rescues, Try};
use cmm::protocol::RequestReason;
use cmm::time::{Nanos, MILLISECOND};

const START: Nanos = 1_000_000 * MILLISECOND;
const MIB: u64 = 256;

fn begin() -> Attempt {
    Rescues::new().begin(START).expect("nothing has failed yet")
}

/// All it asks for before it waits if it gets nothing, each after `each`, in a domain with that much room.
fn steps(room: u64, each: Nanos) -> Vec<(u64, u64)> {
    let mut attempt = begin();
    let steps = (0..10).map_while(|n| attempt.next(room, START + n * each));
    let wishes = steps.map_while(|step| match step {
        Try::Ask(wish) => Some(wish),
        Try::Wait(_) => None,
    });
    wishes
        .map(|wish| {
            assert_eq!(wish.reason, RequestReason::Emergency);
            (wish.pages / MIB, wish.deadline_us)
        })
        .collect()
}

#[test]
fn when_nobody_has_any_the_least_is_asked_for_again_until_time_is_up() {
    let mut attempt = begin();
    let mut now = START;
    let mut asked = Vec::new();
    while let Some(step) = attempt.next(u64::MAX, now) {
        match step {
            Try::Ask(wish) => asked.push((wish.pages / MIB, (now - START) / MILLISECOND)),
            Try::Wait(nanos) => now += nanos,
        }
    }
    let again = (1..=9).map(|n| (1, 30 * n));
    let expected: Vec<_> = [(16, 0), (4, 0), (1, 0)].into_iter().chain(again).collect();
    assert_eq!(asked, expected);
}

#[test]
fn less_and_less_is_asked_for_and_all_of_it_has_one_deadline() {
    let millisecond = MILLISECOND;
    assert_eq!(
        steps(u64::MAX, 10 * millisecond),
        [(16, 300_000), (4, 290_000), (1, 280_000)]
    );
    // The first took all the time there was.
    assert_eq!(steps(u64::MAX, 296 * millisecond), [(16, 300_000)]);
    assert_eq!(
        steps(u64::MAX, 295 * millisecond),
        [(16, 300_000), (4, 5_000)]
    );
}

#[test]
fn what_there_is_no_room_for_is_not_asked_for() {
    assert_eq!(
        steps(16 * MIB, 0),
        [(16, 300_000), (4, 300_000), (1, 300_000)]
    );
    assert_eq!(steps(16 * MIB - 1, 0), [(4, 300_000), (1, 300_000)]);
    assert_eq!(steps(MIB, 0), [(1, 300_000)]);
    assert_eq!(steps(MIB - 1, 0), []);
}

#[test]
fn what_has_come_meanwhile_counts_once() {
    let mut rescues = Rescues::new();
    assert_eq!(rescues.take_came(), 0);
    rescues.came(100);
    rescues.came(20);
    assert_eq!((rescues.take_came(), rescues.take_came()), (120, 0));
}

#[test]
fn who_found_nothing_does_not_look_again_at_once() {
    let mut rescues = Rescues::new();
    rescues.ended(0, START);
    assert_eq!((rescues.rescued, rescues.failed), (0, 1));
    assert!(rescues.begin(START + 99 * MILLISECOND).is_none());
    assert!(rescues.begin(START + 100 * MILLISECOND).is_some());
    rescues.ended(0, START + 100 * MILLISECOND);
    assert!(rescues.begin(START + 199 * MILLISECOND).is_none());
    assert!(rescues.begin(START + 200 * MILLISECOND).is_some());
    // Whoever finds something may look again at once.
    rescues.ended(256, START + 200 * MILLISECOND);
    assert!(rescues.begin(START + 200 * MILLISECOND).is_some());
    assert_eq!((rescues.rescued, rescues.failed), (1, 2));
}
