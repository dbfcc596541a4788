// SPDX-License-Identifier: GPL-2.0

//! A domain as it truly is.

use std::collections::BTreeMap;

use cmm::client::Holdings;
use cmm::coordinator::{Limits, Nanos};

use crate::liar::Lane;
use crate::session::Session;

/// What the toolstack most often adds to the target when it sets a cap, in pages.
pub const CAP_MARGIN: u64 = 256;

/// A domain. All sizes in pages.
#[derive(Debug)]
pub struct Domain {
    /// What it has.
    pub current: u64,
    /// What it may have.
    pub maximum: u64,
    /// What the toolstack wants it to have.
    pub target: u64,
    /// What the toolstack adds to that for the cap.
    pub cap_margin: u64,
    /// The cap as the toolstack last set it.
    pub toolstack_maximum: u64,
    /// How much of `target` its stock balloon has brought about.
    pub baseline: u64,
    /// What it needs for itself and will not give.
    pub needs: u64,
    /// Whether the toolstack has written `maximum` and the coordinator has not looked since.
    pub cap_written: bool,
    /// Whether the toolstack has written the very cap that the coordinator had set, which cannot tell them apart before
    /// it hears of the new target.
    pub cap_ambiguous: bool,
    /// Whether its front-end is connected.
    pub connected: bool,
    /// Whether nothing in it runs.
    pub paused: bool,
    /// Whether it waits for a CPU.
    pub starved: bool,
    /// The limits that the coordinator is to keep.
    pub limits: Limits,
    /// Requests that Dom0 has read and not answered.
    pub open: BTreeMap<u32, Open>,
    /// Questions that the coordinator has asked and that are not answered, with their pages.
    pub asked: BTreeMap<u32, Question>,
    /// The front-end.
    pub session: Session,
    /// What Dom0 reads of what it writes.
    pub lane: Lane,
    /// Whether it ever cheated: nothing is promised to it.
    pub liar: bool,
    /// How much more than what it is it claims its balance to be.
    pub false_by: i64,
}

/// A request without an answer.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// What it is for.
    pub pages: u64,
    /// When the answer is due.
    pub due: Nanos,
}

/// An unanswered question.
#[derive(Clone, Copy, Debug)]
pub enum Question {
    /// A `Reclaim` of so many pages.
    Reclaim(u64),
    /// A `Give` of so many pages.
    Give(u64),
    /// A `Revoke` of so many pages.
    Revoke(u64),
}

impl Question {
    /// The pages of a `Reclaim`.
    pub fn reclaims(&self) -> u64 {
        match self {
            Self::Reclaim(pages) => *pages,
            Self::Give(_) | Self::Revoke(_) => 0,
        }
    }
}

impl Domain {
    /// As its toolstack builds it.
    pub fn new(pages: u64, limits: Limits) -> Self {
        Self {
            current: pages,
            maximum: pages + CAP_MARGIN,
            target: pages,
            cap_margin: CAP_MARGIN,
            toolstack_maximum: pages + CAP_MARGIN,
            baseline: pages,
            needs: pages / 4,
            cap_written: false,
            cap_ambiguous: false,
            connected: false,
            paused: false,
            starved: false,
            limits,
            open: BTreeMap::new(),
            asked: BTreeMap::new(),
            session: Session::default(),
            lane: Lane::default(),
            liar: false,
            false_by: 0,
        }
    }

    /// What it has, as its front-end counts it.
    pub fn holdings(&self) -> Holdings {
        let Session {
            balance,
            readahead,
            deferred,
            prepopulated,
            ..
        } = self.session;
        let size = self.current - prepopulated;
        Holdings {
            baseline: size.saturating_add_signed(-balance),
            balance,
            readahead,
            deferred,
        }
    }

    /// What its kernel has that nobody needs, besides what was populated for later.
    pub fn spare(&self) -> u64 {
        let kept = self.session.prepopulated + self.session.readahead;
        self.current.saturating_sub(kept + self.needs)
    }

    /// By how much it is larger than its toolstack wants, by its balloon's books.
    pub fn above_target(&self) -> i64 {
        self.baseline as i64 - self.target as i64
    }

    /// What it has beyond what its toolstack wants it to have, as far as its front-end accounts for it.
    pub fn accounted(&self) -> i64 {
        let Session {
            balance,
            prepopulated,
            handed_deferred,
            ..
        } = self.session;
        balance + prepopulated as i64 + self.left_over() - handed_deferred as i64
    }

    /// What was handed over to the stock balloon and not dealt with yet.
    pub fn left_over(&self) -> i64 {
        self.left_over_at(self.target)
    }

    /// As [`Domain::left_over`], if its toolstack wanted it to have `target` pages.
    pub fn left_over_at(&self, target: u64) -> i64 {
        let handed_over = self.session.handed_over;
        let excess = self.baseline as i64 - target as i64;
        excess.clamp(handed_over.min(0), handed_over.max(0))
    }

    /// The toolstack sets its cap.
    pub fn cap(&mut self, maximum: u64) {
        self.cap_ambiguous = self.maximum == maximum;
        self.cap_written |= !self.cap_ambiguous;
        self.maximum = maximum;
        self.toolstack_maximum = maximum;
    }

    /// Whether a process in it waits for an answer, or is about to take what was granted.
    pub fn is_waiting(&self) -> bool {
        !self.session.waiting.is_empty()
    }

    /// Dom0 has looked at its cap.
    pub fn cap_seen(&mut self) {
        self.cap_written = false;
        // What could be ours, and has been changed before it was said, is never known for what it was.
        self.cap_ambiguous &= self.maximum != self.toolstack_maximum;
    }

    /// Its connection is over.
    pub fn disconnect(&mut self) {
        self.connected = false;
        self.open.clear();
        self.asked.clear();
        self.lane = Lane::default();
    }
}
