// SPDX-License-Identifier: GPL-2.0

//! Liars: real front-ends, but what they write is not what Dom0 reads.

use std::collections::VecDeque;

use cmm::protocol::layout::{Bytes, MESSAGE_SIZE};
use cmm::protocol::{RequestReason, Up, Violation, COORDINATOR_ID, MAX_REQUESTS};

use crate::guest::Guest;
use crate::random::Random;

/// How a front-end cheats. Its client is a real one, and honest; between it and Dom0 the lane is bent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Populates again, behind the client's back, what it says it gave.
    Keeps,
    /// Says that it did not take what it took.
    Hides,
    /// Says everything twice.
    Repeats,
    /// Names more pages than it was asked for.
    Exaggerates,
    /// Answers what was never asked.
    Invents,
    /// Sends requests without end.
    Floods,
    /// Does not answer.
    Silent,
    /// Every other message is lost.
    Drops,
    /// Some bytes are others.
    Garbles,
    /// Says that there are more messages than fit.
    Scribbles,
}

impl Lie {
    /// All.
    pub const ALL: [Self; 10] = [
        Self::Keeps,
        Self::Hides,
        Self::Repeats,
        Self::Exaggerates,
        Self::Invents,
        Self::Floods,
        Self::Silent,
        Self::Drops,
        Self::Garbles,
        Self::Scribbles,
    ];

    /// What Dom0 reads instead of a message of the client's.
    fn bend(self, bytes: Bytes, random: &mut Random) -> Vec<Bytes> {
        let up = Up::decode(&bytes).expect("the client is honest");
        let is_answer = matches!(up, Up::Offered { .. } | Up::Took { .. });
        match self {
            Self::Hides => hidden(up).map(|up| up.encode()).into_iter().collect(),
            Self::Repeats => vec![bytes; 2],
            Self::Exaggerates => vec![exaggerated(up).encode()],
            Self::Invents if is_answer => vec![bytes, invented().encode()],
            Self::Drops if random.permille(500) => Vec::new(),
            Self::Garbles => vec![garbled(bytes, random)],
            _ => vec![bytes],
        }
    }
}

/// Nothing was taken.
fn hidden(up: Up) -> Option<Up> {
    match up {
        Up::Drew { .. } => None,
        Up::Took { id, .. } => Some(Up::Took { id, pages: 0 }),
        other => Some(other),
    }
}

/// More was given, taken or drawn.
fn exaggerated(up: Up) -> Up {
    match up {
        Up::Took { id, pages } => {
            let pages = pages + 1;
            Up::Took { id, pages }
        }
        Up::Offered { id, pages } => {
            let pages = pages + 1;
            Up::Offered { id, pages }
        }
        Up::Drew { id, pages } => {
            let pages = 2 * pages;
            Up::Drew { id, pages }
        }
        other => other,
    }
}

/// An answer to nothing.
fn invented() -> Up {
    Up::Offered {
        id: COORDINATOR_ID | 0x00ab_cdef,
        pages: 1,
    }
}

fn garbled(mut bytes: Bytes, random: &mut Random) -> Bytes {
    let at = random.range(0, MESSAGE_SIZE as u64) as usize;
    bytes[at] ^= random.range(1, 256) as u8;
    bytes
}

/// More requests than may be open.
pub fn flood() -> impl Iterator<Item = Up> {
    (1..=3 * MAX_REQUESTS as u32 + 1).map(|id| Up::Request {
        id,
        pages: 1 << 20,
        deadline_us: 0,
        reason: RequestReason::Emergency,
    })
}

/// The lane up as Dom0 finds it: straight, unless somebody bends it.
#[derive(Debug, Default)]
pub struct Lane {
    /// How it is bent, if it is.
    pub lie: Option<Lie>,
    /// Messages that the client did not write.
    forged: VecDeque<Bytes>,
}

impl Lane {
    /// Puts a message before those that the client has written.
    pub fn forge(&mut self, up: &Up) {
        self.forged.push_back(up.encode());
    }

    /// Dom0 reads the next message.
    ///
    /// # Errors
    ///
    /// It is not one.
    pub fn read(
        &mut self,
        guest: &mut Guest,
        random: &mut Random,
    ) -> Result<Option<Up>, Violation> {
        loop {
            if let Some(bytes) = self.forged.pop_front() {
                return Up::decode(&bytes).map(Some);
            }
            let Some(bytes) = guest.receive()? else {
                return Ok(None);
            };
            match self.lie {
                None => return Up::decode(&bytes).map(Some),
                Some(lie) => self.forged.extend(lie.bend(bytes, random)),
            }
        }
    }
}
