// SPDX-License-Identifier: MIT

//! Where everything lies in the shared page.
//!
//! Each index is a little-endian `u32` on a cache line of its own and counts messages since the connection began,
//! wrapping freely; the slot of message `i` is `i % slots`.

/// Bytes in a message, and in the slot that holds it.
pub const MESSAGE_SIZE: usize = 64;

/// A message as it lies in the ring.
pub type Bytes = [u8; MESSAGE_SIZE];

/// Bytes in the shared page.
pub const PAGE_SIZE: usize = 4096;

/// One direction of the ring. Only [`UP`] and [`DOWN`] exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Offset of the producer's index.
    pub producer: usize,
    /// Offset of the consumer's index.
    pub consumer: usize,
    /// Offset of slot 0.
    pub first: usize,
    /// How many slots; a power of two, so that wrapping indexes stay in step with slots.
    pub slots: u32,
}

/// Front-end to back-end.
pub const UP: Lane = Lane {
    producer: 0,
    consumer: 64,
    first: 2048,
    slots: 32,
};

/// Back-end to front-end.
pub const DOWN: Lane = Lane {
    producer: 128,
    consumer: 192,
    first: 1024,
    slots: 16,
};

impl Lane {
    /// Offset of the slot of message `index`.
    pub const fn slot(&self, index: u32) -> usize {
        self.first + (index & (self.slots - 1)) as usize * MESSAGE_SIZE
    }
}

const _: () = {
    assert!(UP.slots.is_power_of_two() && DOWN.slots.is_power_of_two());
    assert!(UP.first + UP.slots as usize * MESSAGE_SIZE == PAGE_SIZE);
    assert!(DOWN.first + DOWN.slots as usize * MESSAGE_SIZE == UP.first);
    assert!(UP.first % MESSAGE_SIZE == 0 && DOWN.first % MESSAGE_SIZE == 0);
};
