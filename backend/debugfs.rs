// SPDX-License-Identifier: GPL-2.0

//! Locks: the files in `/sys/kernel/debug/xen-cmm`, copied under that of the books: these in `ledger`, where
//! the time of each domain's last request went here in `transfer`, how it was answered in `answers`, and where the
//! time of all that is done here went in `phases`.

use crate::core::Core;
use cmm::{
    client::Reason,
    coordinator::View,
    pages::to_kib,
    timing::Stopwatch, //
};
use kernel::{
    debugfs::{
        Dir,
        File,
        Writer, //
    },
    fmt,
    prelude::*, //
};
use xen::out_of_tree::clock;

/// The files, removed when dropped.
pub(crate) struct Files {
    _ledger: Pin<KBox<File<Ledger>>>,
    _transfer: Pin<KBox<File<Transfer>>>,
    _answers: Pin<KBox<File<Answers>>>,
    _phases: Pin<KBox<File<Phases>>>,
}

impl Files {
    pub(crate) fn new(core: &Core) -> Result<Self> {
        let dir = Dir::new(c"xen-cmm");
        let ledger = dir.read_only_file(c"ledger", Ledger(core.clone()));
        let transfer = dir.read_only_file(c"transfer", Transfer(core.clone()));
        let answers = dir.read_only_file(c"answers", Answers(core.clone()));
        let phases = dir.read_only_file(c"phases", Phases(core.clone()));
        Ok(Self {
            _ledger: KBox::pin_init(ledger, GFP_KERNEL)?,
            _transfer: KBox::pin_init(transfer, GFP_KERNEL)?,
            _answers: KBox::pin_init(answers, GFP_KERNEL)?,
            _phases: KBox::pin_init(phases, GFP_KERNEL)?,
        })
    }
}

struct Ledger(Core);

impl Writer for Ledger {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (views, pool, balanced) = self.0.books().map_err(|_| fmt::Error)?;

        writeln!(f, "# sizes in KiB")?;
        writeln!(
            f,
            "dom size max balance credit in-flight asked forgiven available floor ceiling weight protected waiting \
             disbelieved state"
        )?;
        for view in &views {
            write_domain(f, view)?;
        }
        writeln!(f, "pool {}", to_kib(pool))?;
        writeln!(f, "books {}", if balanced { "balanced" } else { "BROKEN" })
    }
}

fn write_domain(f: &mut fmt::Formatter<'_>, view: &View) -> fmt::Result {
    let sign = if view.balance < 0 { "-" } else { "" };
    writeln!(
        f,
        "{} {} {} {}{} {} {} {} {} {} {} {} {} {} {} {} {}",
        view.dom.raw(),
        to_kib(view.seen.current),
        to_kib(view.seen.maximum),
        sign,
        to_kib(view.balance.unsigned_abs()),
        to_kib(view.credit),
        to_kib(view.in_flight),
        to_kib(view.reclaiming),
        to_kib(view.forgiven),
        to_kib(view.available),
        to_kib(view.limits.floor),
        to_kib(view.limits.ceiling),
        view.limits.weight,
        u8::from(view.limits.protected),
        view.waiting,
        view.disbelieved,
        if view.connected { "connected" } else { "away" },
    )
}

struct Transfer(Core);

impl Writer for Transfer {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ahead = clock::ahead();
        let stopwatches = self.0.stopwatches().map_err(|_| fmt::Error)?;
        writeln!(f, "{}", Stopwatch::TITLE)?;
        for (dom, stopwatch) in &stopwatches {
            stopwatch.show(f, format_args!("dom0-for-{}", dom.raw()), ahead)?;
        }
        Ok(())
    }
}

struct Answers(Core);

impl Writer for Answers {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers = self.0.answers().map_err(|_| fmt::Error)?;
        writeln!(f, "dom granted reason")?;
        for (dom, (pages, reason)) in &answers {
            let reason = Reason::name(Reason::Answered(*reason).to_number()).unwrap_or("?");
            writeln!(f, "{} {} {}", dom.raw(), to_kib(*pages), reason)?;
        }
        Ok(())
    }
}

struct Phases(Core);

impl Writer for Phases {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phases = self.0.phases().map_err(|_| fmt::Error)?;
        phases.show(f, "dom0")
    }
}
