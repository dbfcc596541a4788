// SPDX-License-Identifier: GPL-2.0

//! Somebody in Dom0 who looks now and then at what all domains' agents say, and sets their sizes by a rule of
//! [`balancers`](crate::fleet::balancers).
//!
//! It sets a size as `xl mem-set` does, by the domain's node `memory/target`, but starts no process for it; the caps
//! have been raised before. Nobody is told to grow by more than has become free, as both of those whose rules these
//! are see to: a stock balloon that finds nothing sleeps for seconds.

use std::io;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::agent::NODE;
use super::case::{CEILING, HOST, SIZE};
use super::xenstore::Xenstore;
use crate::fleet::balancers::{qmemman, squeezed, Known};
use crate::fleet::demand::MIB;

/// A domain keeps a part of its size, as ours do by default.
const FLOOR_PART: u64 = 4;

/// What Xen has free besides. qmemman counts it, and keeps it; for squeezed it is not there.
pub const SPARE: u64 = 50 * MIB;

/// How often it looks whether what others give has become free, while there is a domain that waits for it.
const STEP: Duration = Duration::from_millis(20);

/// Less is not worth a message.
const FEW: u64 = MIB;

/// KiB in a page.
const PAGE: u64 = 4;

/// The rule, and what Xen has free for it.
#[derive(Clone, Copy)]
pub struct Rule {
    rule: fn(&[Known], u64) -> Vec<u64>,
    spare: u64,
}

impl Rule {
    /// By name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "qmemman" => Some(Self {
                rule: qmemman,
                spare: SPARE,
            }),
            "squeezed" => Some(Self {
                rule: squeezed,
                spare: 0,
            }),
            _ => None,
        }
    }
}

/// Whoever looks.
pub struct Poller {
    xenstore: Xenstore,
    rule: Rule,
    ids: Vec<u32>,
    /// What each was told to have.
    told: Vec<u64>,
    /// What each is to have.
    wanted: Vec<u64>,
}

impl Poller {
    /// At these domains.
    ///
    /// # Errors
    ///
    /// There is no xenstore.
    pub fn new(rule: Rule, ids: Vec<u32>) -> io::Result<Self> {
        Ok(Self {
            xenstore: Xenstore::open()?,
            rule,
            told: vec![SIZE; ids.len()],
            wanted: vec![SIZE; ids.len()],
            ids,
        })
    }

    /// Looks so often, until then.
    ///
    /// # Errors
    ///
    /// An agent does not say what it is to say.
    pub fn run(&mut self, start: u64, period: Duration, end: Duration) -> io::Result<()> {
        let began = UNIX_EPOCH + Duration::from_secs(start);
        // As in the simulator, it looks at first when a third of its time has passed.
        let mut looks_at = period / 3;
        loop {
            let now = SystemTime::now().duration_since(began).unwrap_or_default();
            if now >= end {
                return Ok(());
            }
            if now >= looks_at && SystemTime::now() >= began {
                self.look()?;
                while looks_at <= now {
                    looks_at += period;
                }
            } else if self.is_anybody_waiting() {
                self.grow()?;
            }
            let now = SystemTime::now();
            let next = (began + looks_at).duration_since(now).unwrap_or_default();
            thread::sleep(if self.is_anybody_waiting() {
                next.min(STEP)
            } else {
                next
            });
        }
    }

    fn known(&mut self) -> io::Result<Vec<Known>> {
        let mut all = Vec::with_capacity(self.ids.len());
        for id in &self.ids {
            let said = self.xenstore.read(&format!("/local/domain/{id}/{NODE}"))?;
            let numbers = said.split_once(' ');
            let numbers = numbers.and_then(|(used, size)| {
                Some((used.parse::<u64>().ok()?, size.parse::<u64>().ok()?))
            });
            let (used, size) = numbers.ok_or(io::ErrorKind::InvalidData)?;
            all.push(Known {
                used: used / PAGE,
                size: size / PAGE,
                floor: SIZE / FLOOR_PART,
                ceiling: CEILING,
            });
        }
        Ok(all)
    }

    fn look(&mut self) -> io::Result<()> {
        let all = self.known()?;
        let have: u64 = all.iter().map(|known| known.size).sum();
        self.wanted = (self.rule.rule)(&all, (HOST + self.rule.spare).saturating_sub(have));
        for dom in 0..self.ids.len() {
            if self.wanted[dom] < self.told[dom] {
                self.set(dom, self.wanted[dom])?;
            }
        }
        self.grow()
    }

    fn is_anybody_waiting(&self) -> bool {
        self.told
            .iter()
            .zip(&self.wanted)
            .any(|(told, wanted)| told + FEW < *wanted)
    }

    /// Lets those grow that are to, as far as there is something for them.
    fn grow(&mut self) -> io::Result<()> {
        let all = self.known()?;
        let taken: u64 = all
            .iter()
            .zip(&self.told)
            .map(|(known, told)| known.size.max(*told))
            .sum();
        let mut free = (HOST + SPARE / 2).saturating_sub(taken);
        for dom in 0..self.ids.len() {
            let more = self.wanted[dom].saturating_sub(self.told[dom]).min(free);
            if more >= FEW {
                free -= more;
                self.set(dom, self.told[dom] + more)?;
            }
        }
        Ok(())
    }

    fn set(&mut self, dom: usize, pages: u64) -> io::Result<()> {
        if pages.abs_diff(self.told[dom]) < FEW {
            return Ok(());
        }
        self.told[dom] = pages;
        let node = format!("/local/domain/{}/memory/target", self.ids[dom]);
        self.xenstore.write(&node, &(pages * PAGE).to_string())
    }
}
