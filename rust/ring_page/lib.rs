// SPDX-License-Identifier: GPL-2.0

//! The page that holds the ring: what crate `cmm` asks of it, as crate `xen` shares it.
//!
//! Neither of the two knows of the other, and both drivers need the two together.

use cmm::{
    protocol::layout::{
        Bytes,
        Lane,
        DOWN,
        MESSAGE_SIZE,
        PAGE_SIZE,
        UP, //
    },
    ring::Memory, //
};
use core::ops::Deref;
use kernel::sync::{
    atomic::{
        Acquire,
        Release, //
    },
    Arc, //
};
use xen::shared_page::{
    Offset,
    SharedPage,
    SIZE, //
};

/// A message in the machine's words, in which it is copied.
type Message = [u64; MESSAGE_SIZE / 8];

/// The page as indexes, and as messages.
const WORDS: Offset<[u32; SIZE / 4]> = Offset::at::<0>();
const MESSAGES: Offset<[Message; SIZE / MESSAGE_SIZE]> = Offset::at::<0>();

// Crate `cmm` asks for what is in its layout only, and finds each of it at a multiple of its size.
const _: () = {
    const fn lies_well(lane: &Lane) -> bool {
        lane.producer % 4 == 0 && lane.consumer % 4 == 0 && lane.first % MESSAGE_SIZE == 0
    }
    assert!(PAGE_SIZE == SIZE);
    assert!(lies_well(&UP) && lies_well(&DOWN));
};

/// A shared page, granted or mapped, as the ring's memory.
pub struct RingPage<P>(pub Arc<P>);

impl<P: Deref<Target = SharedPage>> Memory for RingPage<P> {
    #[inline]
    fn load_acquire(&self, offset: usize) -> u32 {
        self.0.word(WORDS.element(offset / 4)).load(Acquire)
    }

    #[inline]
    fn store_release(&self, offset: usize, value: u32) {
        self.0.word(WORDS.element(offset / 4)).store(value, Release);
    }

    #[inline]
    fn read(&self, offset: usize, into: &mut Bytes) {
        let words = self.0.read(MESSAGES.element(offset / MESSAGE_SIZE));
        for (chunk, word) in into.chunks_exact_mut(8).zip(words) {
            chunk.copy_from_slice(&word.to_ne_bytes());
        }
    }

    #[inline]
    fn write(&self, offset: usize, from: &Bytes) {
        let mut words: Message = [0; MESSAGE_SIZE / 8];
        for (word, chunk) in words.iter_mut().zip(from.chunks_exact(8)) {
            if let Ok(bytes) = chunk.try_into() {
                *word = u64::from_ne_bytes(bytes);
            }
        }
        self.0.write(MESSAGES.element(offset / MESSAGE_SIZE), words);
    }
}
