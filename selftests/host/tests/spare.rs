// SPDX-License-Identifier: GPL-2.0

//! What a domain can give, and when it says so.

use cmm::client::{is_worth_telling, spare, spare_frozen};

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
