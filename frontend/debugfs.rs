// SPDX-License-Identifier: GPL-2.0

//! Locks: `transfer` and `phases` in `/sys/kernel/debug/xen-cmm/`, written under that of the timings.

use crate::session::Session;
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
use xen::out_of_tree::clock;

/// The files, removed when dropped.
pub(crate) struct Debugfs {
    _last: Pin<KBox<File<Last>>>,
    _all: Pin<KBox<File<All>>>,
}

impl Debugfs {
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
        self.0.timings.lock().show_last(f, ahead)
    }
}

struct All(Arc<Session>);

impl Writer for All {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.timings.lock().show_all(f)
    }
}
