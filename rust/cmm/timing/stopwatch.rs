// SPDX-License-Identifier: GPL-2.0

//! Where the time of a transfer goes.
//!
//! Requester, Dom0 and donor each keep the time of their own part with a [`Stopwatch`], which puts all of it down to one
//! [`Phase`] or another. A phase may come many times, once for each extent for example. No time is left out, so that the
//! phases of a part add up to the whole. As all clocks are Xen's, the parts can be laid side by side.

use core::fmt;

/// What a part of a transfer consists of, in the order in which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Requester: until Dom0 has been asked.
    Ask,
    /// Requester: until Dom0's answer has come in.
    Answer,
    /// Requester, donor: from the event to the thread that acts on it.
    WakeUp,
    /// Donor: zeroed pages are allocated.
    Allocate,
    /// Donor: their mappings are removed.
    Unmap,
    /// Donor: their memory is given back to Xen.
    Release,
    /// Dom0: what came in is read and decided on.
    Decide,
    /// Dom0: donors work.
    Donors,
    /// Dom0: Xen is asked for sizes, and has its limits set.
    Caps,
    /// Dom0: events are sent.
    Notify,
    /// Requester: page frames are found for the memory.
    Frames,
    /// Requester: Xen puts memory behind them.
    Populate,
    /// Requester: they are mapped.
    Map,
    /// Requester: the page allocator gets them.
    Free,
    /// Requester, donor: Dom0 is told.
    Tell,
}

impl Phase {
    /// All, in order, with the names they go by.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::Ask, "ask"),
        (Self::Answer, "answer"),
        (Self::WakeUp, "wake-up"),
        (Self::Allocate, "allocate"),
        (Self::Unmap, "unmap"),
        (Self::Release, "release"),
        (Self::Decide, "decide"),
        (Self::Donors, "donors"),
        (Self::Caps, "caps"),
        (Self::Notify, "notify"),
        (Self::Frames, "frames"),
        (Self::Populate, "populate"),
        (Self::Map, "map"),
        (Self::Free, "free"),
        (Self::Tell, "tell"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.get(self as usize).map_or("?", |(_, name)| *name)
    }
}

/// All that a phase took, together.
///
/// In 32 bits, so that a stopwatch is small and cheap to keep: what took four seconds or more is said to have taken as
/// long as that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// How much time it took.
    pub spent: u32,
    /// When it last ended, counted from the beginning.
    pub until: u32,
}

/// The stopwatch of one side's part of a transfer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stopwatch {
    /// Which request or demand this is; 0 for one that Dom0 was not asked for.
    pub id: u32,
    pages: u64,
    began: u64,
    /// When the last split was.
    last: u64,
    /// Which phases have been: a bit for each.
    been: u32,
    spans: [Span; Phase::ALL.len()],
}

impl Stopwatch {
    /// What the columns of [`Stopwatch::show`] are.
    pub const TITLE: &str = "who id pages began phase ns until";

    /// Starts the stopwatch.
    pub fn begin(id: u32, pages: u64, now: u64) -> Self {
        Self {
            id,
            pages,
            began: now,
            last: now,
            ..Self::default()
        }
    }

    /// A stopwatch that was started when this one was.
    pub fn again(&self, id: u32, pages: u64) -> Self {
        Self::begin(id, pages, self.began)
    }

    /// Puts the time since the last split, or since the beginning, down to a phase.
    pub fn split(&mut self, phase: Phase, now: u64) {
        let now = now.max(self.last);
        self.add(phase, now - self.last, now);
        self.last = now;
    }

    /// Puts `spent` down to a phase that ended at `end`.
    fn add(&mut self, phase: Phase, spent: u64, end: u64) {
        if let Some(span) = self.spans.get_mut(phase as usize) {
            span.spent = span.spent.saturating_add(short(spent));
            span.until = short(end.saturating_sub(self.began));
            self.been |= 1 << phase as u32;
        }
    }

    /// Goes on with the spans of `other`, which began later: the time between is put down to `gap`.
    pub fn join(&mut self, gap: Phase, other: &Self) {
        if other.began > self.last {
            self.split(gap, other.began);
        }
        for (phase, span) in other.phases() {
            self.add(
                phase,
                span.spent.into(),
                other.began + u64::from(span.until),
            );
        }
        self.last = self.last.max(other.last);
    }

    /// Shows a line for each phase: whose part of which request or demand it belongs to, of how many pages, and when
    /// that began on a clock that is `ahead` of the stopwatch's; the phase's name, how long it was, and how long after
    /// the beginning it ended. The beginning is 0 if that clock is not known.
    pub fn show(
        &self,
        f: &mut fmt::Formatter<'_>,
        who: fmt::Arguments<'_>,
        ahead: Option<i64>,
    ) -> fmt::Result {
        let Self { id, pages, .. } = self;
        let began = ahead.map_or(0, |ahead| self.began.saturating_add_signed(ahead));
        for (phase, Span { spent, until }) in self.phases() {
            let name = phase.name();
            writeln!(f, "{who} {id} {pages} {began} {name} {spent} {until}")?;
        }
        Ok(())
    }

    /// How long a phase was.
    pub fn spent(&self, phase: Phase) -> u32 {
        self.spans.get(phase as usize).map_or(0, |span| span.spent)
    }

    /// All the time until the last split.
    pub fn total(&self) -> u64 {
        self.last - self.began
    }

    /// The phases there were. The others, which are most, cost nothing.
    pub fn phases(&self) -> impl Iterator<Item = (Phase, Span)> + '_ {
        let mut left = self.been;
        core::iter::from_fn(move || {
            let first = left.trailing_zeros() as usize;
            let (phase, _) = Phase::ALL.get(first)?;
            left &= left - 1;
            Some((*phase, *self.spans.get(first)?))
        })
    }
}

/// As many ns as fit.
fn short(nanos: u64) -> u32 {
    u32::try_from(nanos).unwrap_or(u32::MAX)
}
