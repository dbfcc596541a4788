// SPDX-License-Identifier: GPL-2.0

//! What a domain could have given before it borrowed.

use super::*;

#[test]
fn what_has_moved_since_somebody_looked_counts() {
    let mut givable = Givable::new();
    assert_eq!(givable.before(500), 0);
    givable.moved(5);
    givable.begin(500, NOW, || 70);
    assert_eq!(givable.before(500), 70, "nobody has looked");

    // Found while it had borrowed 1000, which it then gave back.
    givable.found(1_100, 500, NOW);
    assert_eq!(givable.before(500), 70, "it has not begun again");
    givable.moved(-1_000);
    givable.begin(500, NOW, || unreachable!("somebody has looked"));
    assert_eq!(givable.before(500), 100);
    // What comes is not what it had before.
    givable.moved(500);
    assert_eq!(givable.before(500), 100);
    givable.moved(-1_000);
    givable.begin(500, NOW, || unreachable!("somebody has looked"));
    assert_eq!(givable.before(500), 0);
    // Nobody looks any more.
    givable.found(0, 500, NOW);
    givable.moved(5);
    givable.begin(500, NOW, || 80);
    assert_eq!(givable.before(500), 80);
}

#[test]
fn what_the_toolstack_has_taken_since_is_not_to_be_had_again() {
    let mut givable = Givable::new();
    givable.begin(1_000, NOW, || 70);
    // Of its own now, what it could have given then.
    for (own, before) in [(2_000, 70), (1_000, 70), (960, 30), (930, 0), (0, 0)] {
        assert_eq!(givable.before(own), before, "{own}");
    }
}

#[test]
fn what_was_seen_of_a_domain_that_has_slept_since_is_old() {
    let mut givable = Givable::new();
    for (later, before) in [(2 * INTERVAL, 70), (2 * INTERVAL + 1, 90)] {
        givable.found(70, 500, NOW);
        givable.begin(500, NOW + later, || 90);
        assert_eq!(givable.before(500), before);
    }
}

#[test]
fn what_the_toolstack_takes_after_somebody_looked_was_not_there_before() {
    let mut givable = Givable::new();
    givable.found(70, 1_000, NOW);
    // The balloon driver has taken forty of them meanwhile.
    givable.begin(960, NOW, || unreachable!("somebody has looked"));
    assert_eq!(givable.before(960), 30);
}
