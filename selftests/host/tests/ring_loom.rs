// SPDX-License-Identifier: GPL-2.0

//! The ring under every interleaving and reordering that the memory model allows.

use cmm::protocol::layout::{Bytes, Lane, MESSAGE_SIZE};
use cmm::ring::{Consumer, Memory, Producer};
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::Arc;
use loom::thread;

/// A lane of two slots, so that loom can try everything.
const SMALL: Lane = Lane {
    producer: 0,
    consumer: 64,
    first: 2048,
    slots: 2,
};

/// How many messages pass: enough for a slot to be used again.
const MESSAGES: u32 = 3;

/// Indexes, and the first and last word of each slot; the words are relaxed, as bytes of a shared page are.
struct Shared {
    publish: Ordering,
    producer: AtomicU32,
    consumer: AtomicU32,
    slots: [[AtomicU32; 2]; 2],
}

impl Shared {
    fn new(publish: Ordering) -> Self {
        let word = || AtomicU32::new(0);
        Self {
            publish,
            producer: word(),
            consumer: word(),
            slots: [[word(), word()], [word(), word()]],
        }
    }

    fn index(&self, offset: usize) -> &AtomicU32 {
        if offset == SMALL.producer {
            &self.producer
        } else {
            &self.consumer
        }
    }

    fn slot(&self, offset: usize) -> &[AtomicU32; 2] {
        &self.slots[(offset - SMALL.first) / MESSAGE_SIZE]
    }
}

impl Memory for Shared {
    fn load_acquire(&self, offset: usize) -> u32 {
        self.index(offset).load(Ordering::Acquire)
    }

    fn store_release(&self, offset: usize, value: u32) {
        self.index(offset).store(value, self.publish);
    }

    fn read(&self, offset: usize, message: &mut Bytes) {
        let [first, last] = self.slot(offset);
        message[..4].copy_from_slice(&first.load(Ordering::Relaxed).to_le_bytes());
        message[60..].copy_from_slice(&last.load(Ordering::Relaxed).to_le_bytes());
    }

    fn write(&self, offset: usize, message: &Bytes) {
        let [first, last] = self.slot(offset);
        let word = |range: std::ops::Range<usize>| {
            u32::from_le_bytes(message[range].try_into().expect("a word"))
        };
        first.store(word(0..4), Ordering::Relaxed);
        last.store(word(60..64), Ordering::Relaxed);
    }
}

fn numbered(number: u32) -> Bytes {
    let mut bytes = [0; MESSAGE_SIZE];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[60..].copy_from_slice(&number.to_le_bytes());
    bytes
}

fn pass_messages(publish: Ordering) {
    loom::model(move || {
        let shared = Arc::new(Shared::new(publish));
        let theirs = shared.clone();
        let producing = thread::spawn(move || {
            let mut producer = Producer::new(SMALL);
            for number in 1..=MESSAGES {
                while producer.push(&*theirs, &numbered(number)).is_err() {
                    thread::yield_now();
                }
            }
        });
        let mut consumer = Consumer::new(SMALL);
        for number in 1..=MESSAGES {
            let message = loop {
                match consumer.pop(&*shared).expect("an honest peer") {
                    Some(message) => break message,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(message, numbered(number), "torn, early or lost");
        }
        producing.join().expect("the producer ends");
    });
}

#[test]
fn messages_arrive_whole_and_in_order() {
    pass_messages(Ordering::Release);
}

/// Shows that the test above can fail: without release, the index overtakes the message.
#[test]
#[should_panic(expected = "torn, early or lost")]
fn a_ring_without_release_is_caught() {
    pass_messages(Ordering::Relaxed);
}
