// SPDX-License-Identifier: GPL-2.0

//! Locks: `transfer` and `phases` in `/sys/kernel/debug/xen-cmm/`, written under that of the timings,
//! and `auto`, which is a copy.

use crate::{
    auto::Automatic,
    report::Reporter,
    session::Session, //
};
use cmm::pages::to_kib;
use kernel::{
    debugfs::{
        Dir,
        File,
        Writer, //
    },
    fmt,
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    }, //
};
use xen::{
    out_of_tree::clock,
    timer::Timer, //
};

/// The files, removed when dropped.
pub(crate) struct Debugfs {
    _last: Pin<KBox<File<Last>>>,
    _all: Pin<KBox<File<All>>>,
    _auto: Pin<KBox<File<ByItself>>>,
}

impl Debugfs {
    pub(crate) fn new(
        session: Arc<Session>,
        automatic: Arc<Automatic>,
        alarm: Arc<Timer<Reporter>>,
    ) -> Result<Self> {
        let dir = Dir::new(c"xen-cmm");
        let last = Last(session.clone());
        let by_itself = ByItself { automatic, alarm };
        Ok(Self {
            _last: KBox::pin_init(dir.read_only_file(c"transfer", last), GFP_KERNEL)?,
            _all: KBox::pin_init(dir.read_only_file(c"phases", All(session)), GFP_KERNEL)?,
            _auto: KBox::pin_init(dir.read_only_file(c"auto", by_itself), GFP_KERNEL)?,
        })
    }
}

struct Last(Arc<Session>);

impl Writer for Last {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ahead = clock::ahead();
        self.0.timings.lock().show_last(f, ahead)
    }
}

struct All(Arc<Session>);

impl Writer for All {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.timings.lock().show_all(f)
    }
}

struct ByItself {
    automatic: Arc<Automatic>,
    alarm: Arc<Timer<Reporter>>,
}

impl Writer for ByItself {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tally, rate) = self.automatic.tally();
        let rescues = *self.automatic.rescues.lock();
        writeln!(f, "looks {}", tally.looks)?;
        writeln!(f, "woken {}", self.automatic.woken())?;
        writeln!(f, "alarms {}", self.alarm.target().alarms.load(Relaxed))?;
        writeln!(f, "rate_kb_s {}", to_kib(rate))?;
        writeln!(f, "asked {}", tally.asked)?;
        writeln!(f, "refused {}", tally.refused)?;
        writeln!(f, "got_kb {}", to_kib(tally.got))?;
        writeln!(f, "given_back_kb {}", to_kib(tally.given_back))?;
        writeln!(f, "regrets {}", tally.regrets)?;
        writeln!(f, "rescued {}", rescues.rescued)?;
        writeln!(f, "not_rescued {}", rescues.failed)
    }
}
