// SPDX-License-Identifier: GPL-2.0

//! How fast a domain gives.

use crate::protocol::DONOR_PAGE_NANOS;
use crate::time::Nanos;

/// How many times as long as it usually takes a donor may take: it may have to reclaim now, or to share its CPU.
const LENIENCE: Nanos = 4;

/// What answers take however little is asked for would count as slowness of a page of these.
const FEWEST: u64 = 64;

/// How long a page takes a domain, learned from its answers. It says so by being slow, so it is believed within limits
/// only: whoever waits for it in vain should not wait long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Pace {
    /// For a page; 0 if nothing is known.
    nanos: Nanos,
}

impl Pace {
    /// The domain gave so many pages, which took so long.
    pub(in super::super) fn learn(&mut self, pages: u64, nanos: Nanos) {
        if pages < FEWEST {
            return;
        }
        let sample = (nanos / pages).clamp(1, DONOR_PAGE_NANOS);
        self.nanos = match self.nanos {
            0 => sample,
            known => (3 * known + sample).div_ceil(4),
        };
    }

    /// How long it may take over so many pages, besides what any answer may take.
    pub(in super::super) fn allows(&self, pages: u64) -> Nanos {
        let page = match self.nanos {
            0 => DONOR_PAGE_NANOS,
            known => LENIENCE * known,
        };
        page.saturating_mul(pages)
    }
}
