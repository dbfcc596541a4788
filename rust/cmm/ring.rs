// SPDX-License-Identifier: GPL-2.0

//! The arithmetic of the shared ring.
//!
//! Each side of a lane owns one index. It keeps that index in private memory and only ever publishes it, because
//! the other side can write anywhere in the page at any time. The other side's index is read from the page, once a
//! call, and must lie where an honest peer could have put it. A message is copied out before anybody looks at it.
//!
//! After a push (or several) the shell sends an event; there are no thresholds that suppress events in version 1.

use crate::protocol::layout::{Bytes, Lane};
use crate::protocol::Violation;

/// The shared page, as the shell provides it.
///
/// Offsets are always in range; those of [`read`](Memory::read) and [`write`](Memory::write) are multiples of 64.
pub trait Memory {
    /// Reads an index, ordered before everything that follows (volatile, acquire).
    fn load_acquire(&self, offset: usize) -> u32;

    /// Writes an index, ordered after everything that precedes (volatile, release).
    fn store_release(&self, offset: usize, value: u32);

    /// Copies a message out, reading each byte once.
    fn read(&self, offset: usize, message: &mut Bytes);

    /// Copies a message in.
    fn write(&self, offset: usize, message: &Bytes);
}

/// Why a message was not pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// The consumer has not made room yet.
    Full,
    /// The consumer wrote an impossible index.
    Violation(Violation),
}

/// The side of a lane that puts messages in.
#[derive(Debug)]
pub struct Producer {
    lane: Lane,
    /// Where the next message goes.
    next: u32,
    /// The consumer's index, as last accepted.
    consumed: u32,
}

impl Producer {
    /// For a fresh connection, whose page the front-end has zeroed.
    pub const fn new(lane: Lane) -> Self {
        Self::resume(lane, 0)
    }

    /// For a lane in which `index` messages have been produced and consumed.
    pub const fn resume(lane: Lane, index: u32) -> Self {
        Self {
            lane,
            next: index,
            consumed: index,
        }
    }

    /// How many more messages fit now.
    ///
    /// # Errors
    ///
    /// The consumer wrote an impossible index.
    pub fn room<M: Memory>(&mut self, memory: &M) -> Result<u32, Violation> {
        let found = memory.load_acquire(self.lane.consumer);
        self.consumed = advance(self.consumed, found, self.next)?;
        Ok(self.lane.slots.wrapping_sub(self.next.wrapping_sub(found)))
    }

    /// Whether the consumer has given back the slot of each message.
    ///
    /// # Errors
    ///
    /// The consumer wrote an impossible index.
    pub fn is_drained<M: Memory>(&mut self, memory: &M) -> Result<bool, Violation> {
        Ok(self.room(memory)? == self.lane.slots)
    }

    /// Puts a message in and publishes it.
    ///
    /// # Errors
    ///
    /// The lane is full, or the consumer wrote an impossible index.
    pub fn push<M: Memory>(&mut self, memory: &M, message: &Bytes) -> Result<(), PushError> {
        self.push_leaving(memory, message, 0)
    }

    /// Like [`push`](Self::push), and treats the lane as full unless `free` slots are left afterwards.
    ///
    /// # Errors
    ///
    /// The lane is as good as full, or the consumer wrote an impossible index.
    pub fn push_leaving<M: Memory>(
        &mut self,
        memory: &M,
        message: &Bytes,
        free: u32,
    ) -> Result<(), PushError> {
        if self.room(memory).map_err(PushError::Violation)? <= free {
            return Err(PushError::Full);
        }
        memory.write(self.lane.slot(self.next), message);
        self.next = self.next.wrapping_add(1);
        memory.store_release(self.lane.producer, self.next);
        Ok(())
    }
}

/// The side of a lane that takes messages out.
#[derive(Debug)]
pub struct Consumer {
    lane: Lane,
    /// Which message comes next.
    next: u32,
    /// The producer's index, as last accepted.
    produced: u32,
}

impl Consumer {
    /// For a fresh connection, whose page the front-end has zeroed.
    pub const fn new(lane: Lane) -> Self {
        Self::resume(lane, 0)
    }

    /// For a lane in which `index` messages have been produced and consumed.
    pub const fn resume(lane: Lane, index: u32) -> Self {
        Self {
            lane,
            next: index,
            produced: index,
        }
    }

    /// Takes the next message out, if there is one, and gives its slot back.
    ///
    /// # Errors
    ///
    /// The producer wrote an impossible index.
    pub fn pop<M: Memory>(&mut self, memory: &M) -> Result<Option<Bytes>, Violation> {
        let message = self.read(memory)?;
        if message.is_some() {
            self.done(memory);
        }
        Ok(message)
    }

    /// Copies the next message, if there is one. The producer learns of it by [`done`](Self::done) only.
    ///
    /// # Errors
    ///
    /// The producer wrote an impossible index.
    pub fn read<M: Memory>(&mut self, memory: &M) -> Result<Option<Bytes>, Violation> {
        let found = memory.load_acquire(self.lane.producer);
        let limit = self.next.wrapping_add(self.lane.slots);
        self.produced = advance(self.produced, found, limit)?;
        if found == self.next {
            return Ok(None);
        }
        let mut message = [0; crate::protocol::MESSAGE_SIZE];
        memory.read(self.lane.slot(self.next), &mut message);
        self.next = self.next.wrapping_add(1);
        Ok(Some(message))
    }

    /// Gives the slots of all messages back that were read.
    pub fn done<M: Memory>(&self, memory: &M) {
        memory.store_release(self.lane.consumer, self.next);
    }
}

/// Accepts `found` if it lies in `from..=to`, going round.
fn advance(from: u32, found: u32, to: u32) -> Result<u32, Violation> {
    if found.wrapping_sub(from) <= to.wrapping_sub(from) {
        Ok(found)
    } else {
        Err(Violation::Index { found, from, to })
    }
}
