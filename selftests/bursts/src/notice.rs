// SPDX-License-Identifier: GPL-2.0

//! How fast memory must come for a program not to notice.
//!
//! A program notices when it needs a page and there is none: it is held up, or killed. A domain has
//! some *headroom*: memory that nothing in it needs when a rise begins. A rise shows when it has
//! taken [`SHOWS`]; nobody could know of it before. The *time allowed* by a rise is what passes from
//! that moment until the headroom is used up. Memory that comes within that time is not missed; a
//! rise that the headroom is enough for allows any time.

use crate::rise::Rise;
use crate::series::Series;

/// After so many pages a rise can be told from nothing: 1 MiB, what a kernel's counters may be off by.
pub const SHOWS: u64 = 256;

/// The time that a rise allows, with so much headroom, in µs; `None` if that is enough for it.
pub fn allowed(rise: &Rise, series: &Series, headroom: u64) -> Option<u64> {
    let gone = rise.passes(series, headroom.max(1) + 1)?;
    let shows = rise.passes(series, SHOWS.min(headroom))?;
    Some(gone.saturating_sub(shows))
}

/// How many of the rises that need more than the headroom are noticed, from 0 to 1, if memory comes
/// `latency` after they show.
pub fn noticed(allowed: &[u64], latency: u64) -> f64 {
    let late = allowed.iter().filter(|time| **time < latency).count();
    late as f64 / allowed.len().max(1) as f64
}

/// As [`noticed`], if somebody looks once in `period` µs, and memory comes at once then. A rise may
/// show at any moment between two looks.
pub fn noticed_by_poll(allowed: &[u64], period: u64) -> f64 {
    let period = period.max(1) as f64;
    let late = allowed
        .iter()
        .map(|time| (1.0 - *time as f64 / period).max(0.0));
    late.sum::<f64>() / allowed.len().max(1) as f64
}
