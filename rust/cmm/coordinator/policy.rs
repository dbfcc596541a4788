// SPDX-License-Identifier: GPL-2.0

//! Who is asked to give: pure functions of what is known about the candidates.

use super::host::Activity;
use super::top::Top;
use crate::protocol::MAX_PAGES;
use crate::tables::Index;

/// The most donors that are asked at once: the answer is as slow as the slowest of them.
pub(super) const MAX_DONORS: usize = 8;

/// How the donors of a request are picked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// As few donors as possible, the one with most to spare for its weight first.
    #[default]
    Largest,
    /// Several donors, each in proportion to what it has to spare for its weight.
    Spread,
}

impl Policy {
    /// The name that the knob `policy` shows and takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Largest => "largest",
            Self::Spread => "spread",
        }
    }

    /// The policy of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Largest, Self::Spread]
            .into_iter()
            .find(|policy| policy.name() == name)
    }
}

/// What is known about a domain that may be asked to give.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Candidate {
    /// Its place among the domains.
    pub(super) index: Index,
    /// What it can give without hurting itself or crossing its floor, in pages.
    pub(super) spare: u64,
    /// What it borrowed and could be made to give, above its floor, in pages.
    pub(super) recallable: u64,
}

/// What is needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// How much, in pages.
    pub(super) pages: u64,
    /// How much of it the requester has lent itself, and may have back from any borrower.
    pub(super) recall: u64,
}

/// Recalls rank before all that is given freely.
const RECALL: u64 = 1 << 63;
/// Among these, those that can answer at once before those that cannot.
const READY: u64 = 1 << 62;
/// The largest key without marks; a few of them can be summed.
const KEY_MAX: u64 = (1 << 59) - 1;

/// The best donors, with their keys.
pub(super) type Best = Top<Candidate, MAX_DONORS>;

/// Donors with what to ask each for, in pages; at most [`MAX_DONORS`].
pub(super) type Picks = [(Index, u64); MAX_DONORS];

/// Finds the best donors, of those who borrowed and those who have something to spare, with what they are ranked by: those from whom what was lent can be had back, but no more of them than that takes, and then
/// those with most to spare for their weight. Otherwise borrowers of a page each would hide all who have thousands.
pub(super) fn best(
    need: Need,
    recalled: impl Iterator<Item = (u64, Candidate)>,
    spare: impl Iterator<Item = (u64, Candidate)>,
) -> Best {
    let mut best = Best::new();
    let mut left = need;
    for (key, candidate) in recalled {
        if left.recall > 0 {
            left.take(&candidate, u64::MAX);
            best.offer(key | RECALL, candidate);
        }
    }
    for (key, candidate) in spare {
        if best.iter().all(|(_, other)| other.index != candidate.index) {
            best.offer(key, candidate);
        }
    }
    best
}

/// Leaves out those that wait for a CPU if the others have enough, and those that are paused or gone, which are
/// returned.
///
/// What a domain is doing costs a question, so it is not asked about those who will not be asked for anything.
pub(super) fn ready_first(
    policy: Policy,
    need: Need,
    best: &mut Best,
    mut activity: impl FnMut(Index) -> Option<Activity>,
) -> Top<Index, MAX_DONORS> {
    let (mut ready, mut waiting, mut absent) = (Best::new(), Best::new(), Top::new());
    let mut left = need;
    for (key, candidate) in best.iter() {
        if left.pages == 0 && policy == Policy::Largest {
            break;
        }
        match activity(candidate.index) {
            Some(Activity::Running | Activity::Blocked) => {
                left.take(&candidate, u64::MAX);
                ready.offer(key | READY, candidate);
            }
            Some(Activity::Waiting) => waiting.offer(key, candidate),
            Some(Activity::Paused) | None => absent.offer(key, candidate.index),
        }
    }
    if left.pages > 0 {
        for (key, candidate) in waiting.iter() {
            ready.offer(key, candidate);
        }
    }
    *best = ready;
    absent
}

/// Shares out what is needed among the best; places left over ask for nothing.
pub(super) fn share_out(policy: Policy, need: Need, best: &Best) -> Picks {
    let mut picks = Picks::default();
    let mut left = need;
    if policy == Policy::Spread {
        let total: u64 = best.iter().map(|(key, _)| key & KEY_MAX).sum();
        for ((key, candidate), pick) in best.iter().zip(&mut picks) {
            let share = share(need.pages, key & KEY_MAX, total);
            *pick = (candidate.index, left.take(&candidate, share));
        }
    }
    // Largest first: everything; after spreading: what the smaller ones could not carry of their share.
    for ((_, candidate), pick) in best.iter().zip(&mut picks) {
        let more = candidate.without(pick.1);
        *pick = (candidate.index, pick.1 + left.take(&more, u64::MAX));
    }
    picks
}

/// The inverse of a weight, so that choosing among many domains takes no division for each.
pub(super) fn readiness(weight: u32) -> u64 {
    (1 << 31) / u64::from(weight.max(1))
}

/// What donors are ranked by: what they have to give for their weight, 0 for nothing. Fractions of a page count, so that
/// large weights still tell.
pub(super) fn rank(pages: u64, readiness: u64) -> u64 {
    pages.saturating_mul(readiness).min(KEY_MAX)
}

/// The part of `pages` that `key` is of `total`, rounded up.
///
/// In 64 bits, for a kernel module has no 128-bit division: of a large total only the leading bits count.
fn share(pages: u64, key: u64, total: u64) -> u64 {
    let total = total.max(1);
    let shift = total.ilog2().saturating_sub(31);
    let part = pages
        .min(MAX_PAGES)
        .saturating_mul(key >> shift)
        .div_ceil(total >> shift);
    part.min(pages)
}

impl Candidate {
    fn without(self, pages: u64) -> Self {
        Self {
            spare: self.spare.saturating_sub(pages),
            recallable: self.recallable.saturating_sub(pages),
            ..self
        }
    }
}

impl Need {
    /// Takes up to `most` pages of what is needed from this donor.
    fn take(&mut self, from: &Candidate, most: u64) -> u64 {
        let recalled = from.recallable.min(self.recall);
        let pages = from.spare.max(recalled).min(self.pages).min(most);
        self.pages -= pages;
        self.recall = self.recall.saturating_sub(pages);
        pages
    }
}
