// SPDX-License-Identifier: GPL-2.0

//! Whose cap is that? The toolstack and the coordinator both set a domain's `max_pages`, and Xen remembers one number.

use super::super::host::Reservation;
use super::super::record::Record;
use crate::pages::{above, signed};

/// How far a toolstack sets caps above its targets at most, in pages: 32 MiB. libxl's margin is 1 MiB, and what it keeps
/// for a screen. A cap further above lets a domain grow, which says nothing of what it has.
const MOST_MARGIN: i64 = 8_192;

/// Pages of which it is not known whether a domain has them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uncertain {
    /// It was asked for them, and may have given them.
    pub reclaiming: u64,
    /// It was granted them, and may not have taken them.
    pub in_flight: u64,
}

/// A domain's cap, as the toolstack and we set it.
///
/// The toolstack sets caps as if we did not exist: what it wants the domain to have (`memory/target`), and a margin that
/// it most often adds. We set the toolstack's cap with our part in it, which is what the domain borrowed, less what it
/// lent; `ours` in all that follows. So each time we look, we must say whose the cap is that Xen has:
///
/// | Xen has | the target | so |
/// |---|---|---|
/// | another cap than we set or saw | | the toolstack set it, and our part is to be added |
/// | the one we set or saw | is as it was | nobody has touched it |
/// | the one we set or saw | changed, and the toolstack's last cap fits it | the cap came before the target |
/// | the one we set, and it is what the toolstack would set now | changed | the toolstack set the very same |
/// | the one we set, after another that the toolstack would set now | changed | it set the very same as that one |
/// | the one we set or saw, and never had what the toolstack would set | changed | the target was moved alone |
///
/// The margin is taken from the first cap and target that we see, and fixed as soon as it matters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cap {
    /// The cap as the toolstack last set it, without our part.
    toolstack: u64,
    /// What the toolstack last wanted the domain to have.
    target: u64,
    /// How far above the target the toolstack sets the cap; `None` as long as that cannot be told from the two.
    margin: Option<i64>,
    /// The toolstack has set the cap since it last said what it wants, as far as we know.
    came_first: bool,
    /// Whether `seen` is a cap that we set or saw, and not a guess.
    known: bool,
    /// The cap that we last set or saw: any other is the toolstack's word.
    seen: u64,
    /// The smallest and the largest cap that Xen had, as far as we know, since the toolstack last said what it wants.
    between: (u64, u64),
    /// How far the domain may be above its cap, because the toolstack lowered that and the stock balloon takes its
    /// time. It shrinks no more once known, because what the domain has given and not reported cannot be told from
    /// what its balloon gave; a front-end can only abuse it to lend what the toolstack took from it.
    over: u64,
    /// What the domain was forgiven at the cost of the margin, since the toolstack last set the cap: its cap is lower
    /// by it.
    forgiven: u64,
    /// What it owes and says that it took below its cap, since the toolstack last set that: its cap is lower by it, too.
    below: u64,
    /// The domain must not grow, whatever it may have.
    pinned: bool,
}

impl Cap {
    /// Of a domain that we see for the first time, and whose toolstack wants it to have `target` pages.
    pub fn new(target: u64) -> Self {
        Self {
            target,
            came_first: true,
            between: (u64::MAX, 0),
            ..Self::default()
        }
    }

    /// Of a domain that an earlier back-end knew.
    pub fn recalled(record: &Record) -> Self {
        let mut cap = Self {
            toolstack: record.toolstack_maximum,
            target: record.target,
            margin: Some(record.cap_margin),
            came_first: false,
            known: true,
            seen: record.maximum,
            // Nobody wrote down which there were.
            between: (0, u64::MAX),
            over: record.over_cap,
            forgiven: record.forgiven.saturating_sub(record.below),
            below: record.below,
            pinned: false,
        };
        cap.came_first = !cap.fits();
        cap
    }

    /// What to write down of it.
    pub fn record(&self, record: &mut Record) {
        record.maximum = self.seen;
        record.toolstack_maximum = self.toolstack;
        record.target = self.target;
        record.cap_margin = self.margin();
        record.over_cap = self.over;
        record.forgiven = self.forgiven();
        record.below = self.below;
    }

    /// The most that the domain may have with what it borrows, if the toolstack has said that: by a cap that is not the
    /// one for what it wants the domain to have (`xl mem-max`).
    pub fn bound(&self) -> Option<u64> {
        (!self.fits()).then_some(self.toolstack)
    }

    /// What the toolstack wants the domain to have.
    pub fn target(&self) -> u64 {
        self.target
    }

    /// The cap that we last set or saw.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// By how much the cap is lower for what the domain was forgiven, or took below it.
    pub fn forgiven(&self) -> u64 {
        self.forgiven.saturating_add(self.below)
    }

    /// Whether the domain must not grow.
    pub fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// What the domain may have; negative if it lent more than the toolstack now lets it have.
    fn entitled(&self, ours: i64) -> i64 {
        signed(self.toolstack) - signed(self.forgiven()) + ours
    }

    /// What the cap should be. None lets a domain grow that gives at the same time, but one of nothing.
    pub fn due(&self, ours: i64) -> i64 {
        if self.pinned {
            0
        } else {
            self.entitled(ours)
        }
    }

    /// The most that the domain can have, if it has given back all it says.
    pub fn most(&self, ours: i64) -> i64 {
        self.entitled(ours) + signed(self.over)
    }

    /// The most that it can have had when its size, without our part, was `seen`. Its toolstack may let it have more than
    /// it wants it to have (`xl mem-max`). What it might have grown by is Xen's, and nothing that it could give.
    pub fn most_had(&self, ours: i64, seen: i64) -> i64 {
        let margin = self.margin().min(MOST_MARGIN);
        let meant = signed(self.target) + margin - signed(self.forgiven()) + signed(self.over);
        self.most(ours).min(meant.max(seen) + ours)
    }

    /// What it took below its cap, for which that stays as it is.
    pub fn below(&self) -> u64 {
        self.below
    }

    /// We have set this cap.
    pub fn set(&mut self, maximum: u64) {
        let (smallest, largest) = self.between;
        self.between = (smallest.min(maximum), largest.max(maximum));
        self.seen = maximum;
    }

    /// The domain is owed so much less, because it has the pages. Why it has them cannot be known: it may have had them
    /// all the time. So the most that it can have stays the same, or who lends and is owed nothing, over and over,
    /// would make memory out of nothing.
    pub fn forgive(&mut self, pages: u64) {
        let passed = pages.min(self.over);
        self.over -= passed;
        self.forgiven += pages - passed;
    }

    /// The domain must not grow.
    pub fn pin(&mut self) {
        self.pinned = true;
    }

    /// The domain may grow again.
    pub fn unpin(&mut self) {
        self.pinned = false;
    }

    /// The domain owes so much more, and says that it took that below its cap as it was. That stays as it is, or there
    /// would be something to gain by saying so.
    pub fn took_below(&mut self, pages: u64) {
        self.below = self.below.saturating_add(pages);
    }

    /// How much of what the domain gives back it took below its cap, which then is not lowered either.
    pub fn of_below(&self, pages: u64) -> u64 {
        self.below.min(pages)
    }

    /// It has given so much of that back.
    pub fn gave_below(&mut self, pages: u64) {
        self.below = self.below.saturating_sub(pages);
    }

    /// Xen says what the domain has and what cap.
    pub fn heard(&mut self, found: Reservation, ours: i64, uncertain: Uncertain) {
        self.fix_margin(found.maximum, ours);
        if !self.known {
            self.known = true;
            self.toolstack = found.maximum;
            self.over = above(signed(found.current), self.entitled(ours));
        } else if found.maximum != self.seen {
            self.believe(found.maximum, found.current, ours, uncertain);
            self.came_first = true;
        }
        self.set(found.maximum);
    }

    /// The toolstack wants the domain to have another size. It has set the cap before; if we have seen that since it
    /// last said what it wants, it is likely to be the one.
    pub fn retarget(&mut self, target: u64, found: Reservation, ours: i64, uncertain: Uncertain) {
        self.fix_margin(found.maximum, ours);
        let changed = core::mem::replace(&mut self.target, target) != target;
        let meant = self.meant();
        let had = signed(self.between.0)..=signed(self.between.1);
        let overlooked = found.maximum == self.seen && !self.fits() && had.contains(&meant);
        let same = meant == signed(found.maximum);
        if changed && overlooked && (same || !self.came_first) {
            self.believe(meant.max(0).unsigned_abs(), found.current, ours, uncertain);
        }
        self.heard(found, ours, uncertain);
        if changed {
            self.between = (self.seen, self.seen);
        }
        if changed && !self.fits() {
            self.margin = None;
        }
        self.came_first &= !self.fits();
    }

    /// Takes a cap for the toolstack's word, when the domain has `current` pages.
    fn believe(&mut self, cap: u64, current: u64, ours: i64, uncertain: Uncertain) {
        let most = self.most(ours);
        self.toolstack = cap;
        (self.forgiven, self.below) = (0, 0);
        let due = self.entitled(ours);
        self.over = above(most, due);
        // It may have raised the cap and lowered it again while no back-end was loaded. What is due counts what is in
        // flight as taken.
        let current = signed(current);
        let taken = current + signed(uncertain.in_flight);
        let had = if current > due {
            taken + signed(uncertain.reclaiming)
        } else {
            taken
        };
        self.over = self.over.max(above(had, due));
    }

    /// How far above the target the toolstack sets the cap, as far as is known.
    fn margin(&self) -> i64 {
        let seen = signed(self.toolstack) - signed(self.target);
        self.margin.unwrap_or(seen)
    }

    /// Takes what is known of the margin for certain before it matters: once our part is in the cap, so that one of the
    /// toolstack's could be taken for it, or when there is another. What is known of the target may be older than the
    /// first cap we see.
    fn fix_margin(&mut self, maximum: u64, ours: i64) {
        if !self.came_first && (ours != 0 || maximum != self.seen) {
            self.margin = Some(self.margin());
        }
    }

    /// The cap that the toolstack sets for the target, as far as is known.
    fn meant(&self) -> i64 {
        signed(self.target) + self.margin()
    }

    /// Whether the toolstack's cap is the one for the target.
    fn fits(&self) -> bool {
        self.meant() == signed(self.toolstack)
    }
}
