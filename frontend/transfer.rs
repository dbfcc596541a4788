// SPDX-License-Identifier: GPL-2.0

//! Where the time of the last transfers went, in `/sys/kernel/debug/xen-cmm/transfer`.

use crate::session::Session;
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

/// This domain's part of the last transfers that somebody waited for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Last {
    /// As the requester.
    pub(crate) taken: Laps,
    /// As a donor.
    pub(crate) given: Laps,
}

/// The file, removed when dropped.
pub(crate) struct Transfer {
    _file: Pin<KBox<File<Table>>>,
}

impl Transfer {
    pub(crate) fn new(session: Arc<Session>) -> Result<Self> {
        let dir = Dir::new(c"xen-cmm");
        let file = dir.read_only_file(c"transfer", Table { session });
        Ok(Self {
            _file: KBox::pin_init(file, GFP_KERNEL)?,
        })
    }
}

struct Table {
    session: Arc<Session>,
}

impl Writer for Table {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ahead = clock::ahead();
        let last = *self.session.last.lock();
        writeln!(f, "{}", Laps::TITLE)?;
        last.taken.show(f, format_args!("requester"), ahead)?;
        last.given.show(f, format_args!("donor"), ahead)
    }
}
