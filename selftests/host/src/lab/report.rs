// SPDX-License-Identifier: GPL-2.0

//! What the domains of the lab said, and what that is for all of them.

use std::fmt;

use cmm::coordinator::Nanos;
use cmm_bursts::numbers::quantile;

use crate::fleet::outcome::Outcome;
use crate::fleet::tenant::Burst;

/// What one domain says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// What was available before it began, in KiB.
    pub available: u64,
    /// Pages that came.
    pub moved: u64,
    /// What was read again after it had been reclaimed, in pages.
    pub refaults: u64,
    /// How often a program had to reclaim.
    pub reclaims: u64,
    /// How long some waited for memory, by the kernel's own account (PSI), in us.
    pub waited_us: u64,
    /// Pages times seconds that were wanted.
    pub wanted: f64,
    /// And that were missing.
    pub lacked: f64,
    /// Pages by which what was wanted rose.
    pub risen: f64,
    /// How often the program was killed.
    pub killed: u64,
    /// The longest that a page was waited for.
    pub longest: Nanos,
    /// What came of each burst.
    pub bursts: Vec<Burst>,
    /// When it was killed.
    pub kills: Vec<Nanos>,
    /// What was available, in KiB, from these moments on.
    pub had: Vec<(Nanos, u64)>,
}

/// A line each, a word and numbers.
impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "available {}", self.available)?;
        writeln!(f, "moved {}", self.moved)?;
        writeln!(f, "refaults {}", self.refaults)?;
        writeln!(f, "reclaims {}", self.reclaims)?;
        writeln!(f, "waited {}", self.waited_us)?;
        writeln!(f, "wanted {:.0}", self.wanted)?;
        writeln!(f, "lacked {:.0}", self.lacked)?;
        writeln!(f, "risen {:.0}", self.risen)?;
        writeln!(f, "killed {}", self.killed)?;
        writeln!(f, "longest {}", self.longest)?;
        for burst in &self.bursts {
            let killed = u64::from(burst.killed);
            writeln!(f, "burst {} {} {killed}", burst.lasted, burst.stalled)?;
        }
        for time in &self.kills {
            writeln!(f, "kill {time}")?;
        }
        for (time, available) in &self.had {
            writeln!(f, "had {time} {available}")?;
        }
        Ok(())
    }
}

impl Said {
    /// What a domain has printed; the line that is none of it, if one is not.
    ///
    /// # Errors
    ///
    /// The line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut said = Self::default();
        for line in text.lines() {
            said.take(line).ok_or_else(|| line.to_owned())?;
        }
        Ok(said)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (name, rest) = line.split_once(' ')?;
        let numbers: Result<Vec<u64>, _> = rest.split(' ').map(str::parse).collect();
        match (name, numbers.ok()?.as_slice()) {
            ("burst", &[lasted, stalled, killed]) => self.bursts.push(Burst {
                lasted,
                stalled,
                killed: killed != 0,
            }),
            ("kill", &[time]) => self.kills.push(time),
            ("had", &[time, available]) => self.had.push((time, available)),
            ("wanted", &[number]) => self.wanted = number as f64,
            ("lacked", &[number]) => self.lacked = number as f64,
            ("risen", &[number]) => self.risen = number as f64,
            (name, &[number]) => *self.total(name)? = number,
            _ => return None,
        }
        Some(())
    }

    /// What is said once, in all.
    fn total(&mut self, name: &str) -> Option<&mut u64> {
        Some(match name {
            "available" => &mut self.available,
            "moved" => &mut self.moved,
            "refaults" => &mut self.refaults,
            "reclaims" => &mut self.reclaims,
            "waited" => &mut self.waited_us,
            "killed" => &mut self.killed,
            "longest" => &mut self.longest,
            _ => return None,
        })
    }
}

/// The most that others had available together when a program was killed, in KiB.
pub fn beside(all: &[Said]) -> u64 {
    let had = |said: &Said, time| {
        let before = said.had.iter().take_while(|(from, _)| *from <= time);
        before.last().map_or(0, |(_, available)| *available)
    };
    let others = |dom: usize, time| -> u64 {
        let others = all.iter().enumerate().filter(|(other, _)| *other != dom);
        others.map(|(_, said)| had(said, time)).sum()
    };
    let kills = all.iter().enumerate();
    let kills = kills.flat_map(|(dom, said)| said.kills.iter().map(move |time| (dom, *time)));
    kills
        .map(|(dom, time)| others(dom, time))
        .max()
        .unwrap_or(0)
}

/// Of all domains.
pub fn outcome(all: &[Said]) -> Outcome {
    let sum = |of: fn(&Said) -> f64| all.iter().map(of).sum::<f64>();
    let bursts = || all.iter().flat_map(|said| &said.bursts);
    let mut stalls: Vec<_> = bursts().map(|burst| burst.stalled).collect();
    stalls.sort_unstable();
    let stalled: f64 = stalls.iter().map(|ns| *ns as f64).sum();
    let lasted: f64 = bursts().map(|burst| burst.lasted as f64).sum();
    Outcome {
        bursts: stalls.len(),
        killed: all.iter().map(|said| said.killed).sum(),
        time_ratio: (lasted + stalled) / lasted.max(1.0),
        stall_p50: quantile(&stalls, 50.0).unwrap_or(0),
        stall_p99: quantile(&stalls, 99.0).unwrap_or(0),
        unmet_pct: sum(|said| said.lacked) * 100.0 / sum(|said| said.wanted).max(1.0),
        moved_per_demand: sum(|said| said.moved as f64) / sum(|said| said.risen).max(1.0),
        ..Outcome::default()
    }
}
