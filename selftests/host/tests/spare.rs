// SPDX-License-Identifier: GPL-2.0

//! What a domain can give, and when it says so.

use cmm::client::{is_worth_telling, spare, spare_borrowed, spare_frozen};

const MIB: u64 = 256;

#[test]
fn something_is_always_kept() {
    // Available, total, what can be given.
    for (available, total, given) in [
        (100 * MIB, 200 * MIB, 84 * MIB),
        (16 * MIB, 200 * MIB, 0),
        (0, 200 * MIB, 0),
        (3_000 * MIB, 3_200 * MIB, 2_900 * MIB),
    ] {
        assert_eq!(spare(available, total), given);
    }
}

#[test]
fn what_was_asked_for_goes_back_to_where_the_domain_was_before() {
    // Available, total, available before, what can be given.
    for (available, total, before, given) in [
        // As much as a donor keeps, and no more: a domain that had plenty is not driven lower.
        (100 * MIB, 200 * MIB, 84 * MIB, 84 * MIB),
        (16 * MIB, 200 * MIB, 84 * MIB, 0),
        (3_000 * MIB, 3_200 * MIB, 1_000 * MIB, 2_900 * MIB),
        // It had less than a donor keeps, and gets all of it back.
        (28 * MIB, 92 * MIB, 12 * MIB, 22 * MIB),
        (12 * MIB, 92 * MIB, 12 * MIB, 6 * MIB),
        // It had next to nothing, or nobody knows.
        (20 * MIB, 92 * MIB, 2 * MIB, 16 * MIB),
        (20 * MIB, 92 * MIB, 0, 16 * MIB),
        (3 * MIB, 92 * MIB, 0, 0),
    ] {
        assert_eq!(spare_borrowed(available, total, before), given);
    }
}

#[test]
fn a_frozen_domain_keeps_little() {
    assert_eq!(spare_frozen(100 * MIB), 96 * MIB);
    assert_eq!(spare_frozen(4 * MIB), 0);
    assert_eq!(spare_frozen(0), 0);
}

#[test]
fn small_changes_are_not_worth_a_message() {
    for (spare, reported, told) in [
        (100 * MIB, 100 * MIB, false),
        (101 * MIB, 100 * MIB, false),
        (102 * MIB, 100 * MIB, true),
        (98 * MIB, 100 * MIB, true),
        (1_010 * MIB, 1_000 * MIB, false),
        (980 * MIB, 1_000 * MIB, true),
        (0, 2 * MIB, true),
    ] {
        assert_eq!(
            is_worth_telling(spare, reported),
            told,
            "{spare} {reported}"
        );
    }
}
