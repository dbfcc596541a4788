// SPDX-License-Identifier: GPL-2.0

//! What an administrator sets: for one domain, and for all.

use core::fmt;

use super::policy::Policy;
use super::refused::Refused;
use crate::pages::MOST_PAGES;
use crate::protocol::MAX_PAGES;
use crate::time::{Nanos, MILLISECOND};

/// What an administrator sets for one domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Limits {
    /// The domain is never taken below this, in pages.
    pub floor: u64,
    /// The domain is never raised above this, in pages.
    pub ceiling: u64,
    /// How reluctantly the domain is used as a donor; at least 1.
    pub weight: u32,
    /// The domain is never used as a donor, not even for what it has borrowed, and is served before others: for one that
    /// must not be held up.
    pub protected: bool,
}

impl Limits {
    /// The weight of a domain for which nobody has set one: in the middle, so that there is room on both sides.
    pub const DEFAULT_WEIGHT: u32 = 100;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            floor: 0,
            ceiling: MAX_PAGES,
            weight: Self::DEFAULT_WEIGHT,
            protected: false,
        }
    }
}

/// The least a domain keeps unless the administrator says otherwise: 64 MiB, in which a small system still lives, or a
/// part of what its toolstack gave it, or all of it if that is less. A quarter is about what a large system needs for
/// itself: kernel, page tables and `struct page`s grow with the memory it was started with.
const MIN_FLOOR: u64 = 16_384;
const FLOOR_PART: u64 = 4;

impl Limits {
    /// The limits of a domain for which nobody has set any. Its toolstack wants it to have `target` pages now, and
    /// `largest` at most, and has told Xen to let it have `cap`.
    ///
    /// The cap may be more: domains are larger than their toolstack says, by what the toolstack does not count.
    pub fn by_default(target: u64, largest: u64, cap: u64) -> Self {
        Self {
            floor: (target / FLOOR_PART).max(MIN_FLOOR).min(target),
            ceiling: largest.max(target).max(cap).min(MAX_PAGES),
            weight: Self::DEFAULT_WEIGHT,
            protected: false,
        }
    }

    /// Whether these can be kept.
    ///
    /// # Errors
    ///
    /// They contradict each other, or are beyond what there can be.
    pub fn check(&self) -> Result<(), Refused> {
        if self.ceiling > MAX_PAGES || self.weight == 0 {
            Err(Refused::OutOfRange)
        } else if self.floor > self.ceiling {
            Err(Refused::FloorAboveCeiling)
        } else {
            Ok(())
        }
    }
}

/// What holds for all domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a donor may take before it is passed over, besides what moving the pages takes it.
    pub donor_timeout: Nanos,
    /// Pages kept ready so that a request need not wait for a donor.
    pub reserve: u64,
    /// Pages that each front-end that can use them may take without asking; 0 for none.
    pub credit: u64,
    /// Pages that donors gave and nobody had taken when the back-end was last unloaded.
    pub pool: u64,
    /// Pages that were outside the books when the back-end was last unloaded: what the domains that were known, and the
    /// pool, lack to make the sum zero. `None` if there was none.
    pub unbooked: Option<i64>,
    /// Who is asked to give.
    pub policy: Policy,
    /// Whether donors that wait for a CPU are asked last, and paused ones not at all.
    pub ask_ready: bool,
    /// Whether domains that a transfer waits for are boosted.
    pub boost: bool,
    /// The requests a second that one domain may make in the long run, each 2 MiB that donors are asked for counting as
    /// another; 0 for any number.
    pub request_rate: u32,
    /// The requests that it may make at once.
    pub request_burst: u32,
}

/// A donor answers within a millisecond if it only has to run, within tens if it must reclaim. With less, who is slow
/// would be passed over for another who has to reclaim as much; with more, who is stuck would cost a request its second.
const DONOR_TIMEOUT: Nanos = 100 * MILLISECOND;

/// A request and its answer cost Dom0 some microseconds: so many a second are a few per cent of a CPU, and more than
/// anybody makes who does something with the memory.
const REQUEST_RATE: u32 = 20_000;

/// A fifth of a second of that: a program that starts asks for much at once, and then not for long.
const REQUEST_BURST: u32 = 4_096;

impl Default for Settings {
    fn default() -> Self {
        Self {
            donor_timeout: DONOR_TIMEOUT,
            reserve: 0,
            credit: 0,
            pool: 0,
            unbooked: None,
            policy: Policy::default(),
            ask_ready: true,
            boost: false,
            request_rate: REQUEST_RATE,
            request_burst: REQUEST_BURST,
        }
    }
}

impl Settings {
    /// Whether an administrator could have set these.
    pub(super) fn check(&self) -> Result<(), Refused> {
        if self.reserve.max(self.credit) > MAX_PAGES || self.donor_timeout == 0 {
            Err(Refused::OutOfRange)
        } else {
            Ok(())
        }
    }
}

impl Settings {
    /// Reads the text form of what an administrator can set, and the pool; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let settings = Self {
            reserve: words.next()?.parse().ok()?,
            credit: words.next()?.parse().ok()?,
            donor_timeout: words.next()?.parse::<Nanos>().ok()?,
            policy: Policy::from_name(words.next()?)?,
            pool: words.next()?.parse().ok()?,
            ask_ready: parse_flag(words.next()?)?,
            boost: parse_flag(words.next()?)?,
            // Earlier back-ends did not write it.
            unbooked: words.next().map(str::parse).transpose().ok()?,
            ..Self::default()
        };
        let is_sane = settings.pool <= MOST_PAGES
            && settings
                .unbooked
                .is_none_or(|pages| pages.unsigned_abs() <= MOST_PAGES);
        (words.next().is_none() && settings.check().is_ok() && is_sane).then_some(settings)
    }
}

pub(super) fn parse_flag(word: &str) -> Option<bool> {
    match word {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// The text form, in a xenstore node.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {} {} {} {}",
            self.reserve,
            self.credit,
            self.donor_timeout,
            self.policy.name(),
            self.pool,
            u8::from(self.ask_ready),
            u8::from(self.boost)
        )?;
        match self.unbooked {
            Some(unbooked) => write!(f, " {unbooked}"),
            None => Ok(()),
        }
    }
}
