// SPDX-License-Identifier: GPL-2.0

//! Memory: where the time of this domain's part of transfers went.

use cmm::timing::{
    Histograms,
    Phase,
    Stopwatch, //
};
use kernel::{
    fmt,
    prelude::*, //
};
use xen::timer::now;

/// One side of transfers: the last of them, and all.
struct Timing {
    last: Stopwatch,
    all: KBox<Histograms>,
}

impl Timing {
    fn new() -> Result<Self> {
        Ok(Self {
            last: Stopwatch::default(),
            all: KBox::new(Histograms::default(), GFP_KERNEL)?,
        })
    }

    /// Takes down a transfer of which Dom0 has been told; returns how long it took.
    fn note(&mut self, stopwatch: &Stopwatch) -> u64 {
        self.all.add(stopwatch);
        self.last = *stopwatch;
        // This takes its time, too.
        self.last.split(Phase::Tell, now());
        self.all.count(Phase::Tell, self.last.spent(Phase::Tell));
        self.last.total()
    }
}

/// This domain's part of transfers that somebody waits for.
pub(crate) struct Timings {
    taken: Timing,
    given: Timing,
}

impl Timings {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            taken: Timing::new()?,
            given: Timing::new()?,
        })
    }

    /// This domain was the requester; returns how long it took.
    pub(crate) fn taken(&mut self, stopwatch: &Stopwatch) -> u64 {
        self.taken.note(stopwatch)
    }

    /// This domain was a donor.
    pub(crate) fn given(&mut self, stopwatch: &Stopwatch) {
        self.given.note(stopwatch);
    }

    /// Shows the last of each, on a clock that is `ahead` of ours.
    pub(crate) fn show_last(&self, f: &mut fmt::Formatter<'_>, ahead: Option<i64>) -> fmt::Result {
        writeln!(f, "{}", Stopwatch::TITLE)?;
        let (taken, given) = (&self.taken.last, &self.given.last);
        taken.show(f, format_args!("requester"), ahead)?;
        given.show(f, format_args!("donor"), ahead)
    }

    /// Shows how often each phase took how long.
    pub(crate) fn show_all(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.taken.all.show(f, "requester")?;
        self.given.all.show(f, "donor")
    }
}
