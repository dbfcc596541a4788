// SPDX-License-Identifier: GPL-2.0

//! Where the time of each domain's last request went here, in `/sys/kernel/debug/xen-cmm/transfer`, and
//! that of all that is done here, in `phases` beside it.

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

/// The files, removed when dropped.
pub(crate) struct Transfer {
    _last: Pin<KBox<File<Last>>>,
    _all: Pin<KBox<File<All>>>,
}

impl Transfer {
    pub(crate) fn new(dir: &Dir, core: Arc<Core>) -> Result<Self> {
        let last = Last(core.clone());
        Ok(Self {
            _last: KBox::pin_init(dir.read_only_file(c"transfer", last), GFP_KERNEL)?,
            _all: KBox::pin_init(dir.read_only_file(c"phases", All(core)), GFP_KERNEL)?,
        })
    }
}

struct Last(Arc<Core>);

impl Writer for Last {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ahead = clock::ahead();
        let laps = self.0.laps().map_err(|_| fmt::Error)?;
        writeln!(f, "{}", Laps::TITLE)?;
        for (dom, laps) in &laps {
            laps.show(f, format_args!("dom0-for-{}", dom.raw()), ahead)?;
        }
        Ok(())
    }
}

struct All(Arc<Core>);

impl Writer for All {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phases = self.0.phases().map_err(|_| fmt::Error)?;
        phases.show(f, "dom0")
    }
}
