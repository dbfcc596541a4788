// SPDX-License-Identifier: GPL-2.0

//! The ledger as a table, in `/sys/kernel/debug/xen-cmm/ledger`.

use crate::service::Core;
use cmm::{
    coordinator::View,
    pages::to_kib, //
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

/// The file, removed when dropped.
pub(crate) struct Ledger {
    _file: Pin<KBox<File<Table>>>,
}

impl Ledger {
    pub(crate) fn new(dir: &Dir, core: Arc<Core>) -> Result<Self> {
        let file = dir.read_only_file(c"ledger", Table { core });
        Ok(Self {
            _file: KBox::pin_init(file, GFP_KERNEL)?,
        })
    }
}

struct Table {
    core: Arc<Core>,
}

impl Writer for Table {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (views, pool, balanced) = self.core.books().map_err(|_| fmt::Error)?;

        writeln!(f, "# sizes in KiB")?;
        writeln!(
            f,
            "dom size max balance credit in-flight asked forgiven available floor ceiling weight disbelieved \
             state"
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
        "{} {} {} {}{} {} {} {} {} {} {} {} {} {} {}",
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
        view.disbelieved,
        if view.connected { "connected" } else { "away" },
    )
}
