// SPDX-License-Identifier: GPL-2.0

//! Where the time of each domain's last request went here, in `/sys/kernel/debug/xen-cmm/transfer`.

use crate::service::Core;
use cmm::laps::Laps;
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
use xen::clock;

/// The file, removed when dropped.
pub(crate) struct Transfer {
    _file: Pin<KBox<File<Table>>>,
}

impl Transfer {
    pub(crate) fn new(dir: &Dir, core: Arc<Core>) -> Result<Self> {
        let file = dir.read_only_file(c"transfer", Table { core });
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
        let ahead = clock::ahead();
        let laps = self.core.laps().map_err(|_| fmt::Error)?;
        writeln!(f, "{}", Laps::TITLE)?;
        for (dom, laps) in &laps {
            laps.show(f, format_args!("dom0-for-{}", dom.raw()), ahead)?;
        }
        Ok(())
    }
}
