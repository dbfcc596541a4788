// SPDX-License-Identifier: GPL-2.0

//! What a domain can give, and when it says so.

use cmm::client::{
    holds, is_worth_telling, on_demand, spare, spare_borrowed, spare_frozen, Bound, Memory, Promise,
};
use cmm::protocol::Urgency;
use cmm::time::SECOND;

const MIB: u64 = 256;

fn memory(available: u64, total: u64) -> Memory {
    Memory {
        total,
        available,
        ..Memory::default()
    }
}

#[test]
fn something_is_always_kept() {
    // Available, total, what can be given.
    for (available, total, given) in [
        (100 * MIB, 200 * MIB, 84 * MIB),
        (16 * MIB, 200 * MIB, 0),
        (0, 200 * MIB, 0),
        (3_000 * MIB, 3_200 * MIB, 2_950 * MIB),
    ] {
        assert_eq!(spare(&memory(available, total)), given);
    }
}

#[test]
fn what_is_borrowed_and_urgently_demanded_is_given_down_to_a_quarter() {
    use Urgency::{Background, Normal, Urgent};
    // Available, borrowed, how urgent it is, what can be given of 200 MiB, and what is kept.
    for (available, borrowed, urgency, spare, keeps) in [
        (100 * MIB, 100 * MIB, Urgent, 96 * MIB, 4 * MIB),
        (14 * MIB, 100 * MIB, Urgent, 10 * MIB, 4 * MIB),
        (4 * MIB, 100 * MIB, Urgent, 0, 16 * MIB),
        // No more than is borrowed, and what is its own as ever.
        (14 * MIB, 3 * MIB, Urgent, 3 * MIB, 4 * MIB),
        (100 * MIB, 84 * MIB, Urgent, 84 * MIB, 16 * MIB),
        (14 * MIB, 0, Urgent, 0, 16 * MIB),
        (14 * MIB, 100 * MIB, Normal, 0, 16 * MIB),
        (100 * MIB, 100 * MIB, Background, 84 * MIB, 16 * MIB),
    ] {
        let found = on_demand(&memory(available, 200 * MIB), borrowed, urgency);
        assert_eq!(found, Bound { spare, keeps });
    }
    let large = on_demand(&memory(3_000 * MIB, 3_200 * MIB), u64::MAX, Urgent);
    assert_eq!(large.keeps, 12 * MIB + MIB / 2);
}

#[test]
fn what_nobody_could_have_is_not_given() {
    // Free for movable pages only, the page cache, protected, what can be given of 100 MiB.
    for (movable_only, cache, protected, given) in [
        (30 * MIB, 0, 0, 54 * MIB),
        (0, 40 * MIB, 30 * MIB, 54 * MIB),
        // What else is protected does not count as available in the first place.
        (0, 40 * MIB, 300 * MIB, 44 * MIB),
        (30 * MIB, 40 * MIB, 40 * MIB, 14 * MIB),
        (70 * MIB, 40 * MIB, 40 * MIB, 0),
    ] {
        let memory = Memory {
            movable_only,
            cache,
            protected,
            ..memory(100 * MIB, 200 * MIB)
        };
        assert_eq!(spare(&memory), given);
        assert_eq!(
            spare_borrowed(&memory, 0),
            (given + 12 * MIB).min(memory.givable().saturating_sub(4 * MIB))
        );
    }
}

#[test]
fn what_a_kernel_would_promise_is_what_it_said_less_what_was_promised_and_given_since() {
    let mut promise = Promise::default();
    assert!(!promise.covers(0, 0, 0), "nobody asked");

    let asked_at = 5 * SECOND;
    promise = Promise::new(1_000, 70_000, asked_at);
    promise.gave(100);
    // More, promised by now, since, whether it would.
    for (more, committed, since, would) in [
        (900, 70_000, 0, true),
        (901, 70_000, 0, false),
        (400, 70_500, 0, true),
        (401, 70_500, 0, false),
        (1_000, 69_900, 0, true),
        (1, 71_000, 0, false),
        (900, 70_000, SECOND - 1, true),
        (1, 70_000, SECOND, false),
        (u64::MAX, 70_000, 0, false),
    ] {
        assert_eq!(
            promise.covers(more, committed, asked_at + since),
            would,
            "{more} {committed}"
        );
    }
}

#[test]
fn what_was_asked_for_goes_back_to_where_the_domain_was_before() {
    // Available, total, available before, what can be given.
    for (available, total, before, given) in [
        // As much as a donor and no more: a domain that had plenty is not driven lower.
        (100 * MIB, 200 * MIB, 84 * MIB, 84 * MIB),
        (16 * MIB, 200 * MIB, 84 * MIB, 0),
        (3_000 * MIB, 3_200 * MIB, 1_000 * MIB, 2_950 * MIB),
        // It had less than a donor and gets all of it back.
        (28 * MIB, 92 * MIB, 12 * MIB, 22 * MIB),
        (12 * MIB, 92 * MIB, 12 * MIB, 6 * MIB),
        // It had next to nothing, or nobody knows.
        (20 * MIB, 92 * MIB, 2 * MIB, 16 * MIB),
        (20 * MIB, 92 * MIB, 0, 16 * MIB),
        (3 * MIB, 92 * MIB, 0, 0),
    ] {
        assert_eq!(spare_borrowed(&memory(available, total), before), given);
    }
}

#[test]
fn who_must_reclaim_what_it_gives_holds_what_it_keeps() {
    // Free, for movable pages only, given, kept, held.
    for (free, movable_only, pages, keeps, held) in [
        (100 * MIB, 0, 84 * MIB, 16 * MIB, 0),
        (100 * MIB, 1, 84 * MIB, 16 * MIB, 16 * MIB),
        (100 * MIB - 1, 0, 84 * MIB, 16 * MIB, 16 * MIB),
        (0, 0, 1, 4 * MIB, 4 * MIB),
        (0, 0, 1, 0, 0),
        (1_000 * MIB, 0, 8 * MIB, 2_000 * MIB, 0),
        (70 * MIB, 0, 8 * MIB, 2_000 * MIB, 64 * MIB),
        (0, u64::MAX, u64::MAX, u64::MAX, 64 * MIB),
    ] {
        let memory = Memory {
            free,
            movable_only,
            ..memory(3_000 * MIB, 3_200 * MIB)
        };
        assert_eq!(holds(&memory, pages, keeps), held, "{free} {pages}");
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
