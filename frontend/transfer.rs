// SPDX-License-Identifier: GPL-2.0

//! Where the time of the last transfers went, in `/sys/kernel/debug/xen-cmm/transfer`, and of all, in
//! `phases` beside it.

use crate::session::Session;
use cmm::timing::{
    Histograms,
    Phase,
    Stopwatch, //
};
use kernel::{
    debugfs::{
        Dir,
        File,
        Writer, //
    },
    fmt,
    prelude::*,
    sync::Arc, //
};
use xen::{
    clock,
    timer::now, //
};

/// This domain's part of transfers that somebody waits for.
pub(crate) struct Parts {
    taken: Part,
    given: Part,
}

struct Part {
    last: Stopwatch,
    all: KBox<Histograms>,
}

impl Part {
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

impl Parts {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            taken: Part::new()?,
            given: Part::new()?,
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
}

/// The files, removed when dropped.
pub(crate) struct Transfer {
    _last: Pin<KBox<File<Last>>>,
    _all: Pin<KBox<File<All>>>,
}

impl Transfer {
    pub(crate) fn new(session: Arc<Session>) -> Result<Self> {
        let dir = Dir::new(c"xen-cmm");
        let last = Last(session.clone());
        Ok(Self {
            _last: KBox::pin_init(dir.read_only_file(c"transfer", last), GFP_KERNEL)?,
            _all: KBox::pin_init(dir.read_only_file(c"phases", All(session)), GFP_KERNEL)?,
        })
    }
}

struct Last(Arc<Session>);

impl Writer for Last {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ahead = clock::ahead();
        let parts = self.0.parts.lock();
        writeln!(f, "{}", Stopwatch::TITLE)?;
        parts.taken.last.show(f, format_args!("requester"), ahead)?;
        parts.given.last.show(f, format_args!("donor"), ahead)
    }
}

struct All(Arc<Session>);

impl Writer for All {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.0.parts.lock();
        parts.taken.all.show(f, "requester")?;
        parts.given.all.show(f, "donor")
    }
}
