// SPDX-License-Identifier: GPL-2.0

//! One of a crowd of domains, and what it is like.

use cmm::coordinator::{Nanos, MICROSECOND, MILLISECOND};
use cmm::DomId;

use crate::random::Random;

/// What a domain is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Character {
    /// Needs now more, now less, and gives what it can.
    WellBehaved,
    /// Takes its time over everything.
    Slow,
    /// Stops now and then in the middle of something.
    HalfStuck,
    /// Never reads a message.
    Stuck,
    /// Wants all there is.
    Greedy,
    /// Dies, and is created anew.
    Dying,
    /// Lies, in all ways, whenever it is believed again.
    Lying,
}

impl Character {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::WellBehaved,
        Self::Slow,
        Self::HalfStuck,
        Self::Stuck,
        Self::Greedy,
        Self::Dying,
        Self::Lying,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::WellBehaved => "well-behaved",
            Self::Slow => "slow",
            Self::HalfStuck => "half-stuck",
            Self::Stuck => "stuck",
            Self::Greedy => "greedy",
            Self::Dying => "dying",
            Self::Lying => "lying",
        }
    }

    pub(crate) fn random(random: &mut Random, liars: bool) -> Self {
        match random.range(0, 100) {
            0..=59 => Self::WellBehaved,
            60..=69 => Self::Slow,
            70..=77 => Self::HalfStuck,
            78..=81 => Self::Stuck,
            82..=89 => Self::Greedy,
            90..=95 => Self::Dying,
            _ if liars => Self::Lying,
            _ => Self::WellBehaved,
        }
    }

    /// How long it takes to look at its messages; `None` if it does not.
    pub(crate) fn reaction(self, random: &mut Random) -> Option<Nanos> {
        match self {
            Self::Stuck => None,
            Self::Slow => Some(random.range(20 * MILLISECOND, 800 * MILLISECOND)),
            _ => Some(random.range(50 * MICROSECOND, 2 * MILLISECOND)),
        }
    }
}

/// One of the crowd.
pub struct Member {
    /// Its number, which stays the same when it is created anew.
    pub dom: DomId,
    /// What it is like.
    pub character: Character,
    /// The size that it is created with, in pages.
    pub size: u64,
    /// How long its day is, and when it begins.
    pub(crate) day: Nanos,
    pub(crate) morning: Nanos,
}

impl Member {
    /// What it needs at this time, in pages: more than it has when it is busiest, little when it is not.
    pub(crate) fn needs(&self, now: Nanos) -> u64 {
        if self.character == Character::Greedy {
            return 3 * self.size;
        }
        let hour = ((now + self.morning) % self.day) as f64 / self.day as f64;
        let busy = 0.5 - 0.5 * (hour * std::f64::consts::TAU).cos();
        (self.size as f64 * (0.25 + busy)) as u64
    }
}
