// SPDX-License-Identifier: GPL-2.0

//! A domain: it uses what it needs, as far as it has it, and is held up when it has not.

use cmm::coordinator::{Nanos, MILLISECOND, SECOND};

use super::demand::Segment;

/// What a kernel keeps free for itself, in pages: 4 MiB.
pub const KEPT: u64 = 1_024;

/// Whoever is held up for longer in one go would have been killed: as long as the rescue may take, so that
/// nobody is called killed whom our own drivers would still wait for. A stock kernel kills sooner.
const PATIENCE: Nanos = 300 * MILLISECOND;

/// What became of a burst.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Burst {
    /// How long it was held up, in all.
    pub stalled: Nanos,
    /// How long it lasted.
    pub lasted: Nanos,
    /// Its program would have been killed.
    pub killed: bool,
}

/// A domain.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// What it has, in pages.
    pub size: u64,
    /// What its toolstack gave it at first, and lets it have at most.
    pub baseline: u64,
    /// What it may be raised to.
    pub ceiling: u64,
    segments: Vec<Segment>,
    next: usize,
    goal: f64,
    rate: f64,
    /// What it uses, and what it would.
    used: f64,
    ideal: f64,
    since: Nanos,
    /// In one go.
    held_up: Nanos,
    burst: Option<Burst>,
    /// Those that have ended.
    pub bursts: Vec<Burst>,
    /// Pages × seconds that were missing, and that were wanted.
    pub lacked: f64,
    /// As `lacked`.
    pub wanted: f64,
    /// Pages by which what it wants has risen.
    pub risen: f64,
    /// Pages that came to it.
    pub moved: u64,
}

impl Tenant {
    /// A domain of this size and demand.
    pub fn new(size: u64, ceiling: u64, segments: Vec<Segment>) -> Self {
        Self {
            size,
            baseline: size,
            ceiling,
            segments,
            next: 0,
            goal: 0.0,
            rate: 0.0,
            used: 0.0,
            ideal: 0.0,
            since: 0,
            held_up: 0,
            burst: None,
            bursts: Vec::new(),
            lacked: 0.0,
            wanted: 0.0,
            risen: 0.0,
            moved: 0,
        }
    }

    /// What it uses, in pages.
    pub fn used(&self) -> u64 {
        self.used.ceil() as u64
    }

    /// What it could use more.
    pub fn available(&self) -> u64 {
        self.size.saturating_sub(KEPT + self.used())
    }

    /// When its demand changes next.
    pub fn next_change(&self) -> Option<Nanos> {
        self.segments.get(self.next).map(|segment| segment.from)
    }

    /// When it will have used up all it has; `None` if never, as it is.
    pub fn gone_at(&self) -> Option<Nanos> {
        let limit = self.limit();
        if self.goal <= limit || self.rate <= 0.0 {
            return None;
        }
        let seconds = (limit - self.used).max(0.0) / self.rate;
        Some(self.since + (seconds * SECOND as f64).ceil() as Nanos)
    }

    /// Whether it is held up.
    pub fn is_held_up(&self) -> bool {
        self.goal > self.limit() && self.used >= self.limit()
    }

    fn limit(&self) -> f64 {
        self.size.saturating_sub(KEPT) as f64
    }

    /// Uses what it can until now.
    pub fn advance(&mut self, now: Nanos) {
        let span = now.saturating_sub(self.since);
        self.since = now;
        if span == 0 {
            return;
        }
        let seconds = span as f64 / SECOND as f64;
        let reach = self.goal.min(self.limit()).max(self.used);
        let (ideal, wanted) = rise(self.ideal, self.goal, self.rate, seconds);
        let (used, met) = rise(self.used, reach, self.rate, seconds);
        self.wanted += wanted;
        self.lacked += wanted - met;
        let rising = if self.rate > 0.0 {
            ((reach - self.used) / self.rate).min(seconds)
        } else {
            seconds
        };
        (self.ideal, self.used) = (ideal, used);
        let stalled = if self.goal > self.limit() {
            ((seconds - rising) * SECOND as f64) as Nanos
        } else {
            0
        };
        // It went on in between.
        if rising > 0.0 {
            self.held_up = 0;
        }
        self.held_up += stalled;
        if let Some(burst) = &mut self.burst {
            burst.lasted += span;
            burst.stalled += stalled;
            burst.killed |= self.held_up > PATIENCE;
        }
    }

    /// Its demand changes, if it is time. It has advanced to now.
    pub fn change(&mut self, now: Nanos) {
        while let Some(segment) = self.segments.get(self.next).filter(|s| s.from <= now) {
            let goal = segment.goal as f64;
            self.risen += (goal - self.goal).max(0.0);
            (self.goal, self.rate) = (goal, segment.rate);
            // What is not needed any more is free at once; and it begins with what it needs.
            if goal < self.used || segment.rate == 0.0 {
                self.used = goal.min(self.limit());
            }
            if goal < self.ideal || segment.rate == 0.0 {
                self.ideal = goal;
            }
            if segment.begins {
                self.bursts.extend(self.burst.take());
                self.burst = (goal > self.ideal).then(Burst::default);
                self.held_up = 0;
            }
            self.next += 1;
        }
    }

    /// It has so many pages more. It has advanced to now.
    pub fn gets(&mut self, pages: u64) {
        self.size += pages;
        self.moved += pages;
    }

    /// It has so many pages less, which it does not use. It has advanced to now.
    pub fn gives(&mut self, pages: u64) {
        self.size -= pages;
    }
}

/// What is used after so many seconds if `used` rises to `goal`, and pages × seconds until then.
pub fn rise(used: f64, goal: f64, rate: f64, seconds: f64) -> (f64, f64) {
    if used >= goal || rate <= 0.0 {
        return (used, used * seconds);
    }
    let rising = ((goal - used) / rate).min(seconds);
    let end = if rising < seconds {
        goal
    } else {
        used + rate * rising
    };
    let area = (used + end) / 2.0 * rising + end * (seconds - rising);
    (end, area)
}
