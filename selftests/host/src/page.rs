// SPDX-License-Identifier: GPL-2.0

//! A shared page in plain memory, which checks every offset it is handed.

use std::cell::RefCell;

use cmm::protocol::layout::{Bytes, DOWN, MESSAGE_SIZE, PAGE_SIZE, UP};
use cmm::ring::Memory;

/// A page of the ring.
#[derive(Debug)]
pub struct Page(pub RefCell<[u8; PAGE_SIZE]>);

impl Default for Page {
    fn default() -> Self {
        Self::new([0; PAGE_SIZE])
    }
}

impl Page {
    /// A page with this in it.
    pub fn new(bytes: [u8; PAGE_SIZE]) -> Self {
        Self(RefCell::new(bytes))
    }

    fn index(offset: usize) -> std::ops::Range<usize> {
        assert!([UP.producer, UP.consumer, DOWN.producer, DOWN.consumer].contains(&offset));
        offset..offset + 4
    }

    fn slot(offset: usize) -> std::ops::Range<usize> {
        assert!(offset % MESSAGE_SIZE == 0 && (DOWN.first..PAGE_SIZE).contains(&offset));
        offset..offset + MESSAGE_SIZE
    }
}

impl Memory for Page {
    fn load_acquire(&self, offset: usize) -> u32 {
        let bytes = self.0.borrow()[Self::index(offset)].try_into();
        u32::from_le_bytes(bytes.expect("four bytes"))
    }

    fn store_release(&self, offset: usize, value: u32) {
        self.0.borrow_mut()[Self::index(offset)].copy_from_slice(&value.to_le_bytes());
    }

    fn read(&self, offset: usize, message: &mut Bytes) {
        message.copy_from_slice(&self.0.borrow()[Self::slot(offset)]);
    }

    fn write(&self, offset: usize, message: &Bytes) {
        self.0.borrow_mut()[Self::slot(offset)].copy_from_slice(message);
    }
}
