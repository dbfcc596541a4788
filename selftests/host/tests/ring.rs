// SPDX-License-Identifier: GPL-2.0

//! The ring's arithmetic, alone and against a peer that writes whatever it likes.

use std::collections::VecDeque;

use cmm::protocol::layout::{Bytes, Lane, DOWN, MESSAGE_SIZE, PAGE_SIZE, UP};
use cmm::protocol::{Down, RequestReason, Up, Violation, MAX_ASKS, MAX_REQUESTS};
use cmm::ring::{Consumer, Memory, Producer, PushError};
use cmm_host_tests::page::Page;
use proptest::prelude::*;

fn numbered(number: u32) -> Bytes {
    let mut bytes = [0; MESSAGE_SIZE];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes
}

#[test]
fn fills_and_empties() {
    for lane in [UP, DOWN] {
        let page = Page::default();
        let mut producer = Producer::new(lane);
        let mut consumer = Consumer::new(lane);
        assert_eq!(consumer.pop(&page), Ok(None));
        for number in 0..lane.slots {
            assert_eq!(producer.push(&page, &numbered(number)), Ok(()));
        }
        assert_eq!(producer.push(&page, &numbered(99)), Err(PushError::Full));
        for number in 0..lane.slots {
            assert_eq!(consumer.pop(&page), Ok(Some(numbered(number))));
        }
        assert_eq!(consumer.pop(&page), Ok(None));
    }
}

#[test]
fn lanes_do_not_touch_each_other() {
    let page = Page::default();
    let mut up = Producer::new(UP);
    let mut down = Producer::new(DOWN);
    while up.push(&page, &numbered(1)).is_ok() {}
    while down.push(&page, &numbered(2)).is_ok() {}
    let mut consumer = Consumer::new(UP);
    while let Ok(Some(message)) = consumer.pop(&page) {
        assert_eq!(message, numbered(1));
    }
}

#[test]
fn a_front_ends_answers_fit_behind_whatever_else_it_says() {
    let request = Up::Request {
        id: 1,
        pages: 1,
        deadline_us: 0,
        reason: RequestReason::Manual,
    };
    let report = Up::Stats {
        available: 0,
        size: 0,
        total_ram: 0,
    };
    let answers = [
        Up::Offered { id: 1, pages: 0 },
        Up::Took { id: 1, pages: 0 },
    ];
    let others = [
        request,
        report,
        Up::Release { id: 1, pages: 1 },
        Up::Drew { id: 1, pages: 1 },
    ];
    for other in others {
        let page = Page::default();
        let mut producer = Producer::new(UP);
        let mut say = |up: &Up| producer.push_leaving(&page, &up.encode(), up.leaves_free());
        while say(&other).is_ok() {}
        // A report leaves room for requests, too.
        if other == report {
            for _ in 0..MAX_REQUESTS {
                assert_eq!(say(&request), Ok(()));
            }
        }
        for answer in answers.iter().cycle().take(MAX_REQUESTS + MAX_ASKS) {
            assert_eq!(say(answer), Ok(()), "{other:?}");
        }
    }
}

#[test]
fn what_dom0_says_unasked_leaves_room_for_answers_and_demands() {
    let unasked = [
        Down::Limits {
            floor: 1,
            ceiling: 2,
        },
        Down::Credit { pages: 1 },
    ];
    for message in unasked {
        let page = Page::default();
        let mut producer = Producer::new(DOWN);
        let mut say =
            |down: &Down| producer.push_leaving(&page, &down.encode(), down.leaves_free());
        while say(&message).is_ok() {}
        let give = Down::Give { id: 1, pages: 1 };
        for _ in 0..MAX_REQUESTS + MAX_ASKS {
            assert_eq!(say(&give), Ok(()), "{message:?}");
        }
        assert_eq!(say(&give), Err(PushError::Full), "{message:?}");
    }
}

#[test]
fn leaves_slots_free_when_told() {
    let page = Page::default();
    let mut producer = Producer::new(DOWN);
    for _ in 0..4 {
        assert_eq!(producer.push_leaving(&page, &numbered(0), 12), Ok(()));
    }
    assert_eq!(
        producer.push_leaving(&page, &numbered(0), 12),
        Err(PushError::Full)
    );
    assert_eq!(producer.push(&page, &numbered(0)), Ok(()));
}

#[test]
fn impossible_indexes_are_refused() {
    let violates = |result| matches!(result, Err(Violation::Index { .. }));
    for start in [0, u32::MAX - 3, 1 << 31] {
        let page = Page::default();
        // The producer is ahead by more than the ring has.
        page.store_release(UP.producer, start.wrapping_add(UP.slots + 1));
        assert!(violates(Consumer::resume(UP, start).pop(&page)));
        // It is behind.
        page.store_release(UP.producer, start.wrapping_sub(1));
        assert!(violates(Consumer::resume(UP, start).pop(&page)));
        // It takes back what it had published.
        page.store_release(UP.producer, start.wrapping_add(5));
        let mut consumer = Consumer::resume(UP, start);
        assert!(consumer.pop(&page).is_ok());
        page.store_release(UP.producer, start.wrapping_add(4));
        assert!(violates(consumer.pop(&page)));
        // The consumer took what was not there.
        page.store_release(UP.consumer, start.wrapping_add(1));
        let pushed = Producer::resume(UP, start).push(&page, &numbered(0));
        assert!(matches!(pushed, Err(PushError::Violation(_))));
        // It is behind.
        page.store_release(UP.consumer, start.wrapping_sub(1));
        let pushed = Producer::resume(UP, start).push(&page, &numbered(0));
        assert!(matches!(pushed, Err(PushError::Violation(_))));
    }
}

#[test]
fn a_message_keeps_its_slot_until_it_is_done_with() {
    let page = Page::default();
    let mut producer = Producer::new(UP);
    let mut consumer = Consumer::new(UP);
    assert_eq!(producer.is_drained(&page), Ok(true));
    assert_eq!(producer.push(&page, &numbered(1)), Ok(()));
    assert_eq!(producer.push(&page, &numbered(2)), Ok(()));
    assert_eq!(consumer.read(&page), Ok(Some(numbered(1))));
    assert_eq!(producer.room(&page), Ok(UP.slots - 2));
    consumer.done(&page);
    assert_eq!(producer.room(&page), Ok(UP.slots - 1));
    assert_eq!(consumer.read(&page), Ok(Some(numbered(2))));
    assert_eq!(producer.is_drained(&page), Ok(false));
    consumer.done(&page);
    assert_eq!(producer.is_drained(&page), Ok(true));
    page.store_release(UP.consumer, 3);
    assert!(producer.is_drained(&page).is_err());
}

#[test]
fn own_index_in_the_page_is_never_believed() {
    let page = Page::default();
    let mut producer = Producer::new(UP);
    let mut consumer = Consumer::new(UP);
    assert_eq!(producer.push(&page, &numbered(1)), Ok(()));
    page.store_release(UP.consumer, 1);
    assert_eq!(consumer.pop(&page), Ok(Some(numbered(1))));
    page.store_release(UP.producer, 77);
    assert_eq!(producer.push(&page, &numbered(2)), Ok(()));
    assert_eq!(consumer.pop(&page), Ok(Some(numbered(2))));
}

fn lane() -> impl Strategy<Value = Lane> {
    prop_oneof![Just(UP), Just(DOWN)]
}

proptest! {
    /// Like a queue of bounded length, wherever the indexes start.
    #[test]
    fn is_a_queue(lane in lane(), start in any::<u32>(), pushes in prop::collection::vec(any::<bool>(), 0..200)) {
        let page = Page::default();
        for index in [lane.producer, lane.consumer] {
            page.store_release(index, start);
        }
        let mut producer = Producer::resume(lane, start);
        let mut consumer = Consumer::resume(lane, start);
        let mut queue = VecDeque::new();
        for (number, push) in pushes.iter().enumerate() {
            if *push {
                let message = numbered(number as u32);
                if queue.len() < lane.slots as usize {
                    prop_assert_eq!(producer.push(&page, &message), Ok(()));
                    queue.push_back(message);
                } else {
                    prop_assert_eq!(producer.push(&page, &message), Err(PushError::Full));
                }
            } else {
                prop_assert_eq!(consumer.pop(&page), Ok(queue.pop_front()));
            }
        }
    }

    /// A peer that writes the whole page at random gets messages read or a violation; the page checks each offset.
    #[test]
    fn survives_any_page(
        start in any::<u32>(),
        garbage in prop::collection::vec(any::<u8>(), PAGE_SIZE),
        near in prop::collection::vec((0..4usize, 0..70u32), 0..40),
    ) {
        let page = Page::new(garbage.try_into().expect("a page"));
        let mut up = Consumer::resume(UP, start);
        let mut down = Producer::resume(DOWN, start);
        let mut popped = 0;
        for (which, offset) in near {
            let index = [UP.producer, UP.consumer, DOWN.producer, DOWN.consumer][which];
            page.store_release(index, start.wrapping_add(offset).wrapping_sub(2));
            for _ in 0..=UP.slots {
                match up.pop(&page) {
                    Ok(Some(_)) => popped += 1,
                    Ok(None) | Err(_) => break,
                }
            }
            for _ in 0..=DOWN.slots {
                if down.push(&page, &numbered(0)).is_err() {
                    break;
                }
            }
        }
        prop_assert!(popped <= 70);
    }
}
