// SPDX-License-Identifier: GPL-2.0

//! How much is fetched ahead.

use cmm::client::{Readahead, IDLE};
use cmm::time::{Nanos, SECOND};
use proptest::prelude::*;

const LIMIT: u64 = 512;
const START: Nanos = 1000 * SECOND;

#[test]
fn a_single_request_fetches_what_it_asks_for() {
    let mut ahead = Readahead::new(LIMIT);
    assert_eq!(ahead.miss(16, START), 16);
    assert_eq!(ahead.miss(16, START + 2 * IDLE), 16);
}

#[test]
fn requests_in_a_row_fetch_more_and_more_up_to_the_limit() {
    let mut ahead = Readahead::new(LIMIT);
    let fetched: Vec<u64> = (0..5).map(|i| ahead.miss(16, START + i)).collect();
    assert_eq!(fetched, [16, 64, 256, 512, 512]);
}

#[test]
fn what_is_met_at_hand_keeps_the_row_going() {
    let mut ahead = Readahead::new(LIMIT);
    ahead.miss(16, START);
    ahead.hit(START + IDLE);
    assert!(!ahead.is_idle(START + 2 * IDLE));
    assert_eq!(ahead.miss(16, START + 2 * IDLE), 64);
}

#[test]
fn a_limit_of_nothing_fetches_nothing_ahead() {
    let mut ahead = Readahead::new(LIMIT);
    ahead.miss(16, START);
    ahead.set_limit(0);
    assert_eq!(ahead.miss(16, START), 16);
    assert_eq!(ahead.miss(16, START), 16);
}

proptest! {
    #[test]
    fn never_fewer_than_asked_for_and_never_beyond_the_limit(
        limit in 0..2 * LIMIT,
        requests in prop::collection::vec((1..4 * LIMIT, 0..2 * IDLE), 1..50),
    ) {
        let mut ahead = Readahead::new(limit);
        let mut now = START;
        for (pages, pause) in requests {
            now += pause;
            let fetched = ahead.miss(pages, now);
            prop_assert!(fetched >= pages);
            prop_assert!(fetched <= pages.max(limit));
        }
    }
}
