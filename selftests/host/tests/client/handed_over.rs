// SPDX-License-Identifier: GPL-2.0

//! What one driver leaves to the next.

use super::*;

#[test]
fn what_cannot_have_been_left_is_not_believed() {
    // Balance, deferred, whether a domain of 1000 frames could have left it.
    for (balance, deferred, possible) in [
        (0, 0, true),
        (1_000, 0, true),
        (1_001, 0, false),
        (-1_000, 0, true),
        (-1_001, 0, false),
        (-600, 400, true),
        (-600, 401, false),
        (0, 1_000, true),
        // Who borrows defers nothing.
        (1, 1, false),
        (0, u64::MAX, false),
        (-1, u64::MAX, false),
        (i64::MIN, 0, false),
        (i64::MIN, u64::MAX, false),
        (i64::MAX, 0, false),
    ] {
        let left = HandedOver { balance, deferred };
        assert_eq!(left.is_possible(1_000), possible, "{balance} {deferred}");
    }
}

#[test]
fn no_more_is_lent_again_than_is_lacking_still_or_can_be_spared() {
    // Left, above the target, spare, taken back.
    for (balance, above, spare, back) in [
        (0, 0, 0, 0),
        // The balloon driver had no luck yet: nothing has to be given.
        (-500, -500, 0, -500),
        (-500, -700, 0, -500),
        (-500, -200, 0, -200),
        (-500, -200, 100, -300),
        (-500, 0, 499, -499),
        (-500, 0, 500, -500),
        (-500, 30, 10, -10),
        (-500, i64::MIN, 0, -500),
        (-500, i64::MAX, u64::MAX, -500),
        // Of what was borrowed, the balloon driver has the rest.
        (500, 0, 0, 500),
    ] {
        let left = HandedOver {
            balance,
            deferred: 7,
        };
        let wanted = HandedOver {
            balance: back,
            deferred: 7,
        };
        assert_eq!(left.bounded(above, spare), wanted, "{balance} {above}");
    }
}
