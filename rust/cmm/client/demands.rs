// SPDX-License-Identifier: GPL-2.0

//! What Dom0 demands of this domain, in the order in which it did.

use crate::protocol::{Up, Urgency, Violation, MAX_ASKS};
use crate::time::Nanos;

/// Something Dom0 demands. Each is answered exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Give memory.
    Reclaim {
        /// The coordinator's.
        serial: u32,
        /// How much, at most.
        pages: u64,
        /// How much the domain should put itself out.
        urgency: Urgency,
        /// When it came.
        at: Nanos,
    },
    /// Take memory.
    Give {
        /// The coordinator's.
        serial: u32,
        /// How much, at most.
        pages: u64,
    },
    /// Return credit that is not used.
    Revoke {
        /// The coordinator's.
        serial: u32,
        /// How much, at most.
        pages: u64,
    },
}

impl Demand {
    /// How many pages it is about.
    pub const fn pages(&self) -> u64 {
        match *self {
            Self::Reclaim { pages, .. } | Self::Give { pages, .. } | Self::Revoke { pages, .. } => {
                pages
            }
        }
    }

    /// What to answer when so many pages were moved.
    pub(super) const fn answer(&self, pages: u64) -> Up {
        match *self {
            Self::Reclaim { serial, .. } | Self::Revoke { serial, .. } => {
                Up::Offered { id: serial, pages }
            }
            Self::Give { serial, .. } => Up::Took { id: serial, pages },
        }
    }
}

/// Those that have not been answered.
#[derive(Debug)]
pub(super) struct Demands {
    /// Those that nobody has begun with, the oldest first, without gaps.
    waiting: [Option<Demand>; MAX_ASKS],
    /// How many are being carried out.
    begun: usize,
}

impl Demands {
    pub(super) const fn new() -> Self {
        Self {
            waiting: [None; MAX_ASKS],
            begun: 0,
        }
    }

    /// How many have not been answered.
    pub(super) fn len(&self) -> usize {
        self.waiting.iter().flatten().count() + self.begun
    }

    /// Whether there is one to begin with.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.iter().any(Option::is_some)
    }

    /// Takes one in.
    ///
    /// # Errors
    ///
    /// Dom0 has demanded as much already as it may at once.
    pub(super) fn push(&mut self, demand: Demand) -> Result<(), Violation> {
        if self.len() >= MAX_ASKS {
            return Err(Violation::LaneFull);
        }
        let place = self.waiting.iter_mut().find(|place| place.is_none());
        *place.ok_or(Violation::LaneFull)? = Some(demand);
        Ok(())
    }

    /// Begins with the oldest. It counts until it has been [answered](Self::end).
    pub(super) fn begin(&mut self) -> Option<Demand> {
        let first = self.waiting.first_mut()?.take()?;
        self.waiting.rotate_left(1);
        self.begun += 1;
        Some(first)
    }

    /// One that was begun with has been answered.
    pub(super) fn end(&mut self) {
        self.begun = self.begun.saturating_sub(1);
    }
}
