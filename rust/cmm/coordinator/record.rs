// SPDX-License-Identifier: GPL-2.0

//! What is written down, so that another back-end can go on.

use core::fmt;

use super::settings::{parse_flag, Limits};
use crate::pages::MOST_PAGES;

/// What is known of a domain: enough to go on after the back-end has been loaded again.
///
/// Its text form, in a xenstore node, is the fifteen numbers separated by spaces, the last of which are what it was
/// forgiven, whether it is protected, what is doubtful, and what it took below its cap. Earlier back-ends did not write
/// those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Pages borrowed (positive) or lent (negative).
    pub balance: i64,
    /// Pages that it was granted or given and has not said that it took.
    pub in_flight: u64,
    /// Pages that it was asked for and has not said whether it gave.
    pub reclaiming: u64,
    /// Its cap as this coordinator last set or saw it: any other cap was written by the toolstack.
    pub maximum: u64,
    /// Its cap as the toolstack last set it.
    pub toolstack_maximum: u64,
    /// What the toolstack last wanted it to have.
    pub target: u64,
    /// How far above that it sets the cap.
    pub cap_margin: i64,
    /// How far it may be above its cap, because the toolstack lowered that and the stock balloon takes its time.
    pub over_cap: u64,
    /// By how much its cap is lower for what it was forgiven at the cost of that, or took below it, since the toolstack
    /// last set it.
    pub forgiven: u64,
    /// What ended of what it was granted or given, and may have been taken all the same.
    pub doubtful: u64,
    /// How much of `forgiven` it took below its cap, and owes.
    pub below: u64,
    /// Its limits.
    pub limits: Limits,
}

impl Record {
    /// Reads the text form; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let mut record = Self {
            balance: words.next()?.parse().ok()?,
            in_flight: words.next()?.parse().ok()?,
            reclaiming: words.next()?.parse().ok()?,
            maximum: words.next()?.parse().ok()?,
            toolstack_maximum: words.next()?.parse().ok()?,
            target: words.next()?.parse().ok()?,
            cap_margin: words.next()?.parse().ok()?,
            over_cap: words.next()?.parse().ok()?,
            limits: Limits {
                floor: words.next()?.parse().ok()?,
                ceiling: words.next()?.parse().ok()?,
                weight: words.next()?.parse().ok()?,
                protected: false,
            },
            forgiven: words.next().map_or(Some(0), |word| word.parse().ok())?,
            doubtful: 0,
            below: 0,
        };
        record.limits.protected = words.next().map_or(Some(false), parse_flag)?;
        record.doubtful = words.next().map_or(Some(0), |word| word.parse().ok())?;
        record.below = words.next().map_or(Some(0), |word| word.parse().ok())?;
        (words.next().is_none() && record.is_sane()).then_some(record)
    }

    /// No number is beyond what a machine can hold, which keeps later sums from overflowing.
    pub(super) fn is_sane(&self) -> bool {
        let differences = [self.balance, self.cap_margin];
        let numbers = [
            self.in_flight,
            self.reclaiming,
            self.maximum,
            self.toolstack_maximum,
            self.target,
            self.over_cap,
            self.forgiven,
            self.doubtful,
        ];
        differences
            .iter()
            .all(|pages| pages.unsigned_abs() <= MOST_PAGES)
            && numbers.iter().all(|pages| *pages <= MOST_PAGES)
            && self.below <= self.forgiven
            && self.limits.check().is_ok()
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {} {} {} {} {} {} {} {} {} {} {} {}",
            self.balance,
            self.in_flight,
            self.reclaiming,
            self.maximum,
            self.toolstack_maximum,
            self.target,
            self.cap_margin,
            self.over_cap,
            self.limits.floor,
            self.limits.ceiling,
            self.limits.weight,
            self.forgiven,
            u8::from(self.limits.protected),
            self.doubtful,
            self.below
        )
    }
}
