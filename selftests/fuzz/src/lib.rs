// SPDX-License-Identifier: GPL-2.0

//! What is fuzzed: each function takes any bytes, and panics if the crate does something it must not.

mod coordinator;
mod input;

use cmm::coordinator::{Record, Settings};
use cmm::protocol::layout::{Bytes, Lane, DOWN, PAGE_SIZE, UP};
use cmm::protocol::{Down, Up, MESSAGE_SIZE};
use cmm::ring::{Consumer, Producer};
use cmm_host_tests::page::Page;

pub use coordinator::coordinator;
use input::Input;

/// A target's name, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 4] = [
    ("messages", messages),
    ("ring", ring),
    ("record", record),
    ("coordinator", coordinator),
];

/// A message: decoding refuses it, or encoding gives the same bytes again.
pub fn messages(data: &[u8]) {
    for chunk in data.chunks(MESSAGE_SIZE) {
        let mut bytes: Bytes = [0; MESSAGE_SIZE];
        bytes[..chunk.len()].copy_from_slice(chunk);
        message(&bytes);
    }
}

fn message(bytes: &Bytes) {
    match Up::decode(bytes) {
        Ok(up) => assert_eq!(up.encode(), *bytes),
        Err(violation) => assert!(!violation.to_string().is_empty()),
    }
    match Down::decode(bytes) {
        Ok(down) => assert_eq!(down.encode(), *bytes),
        Err(violation) => assert!(!violation.to_string().is_empty()),
    }
}

/// A whole page that the other side scribbles on while this side uses it. [`Page`] checks every offset.
pub fn ring(data: &[u8]) {
    let mut input = Input(data);
    let page = Page::default();
    let (up_at, down_at) = (input.u32(), input.u32());
    let mut producers = [Producer::resume(UP, up_at), Producer::resume(DOWN, down_at)];
    let mut consumers = [Consumer::resume(UP, up_at), Consumer::resume(DOWN, down_at)];
    for (lane, at) in [(UP, up_at), (DOWN, down_at)] {
        write(&page, lane.producer, &at.to_le_bytes());
        write(&page, lane.consumer, &at.to_le_bytes());
    }
    while !input.is_empty() {
        let which = usize::from(input.u8() % 2);
        let lane = [UP, DOWN][which];
        match input.u8() % 4 {
            0 => scribble(&page, lane, &mut input),
            1 => {
                let offset = usize::from(input.u16()) % PAGE_SIZE;
                write(&page, offset, &input.u64().to_le_bytes());
            }
            2 => {
                let free = u32::from(input.u8());
                if producers[which]
                    .push_leaving(&page, &[input.u8(); MESSAGE_SIZE], free)
                    .is_ok()
                {
                    let room = producers[which]
                        .room(&page)
                        .expect("the index did not move");
                    assert!((free..lane.slots).contains(&room));
                }
            }
            _ => {
                let mut popped = 0;
                while let Ok(Some(bytes)) = consumers[which].pop(&page) {
                    message(&bytes);
                    popped += 1;
                    assert!(popped <= lane.slots, "more messages than fit");
                }
            }
        }
    }
}

/// Moves an index of a lane a little, or anywhere.
fn scribble(page: &Page, lane: Lane, input: &mut Input<'_>) {
    let offset = if input.u8() % 2 == 0 {
        lane.producer
    } else {
        lane.consumer
    };
    let old = page.0.borrow()[offset..offset + 4].try_into();
    let old = u32::from_le_bytes(old.expect("four bytes"));
    let new = match input.u8() {
        255 => input.u32(),
        near => old.wrapping_add(u32::from(near)).wrapping_sub(8),
    };
    write(page, offset, &new.to_le_bytes());
}

fn write(page: &Page, offset: usize, bytes: &[u8]) {
    for (byte, place) in bytes.iter().zip(&mut page.0.borrow_mut()[offset..]) {
        *place = *byte;
    }
}

/// What is written down: parsing refuses it, or what is written again means the same.
pub fn record(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    if let Some(record) = Record::parse(text) {
        assert_eq!(Record::parse(&record.to_string()), Some(record));
    }
    if let Some(settings) = Settings::parse(text) {
        assert_eq!(Settings::parse(&settings.to_string()), Some(settings));
    }
}
