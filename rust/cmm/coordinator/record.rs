// SPDX-License-Identifier: GPL-2.0

//! What is written down, so that another back-end can go on.

use core::fmt;

use super::event::{Limits, Settings};
use super::policy::Policy;
use crate::time::Nanos;

/// What is known of a domain: enough to go on after the back-end has been loaded again.
///
/// Its text form, in a xenstore node, is the twelve numbers separated by spaces, the last of which is what it was
/// forgiven. Earlier back-ends did not write that one.
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
    pub slack: i64,
    /// How far it may be above its cap, because the toolstack lowered that and the stock balloon takes its time.
    pub excess: u64,
    /// What it was forgiven at the cost of that, since the toolstack last set its cap.
    pub forgiven: u64,
    /// Its limits.
    pub limits: Limits,
}

/// More pages than there are in any machine.
const MOST: u64 = 1 << 40;

impl Record {
    /// Reads the text form; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let record = Self {
            balance: words.next()?.parse().ok()?,
            in_flight: words.next()?.parse().ok()?,
            reclaiming: words.next()?.parse().ok()?,
            maximum: words.next()?.parse().ok()?,
            toolstack_maximum: words.next()?.parse().ok()?,
            target: words.next()?.parse().ok()?,
            slack: words.next()?.parse().ok()?,
            excess: words.next()?.parse().ok()?,
            limits: Limits {
                floor: words.next()?.parse().ok()?,
                ceiling: words.next()?.parse().ok()?,
                weight: words.next()?.parse().ok()?,
            },
            forgiven: words.next().map_or(Some(0), |word| word.parse().ok())?,
        };
        (words.next().is_none() && record.is_sane()).then_some(record)
    }

    /// No number is beyond what a machine can hold, which keeps later sums from overflowing.
    pub(super) fn is_sane(&self) -> bool {
        self.balance.unsigned_abs() <= MOST
            && self.in_flight <= MOST
            && self.reclaiming <= MOST
            && self.limits.check().is_ok()
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {} {} {} {} {} {} {} {} {}",
            self.balance,
            self.in_flight,
            self.reclaiming,
            self.maximum,
            self.toolstack_maximum,
            self.target,
            self.slack,
            self.excess,
            self.limits.floor,
            self.limits.ceiling,
            self.limits.weight,
            self.forgiven
        )
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
            adrift: words.next().map(str::parse).transpose().ok()?,
            ..Self::default()
        };
        let is_sane = settings
            .adrift
            .is_none_or(|pages| pages.unsigned_abs() <= MOST);
        (words.next().is_none() && settings.check().is_ok() && is_sane).then_some(settings)
    }
}

fn parse_flag(word: &str) -> Option<bool> {
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
        match self.adrift {
            Some(adrift) => write!(f, " {adrift}"),
            None => Ok(()),
        }
    }
}
