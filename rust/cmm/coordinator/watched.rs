// SPDX-License-Identifier: GPL-2.0

//! Whom to look at again, and when.

use crate::time::{Nanos, MICROSECOND, MILLISECOND};
use crate::DomId;

/// How long a domain may work on what it was told before it is looked at again, besides the time for each page: a
/// millisecond is ten times what a small transfer takes, a microsecond ten times what a page of a large one does.
const PATIENCE: Nanos = MILLISECOND;
const PATIENCE_PER_PAGE: Nanos = MICROSECOND;

/// How often it is looked at again, after twice as long each time: to be boosted in vain, because it has used up its
/// share of the CPU, puts it behind those who have, too.
const ATTEMPTS: u8 = 6;

/// How many domains are looked at again. With more transfers than that under way, nobody's wait is decided by a boost.
const WATCHED: usize = 16;

/// Domains that transfers wait for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    table: [Option<Watch>; WATCHED],
    /// When the next is due; `Nanos::MAX` for never.
    next: Nanos,
}

impl Default for Watched {
    fn default() -> Self {
        Self {
            table: [None; WATCHED],
            next: Nanos::MAX,
        }
    }
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    pub(super) dom: DomId,
    due: Nanos,
    /// How long after that it is due again.
    patience: Nanos,
    attempts: u8,
}

impl Watched {
    /// Begins to watch a domain that may work on so many pages, or begins anew; if it is one too many, it is not watched.
    pub(super) fn begin(&mut self, dom: DomId, pages: u64, now: Nanos) {
        // Of a number of pages that a message can name.
        let patience = PATIENCE + pages * PATIENCE_PER_PAGE;
        self.insert(Watch {
            dom,
            due: now.saturating_add(patience),
            patience,
            attempts: 0,
        });
    }

    /// Goes on watching one that was due and has not answered, if that was not its last attempt.
    pub(super) fn go_on(&mut self, watch: Watch, now: Nanos) {
        let patience = watch.patience * 2;
        self.insert(Watch {
            due: now.saturating_add(patience),
            patience,
            attempts: watch.attempts + 1,
            ..watch
        });
    }

    fn insert(&mut self, watch: Watch) {
        let known = |place: &Option<Watch>| place.is_some_and(|other| other.dom == watch.dom);
        let place = self.table.iter().position(known);
        let place = place.or_else(|| self.table.iter().position(Option::is_none));
        if let Some(place) = place.and_then(|place| self.table.get_mut(place)) {
            *place = Some(watch);
            self.find_next();
        }
    }

    /// Takes one out that is due, and that has attempts left.
    pub(super) fn take_due(&mut self, now: Nanos) -> Option<Watch> {
        while self.next <= now {
            let mut places = self.table.iter_mut();
            let watch = places.find_map(|place| place.take_if(|watch| watch.due <= now))?;
            self.find_next();
            if watch.attempts < ATTEMPTS {
                return Some(watch);
            }
        }
        None
    }

    fn find_next(&mut self) {
        let due = self.table.iter().flatten().map(|watch| watch.due);
        self.next = due.min().unwrap_or(Nanos::MAX);
    }

    /// When the next is due; `Nanos::MAX` for never.
    pub(super) fn next(&self) -> Nanos {
        self.next
    }
}
