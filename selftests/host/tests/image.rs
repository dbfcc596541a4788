// SPDX-License-Identifier: GPL-2.0

//! What may be in an image: what the toolstack restores, which is a megabyte more than it wants.

use cmm::image::is_restorable;

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
