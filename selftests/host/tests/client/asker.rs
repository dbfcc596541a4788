// SPDX-License-Identifier: GPL-2.0

//! What a program holds that asks for itself.

use super::*;

fn holds(pages: u64) -> Asker {
    let mut asker = Asker::default();
    asker.got(pages);
    asker
}

#[test]
fn nobody_gives_back_what_it_does_not_hold() {
    let asker = holds(10);
    assert_eq!(asker.gives_back(11, &has(1_000)), None);
    assert_eq!(asker.gives_back(10, &has(1_000)), Some(10));
    // Somebody else has given most of it back.
    assert_eq!(asker.gives_back(10, &has(4)), Some(4));
    assert_eq!(asker.gives_back(10, &has(-5)), Some(0));
}

#[test]
fn what_the_kernel_cannot_spare_is_held_still() {
    let mut asker = holds(10);
    asker.gave_back(6, &has(94));
    assert_eq!(asker.held(), 4);
    asker.got(3);
    assert_eq!(asker.held(), 7);
    asker.gave_back(0, &has(5));
    assert_eq!(asker.held(), 5, "there is no more");
}
