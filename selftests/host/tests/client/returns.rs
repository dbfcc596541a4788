// SPDX-License-Identifier: GPL-2.0

//! What goes back: readahead, what is released, and what is settled.

use super::*;

#[test]
fn what_was_read_ahead_is_used_first_and_given_up_when_nobody_asks() {
    let mut guest = Guest::open();
    let ahead = Holdings {
        readahead: 50,
        ..has(50)
    };
    let way = guest.client.request(&wish(50), &ahead, NOW);
    assert_eq!(way, Ok(Way::Readahead));
    assert!(!guest.client.is_untidy(&ahead, true, NOW + IDLE));
    assert!(guest.client.is_untidy(&ahead, true, NOW + IDLE + 1));
    guest.client.set_readahead_limit(0);
    assert!(guest.client.is_untidy(&ahead, false, NOW));
}

#[test]
fn nothing_is_released_that_was_not_borrowed() {
    let mut guest = Guest::open();
    let refused = guest.client.release(11, &has(10)).err();
    assert_eq!(refused, Some(Refusal::NotBorrowed));
    let ticket = guest.client.release(10, &has(10)).expect("borrowed");
    assert_eq!(guest.client.released(ticket, 10), Ok(()));
    assert!(matches!(
        guest.hear_all()[..],
        [Up::Release { pages: 10, .. }]
    ));
}

#[test]
fn a_domain_settles_as_it_stands() {
    assert_eq!(plan(&has(0)), None);
    assert_eq!(plan(&has(7)), Some(Step::Release(7)));
    assert_eq!(plan(&has(-7)), Some(Step::TakeBack(7)));
    let plenty = 1 << 20;
    let frozen = |balance, stage| plan_frozen(&has(balance), plenty, stage);
    assert_eq!(frozen(700, Stage::Open), Ok(Some(Step::Release(700))));
    assert_eq!(frozen(700, Stage::Opening), Ok(None));
    assert_eq!(frozen(700, Stage::Closed), Ok(Some(Step::GiveUnheard(700))));
    assert_eq!(
        plan_frozen(&has(700), 0, Stage::Open),
        Err(700),
        "it could not be restored"
    );
    assert_eq!(take_again(700, 100), 0);
    assert_eq!(take_again(700, 600), 100);
}
