// SPDX-License-Identifier: MIT

//! Reading and writing the fields of a message, in order.

use super::{is_coordinator_id, is_frontend_id, Bytes, Violation, MAX_PAGES, MESSAGE_SIZE};

/// Takes fields off the front of a message.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a Bytes) -> Self {
        Self(bytes)
    }

    // No body is longer than a message, so that the fallback to zeroes below is never taken.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((head, rest)) => {
                self.0 = rest;
                *head
            }
            None => [0; N],
        }
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    /// A number of pages, perhaps none.
    pub(super) fn pages(&mut self) -> Result<u64, Violation> {
        match self.u64() {
            pages if pages <= MAX_PAGES => Ok(pages),
            pages => Err(Violation::Pages(pages)),
        }
    }

    /// A number of pages, at least one.
    pub(super) fn some_pages(&mut self) -> Result<u64, Violation> {
        match self.pages()? {
            0 => Err(Violation::Pages(0)),
            pages => Ok(pages),
        }
    }

    /// The rest must be zero, so that a later version can give it a meaning.
    pub(super) fn end(self) -> Result<(), Violation> {
        // Words first: it is most of a message.
        let words = self.0.chunks_exact(8);
        let is_tail_zero = words.remainder().iter().all(|byte| *byte == 0);
        let is_zero = |word: &[u8]| {
            word.try_into()
                .is_ok_and(|word| u64::from_ne_bytes(word) == 0)
        };
        if is_tail_zero && words.into_iter().all(is_zero) {
            Ok(())
        } else {
            Err(Violation::Padding)
        }
    }
}

pub(super) fn frontend_id(id: u32) -> Result<u32, Violation> {
    is_frontend_id(id).then_some(id).ok_or(Violation::Id(id))
}

pub(super) fn coordinator_id(id: u32) -> Result<u32, Violation> {
    is_coordinator_id(id).then_some(id).ok_or(Violation::Id(id))
}

pub(super) fn no_id(id: u32) -> Result<(), Violation> {
    (id == 0).then_some(()).ok_or(Violation::Id(id))
}

/// Puts fields one after the other into a message of zeroes.
pub(super) struct Writer {
    bytes: Bytes,
    at: usize,
}

impl Writer {
    pub(super) fn new(kind: u32, id: u32) -> Self {
        Self {
            bytes: [0; MESSAGE_SIZE],
            at: 0,
        }
        .u32(kind)
        .u32(id)
    }

    // No body is longer than a message: the field always fits.
    fn put<const N: usize>(mut self, value: [u8; N]) -> Self {
        let room = self.bytes.get_mut(self.at..).unwrap_or_default();
        if let Some(field) = room.first_chunk_mut::<N>() {
            *field = value;
            self.at += N;
        }
        self
    }

    pub(super) fn u32(self, value: u32) -> Self {
        self.put(value.to_le_bytes())
    }

    pub(super) fn u64(self, value: u64) -> Self {
        self.put(value.to_le_bytes())
    }

    pub(super) fn end(self) -> Bytes {
        self.bytes
    }
}
