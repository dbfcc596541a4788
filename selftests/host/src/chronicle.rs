// SPDX-License-Identifier: GPL-2.0

//! Who had how much memory when: written down in the course of a run, to be drawn.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use cmm::coordinator::{Nanos, MILLISECOND, SECOND};

use crate::crowd::Crowd;
use crate::member::Character;

/// The most moments that are kept; then every other is dropped, and half as many are taken from then on.
const MOMENTS: usize = 600;
/// The most domains that have a row of their own.
const ROWS: usize = 200;

/// All at one moment.
struct Moment {
    time: Nanos,
    /// What the domains of each character have together, in pages.
    together: [u64; Character::ALL.len()],
    /// What nobody has, and the part of that in the coordinator's pool.
    free: u64,
    pool: u64,
    /// What each that has a row has, as a part of the size it was created with.
    rows: Vec<f64>,
}

/// The course of a run.
pub struct Chronicle {
    moments: Vec<Moment>,
    next: Nanos,
    every: Nanos,
    /// Which members have rows, those of one character beside each other.
    rows: Vec<usize>,
}

impl Chronicle {
    /// For a run that has not begun.
    pub fn new(crowd: &Crowd) -> Self {
        let mut all: Vec<_> = (0..crowd.members.len()).collect();
        all.sort_by_key(|i| crowd.members[*i].character);
        let step = all.len().div_ceil(ROWS).max(1);
        Self {
            moments: Vec::new(),
            next: 0,
            every: MILLISECOND,
            rows: all.into_iter().step_by(step).collect(),
        }
    }

    /// Looks whether it is time to write down something.
    pub fn watch(&mut self, crowd: &Crowd) {
        let now = crowd.sim.world.now;
        if now < self.next {
            return;
        }
        if self.moments.len() == MOMENTS {
            self.every *= 2;
            let mut odd = false;
            self.moments.retain(|_| {
                odd = !odd;
                odd
            });
        }
        self.next = now - now % self.every + self.every;
        self.moments.push(self.moment(crowd));
    }

    fn moment(&self, crowd: &Crowd) -> Moment {
        let world = &crowd.sim.world;
        let size = |i: usize| {
            let domain = world.domains.get(&crowd.members[i].dom);
            domain.map(|domain| domain.current)
        };
        let mut together = [0; Character::ALL.len()];
        for (i, member) in crowd.members.iter().enumerate() {
            together[member.character as usize] += size(i).unwrap_or(0);
        }
        let part = |i: &usize| {
            let pages = size(*i).map_or(f64::NAN, |pages| pages as f64);
            pages / crowd.members[*i].size as f64
        };
        Moment {
            time: world.now,
            together,
            free: world.free,
            pool: crowd.sim.coordinator.pool(),
            rows: self.rows.iter().map(part).collect(),
        }
    }

    /// Writes it down for `memory.gp`: `totals.tsv` and `domains.tsv`.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn write(&self, directory: &Path, crowd: &Crowd) -> io::Result<()> {
        let mut totals = "seconds".to_owned();
        for character in Character::ALL {
            let _ = write!(totals, "\t{}", character.name());
        }
        totals.push_str("\tfree\tpool\n");
        let mut domains =
            String::from("# second, row, size as a part of the first size, character\n");
        for moment in &self.moments {
            let seconds = moment.time as f64 / SECOND as f64;
            let _ = write!(totals, "{seconds:.4}");
            for pages in moment.together.iter().chain([&moment.free, &moment.pool]) {
                let _ = write!(totals, "\t{:.4}", *pages as f64 / (1 << 18) as f64);
            }
            totals.push('\n');
            for (row, part) in moment.rows.iter().enumerate() {
                let name = crowd.members[self.rows[row]].character.name();
                let _ = writeln!(domains, "{seconds:.4}\t{row}\t{part:.3}\t{name}");
            }
            domains.push('\n');
        }
        fs::write(directory.join("totals.tsv"), totals)?;
        fs::write(directory.join("domains.tsv"), domains)
    }
}
