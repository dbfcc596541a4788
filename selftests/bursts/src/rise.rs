// SPDX-License-Identifier: GPL-2.0

//! Rises: what a burst of demand is.
//!
//! A rise begins at the last moment at which what is needed was as little as it had become, and ends
//! at its peak. There it is over: it has fallen by a quarter of the rise, or it has not been higher
//! for half a second. So a pause within a burst does not end it, and what comes down for a moment
//! does not, either. Rises of less than 4 MiB come and go with any program, and are none.

use crate::series::Series;

/// What is lower is none, in pages.
pub const LEAST: u64 = 1_024;

/// A rise that is not higher for so long has ended, in µs.
const PAUSE: u64 = 500_000;

/// It has ended, too, when this part of it is gone.
const FALLEN: u64 = 4;

/// In how many steps of the same height the course of a rise is told.
pub const STEPS: usize = 8;

/// A rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rise {
    /// When it began, in µs.
    pub begin: u64,
    /// What was needed then, in pages.
    pub base: u64,
    /// When it was at its peak first.
    pub peaked: u64,
    /// What was needed then.
    pub peak: u64,
    /// How long half of it stayed from then on, or until the end.
    pub held: u64,
}

impl Rise {
    /// In pages.
    pub fn height(&self) -> u64 {
        self.peak - self.base
    }

    /// How long it rose, in µs.
    pub fn took(&self) -> u64 {
        self.peaked - self.begin
    }

    /// When so many pages more than at first were needed for the first time; `None` if they never
    /// were.
    pub fn passes(&self, series: &Series, pages: u64) -> Option<u64> {
        let from = series.points.partition_point(|p| p.time <= self.begin);
        let rising = series.points[from..].iter();
        let mut rising = rising.take_while(|point| point.time <= self.peaked);
        let found = rising.find(|point| point.need >= self.base + pages);
        found.map(|point| point.time)
    }

    /// After how long each eighth of it was reached, in µs since it began.
    pub fn course(&self, series: &Series) -> [u64; STEPS] {
        let mut course = [0; STEPS];
        for (i, time) in (1..).zip(&mut course) {
            let pages = self.height() * i / STEPS as u64;
            let passed = self.passes(series, pages).unwrap_or(self.peaked);
            *time = passed.saturating_sub(self.begin);
        }
        course
    }
}

/// A rise that may be under way.
struct Climb {
    begin: u64,
    base: u64,
    peaked: u64,
    peak: u64,
}

impl Climb {
    fn from(time: u64, need: u64) -> Self {
        Self {
            begin: time,
            base: need,
            peaked: time,
            peak: need,
        }
    }

    fn has_ended(&self, time: u64) -> bool {
        self.peak > self.base && time - self.peaked > PAUSE
    }

    fn has_fallen(&self, need: u64) -> bool {
        let height = self.peak - self.base;
        self.peak - need.min(self.peak) > (height / FALLEN).max(LEAST / FALLEN)
    }
}

/// All rises, the earliest first. `every` is how far apart the series was looked at, in µs: between
/// two looks nobody knows when a change came, and it is taken to have come in the last such step.
pub fn rises(series: &Series, every: u64) -> Vec<Rise> {
    let mut found = Vec::new();
    let Some(first) = series.points.first() else {
        return found;
    };
    let mut climb = Climb::from(first.time, first.need);
    for point in &series.points[1..] {
        if climb.has_ended(point.time) {
            let flat = series.at(point.time - 1);
            finish(&climb, series, &mut found);
            climb = Climb::from(point.time.saturating_sub(every), flat);
        }
        if point.need > climb.peak {
            if climb.peak == climb.base {
                climb.begin = climb.begin.max(point.time.saturating_sub(every));
            }
            (climb.peaked, climb.peak) = (point.time, point.need);
        } else if point.need <= climb.base || climb.has_fallen(point.need) {
            finish(&climb, series, &mut found);
            climb = Climb::from(point.time, point.need);
        }
    }
    finish(&climb, series, &mut found);
    found
}

fn finish(climb: &Climb, series: &Series, found: &mut Vec<Rise>) {
    let height = climb.peak - climb.base;
    if height < LEAST {
        return;
    }
    let from = series.points.partition_point(|p| p.time <= climb.peaked);
    let mut later = series.points[from..].iter();
    let half_gone = later.find(|point| point.need < climb.base + height / 2);
    found.push(Rise {
        begin: climb.begin,
        base: climb.base,
        peaked: climb.peaked,
        peak: climb.peak,
        held: half_gone.map_or(series.end, |point| point.time) - climb.peaked,
    });
}
