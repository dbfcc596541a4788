// SPDX-License-Identifier: GPL-2.0

//! Whose cap it is, and how long somebody is left alone: the parts, each by itself.

use cmm::backoff::Backoff;
use cmm::coordinator::{Cap, Reservation, Uncertain};

use super::*;

/// Nothing is under way.
const CERTAIN: Uncertain = Uncertain {
    reclaiming: 0,
    in_flight: 0,
};

/// What Xen says.
fn found(current: u64, maximum: u64) -> Reservation {
    Reservation { current, maximum }
}

/// The cap of a domain of 2000 pages, with what our part in it is.
fn known(ours: i64) -> Cap {
    let mut cap = Cap::new(2_000);
    cap.heard(found(2_000, 2_256), 0, CERTAIN);
    cap.retarget(2_000, found(2_000, 2_256), 0, CERTAIN);
    cap.set(2_256u64.saturating_add_signed(ours));
    cap
}

#[test]
fn each_case_of_whose_cap_it_is() {
    let target = |pages| Some(pages);
    // Our part; the new target, if any; the cap that Xen has; the cap that is due then.
    let cases = [
        ("nobody has touched it", 0, None, 2_256, 2_256),
        ("nor with our part in it", 100, None, 2_356, 2_356),
        ("another is the toolstack's", 0, None, 3_256, 3_256),
        ("and gets our part", 100, None, 3_256, 3_356),
        ("a lender's, too", -100, None, 1_256, 1_156),
        ("with its target", 100, target(3_000), 3_256, 3_356),
        ("the very same as ours", 100, target(2_100), 2_356, 2_456),
        ("the target alone", 0, target(2_500), 2_256, 2_256),
        ("downwards as well", 0, target(1_900), 2_256, 2_256),
        ("with our part in it", 100, target(2_500), 2_356, 2_356),
        ("the same target again", 100, target(2_000), 2_356, 2_356),
    ];
    for (case, ours, target, maximum, due) in cases {
        let mut cap = known(ours);
        let size = 2_000u64.saturating_add_signed(ours);
        match target {
            Some(target) => cap.retarget(target, found(size, maximum), ours, CERTAIN),
            None => cap.heard(found(size, maximum), ours, CERTAIN),
        }
        assert_eq!(cap.due(ours), due, "{case}");
    }
}

#[test]
fn a_cap_that_was_the_very_same_as_ours_is_known_after_ours_has_moved() {
    // The first would have come with the cap that we had set; nobody ever set one for the second.
    for (target, due) in [(2_100, 2_256), (2_800, 2_156)] {
        // It has borrowed 100 when the toolstack sets its cap, and gives 200 back before the target is heard of.
        let mut cap = known(100);
        cap.heard(found(2_100, 2_356), 100, CERTAIN);
        cap.set(2_156);
        cap.retarget(target, found(1_900, 2_156), -100, CERTAIN);
        assert_eq!(cap.due(-100), due, "{target}");
    }
}

#[test]
fn a_cap_that_came_before_its_target_is_not_another() {
    let mut cap = known(100);
    // Not with the margin that it added before.
    cap.heard(found(2_100, 3_000), 100, CERTAIN);
    assert_eq!(cap.due(100), 3_100);
    cap.set(3_100);
    cap.retarget(2_900, found(2_100, 3_100), 100, CERTAIN);
    assert_eq!(cap.due(100), 3_100);
}

#[test]
fn who_is_made_smaller_may_be_above_its_cap_for_a_while() {
    let mut cap = known(100);
    cap.heard(found(2_100, 1_256), 100, CERTAIN);
    assert_eq!((cap.due(100), cap.most(100)), (1_356, 2_356));
    // What is forgiven is taken from that first, and from the cap then.
    cap.forgive(900);
    assert_eq!((cap.due(100), cap.most(100)), (1_356, 1_456));
    cap.forgive(150);
    assert_eq!((cap.due(100), cap.most(100)), (1_306, 1_306));
    assert_eq!(cap.forgiven(), 50);
    // Until the toolstack says something else.
    cap.set(1_306);
    cap.heard(found(1_300, 2_256), 100, CERTAIN);
    assert_eq!((cap.due(100), cap.forgiven()), (2_356, 0));
}

#[test]
fn a_cap_is_the_same_after_it_was_written_down() {
    let mut cap = known(100);
    cap.heard(found(2_100, 1_256), 100, CERTAIN);
    cap.forgive(1_050);
    let mut record = Record::default();
    cap.record(&mut record);
    let mut again = Cap::recalled(&record);
    assert_eq!(again.due(100), cap.due(100));
    assert_eq!(again.most(100), cap.most(100));
    for cap in [&mut cap, &mut again] {
        cap.retarget(1_000, found(1_300, 1_256), 100, CERTAIN);
    }
    assert_eq!(again.due(100), cap.due(100));
}

#[test]
fn who_disappoints_again_and_again_is_left_alone_for_longer_each_time() {
    let mut backoff = Backoff::default();
    assert!(backoff.is_over(0));
    let mut pauses = Vec::new();
    for now in (1..=20).map(|n| n * 1_000 * SECOND) {
        backoff.fail(now);
        assert!(!backoff.is_over(backoff.until() - 1) && backoff.is_over(backoff.until()));
        pauses.push((backoff.until() - now) / MILLISECOND);
    }
    assert_eq!(pauses[..4], [100, 200, 400, 800]);
    assert_eq!(
        pauses[9..],
        [51_200, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000]
    );
    // What was begun lasts; the next is a first one.
    let until = backoff.until();
    backoff.succeed();
    assert_eq!((backoff.until(), backoff.failures()), (until, 0));
    backoff.fail(until);
    assert_eq!(backoff.until(), until + 100 * MILLISECOND);
    backoff.wait_until(until);
    assert_eq!(backoff.until(), until + 100 * MILLISECOND);
}

#[test]
fn what_is_in_flight_to_a_lender_is_no_room_that_it_has_used() {
    // It lent 300, is given 1 back, and has 2000 all the same: its stock balloon got the rest, under a new cap.
    let mut cap = known(-299);
    let uncertain = Uncertain {
        reclaiming: 0,
        in_flight: 1,
    };
    cap.heard(found(2_000, 2_299), -299, uncertain);
    assert_eq!((cap.due(-299), cap.most(-299)), (2_000, 2_001));
}
