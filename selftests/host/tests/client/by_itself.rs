// SPDX-License-Identifier: GPL-2.0

//! What a domain wants without anybody asking for it.

use super::*;

#[test]
fn it_makes_itself_as_large_as_its_ceiling_lets_it_and_only_when_it_can_ask() {
    assert_eq!(Guest::default().client.room_by_itself(&has(0)), 0);
    let mut guest = Guest::open();
    let (floor, ceiling) = (0, 2_500);
    guest.tell(&Down::Limits { floor, ceiling }, NOW);
    assert_eq!(guest.client.room_by_itself(&has(0)), 500);
    assert_eq!(guest.client.room_by_itself(&has(600)), 0);
    guest.client.set_suspending(true);
    assert_eq!(guest.client.room_by_itself(&has(0)), 0);
}

#[test]
fn a_domain_about_to_be_saved_takes_only_what_somebody_asked_for() {
    let mut guest = Guest::open();
    let epoch = guest.client.epoch();
    let reasons = [
        RequestReason::Manual,
        RequestReason::Automatic,
        RequestReason::Emergency,
    ];
    let may = |guest: &Guest, epoch| reasons.map(|reason| guest.client.may_take(epoch, reason));
    assert_eq!(may(&guest, epoch), [true; 3]);
    assert_eq!(may(&guest, epoch + 1), [false; 3]);
    guest.client.set_suspending(true);
    assert_eq!(may(&guest, epoch), [true, false, false]);
}

#[test]
fn what_it_lent_is_all_it_asks_for() {
    for (own, sent) in [(true, [100, 100]), (false, [100, 400])] {
        let mut guest = Guest::open();
        let asked = [(); 2].map(|()| {
            let wish = Wish::by_itself(100, own);
            let way = guest.client.request(&wish, &has(-100), NOW);
            assert!(matches!(way, Ok(Way::Dom0(_))), "{way:?}");
            match guest.hear() {
                Some(Up::Request { pages, reason, .. }) => (pages, reason),
                other => panic!("{other:?}"),
            }
        });
        // The second in a row for what is not its own reads ahead.
        assert_eq!(asked, sent.map(|pages| (pages, RequestReason::Automatic)));
    }
}
