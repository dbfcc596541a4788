// SPDX-License-Identifier: GPL-2.0

//! What may be in an image: what the toolstack restores, which is a megabyte more than it wants.

use cmm::client::{is_restorable, least_left};

const MEGABYTE: i64 = 256;

#[test]
fn lenders_and_the_settled_are_restorable() {
    for balance in [i64::MIN, -MEGABYTE, -1, 0] {
        assert!(is_restorable(balance), "{balance}");
    }
}

#[test]
fn not_all_that_the_toolstack_leaves_may_be_borrowed() {
    assert!(is_restorable(MEGABYTE / 2));
    for balance in [MEGABYTE / 2 + 1, MEGABYTE, i64::MAX] {
        assert!(!is_restorable(balance), "{balance}");
    }
}

#[test]
fn what_can_be_given_back_is_not_left() {
    const KEPT: u64 = 1_024;
    let cases = [
        (500, 0, 0, 500),
        (500, 100, 0, 400),
        (500, 0, KEPT, 500),
        (500, 0, KEPT + 200, 300),
        (500, 100, KEPT + 1_000, 0),
        (-500, 100, KEPT + 1_000, -500),
        (i64::MAX, u64::MAX, u64::MAX, 0),
    ];
    for (balance, ahead, available, left) in cases {
        assert_eq!(least_left(balance, ahead, available), left, "{balance}");
    }
}
