// SPDX-License-Identifier: GPL-2.0

//! The ring, in a page that the other side scribbles on.

use cmm::protocol::layout::{Lane, DOWN, PAGE_SIZE, UP};
use cmm::protocol::MESSAGE_SIZE;
use cmm::ring::{Consumer, Producer};
use cmm_host_tests::page::Page;

use crate::input::Input;
use crate::messages::message;

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
pub(crate) fn scribble(page: &Page, lane: Lane, input: &mut Input<'_>) {
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

/// Puts bytes where anybody may.
pub(crate) fn write(page: &Page, offset: usize, bytes: &[u8]) {
    for (byte, place) in bytes.iter().zip(&mut page.0.borrow_mut()[offset..]) {
        *place = *byte;
    }
}
