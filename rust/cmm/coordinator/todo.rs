// SPDX-License-Identifier: GPL-2.0

//! A short list of domains that must be looked at.

use crate::DomId;

/// Remembers a few domains; if there were more, it remembers that.
///
/// What the listed domains have in common can be seen in what is known of them, so that those that did not fit can be
/// found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Todo {
    list: [Option<DomId>; ROOM],
    /// How many places are in use: mostly none.
    len: u8,
    overflowed: bool,
}

/// More than one event is about, most often; and few enough that looking through them costs less than what is then done.
const ROOM: usize = 16;

impl Todo {
    pub(super) fn push(&mut self, dom: DomId) {
        if self.list.contains(&Some(dom)) {
            return;
        }
        match self.list.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(dom);
                self.len += 1;
            }
            None => self.overflowed = true,
        }
    }

    pub(super) fn pop(&mut self) -> Option<DomId> {
        if self.len == 0 {
            return None;
        }
        self.len -= 1;
        self.list.iter_mut().find_map(Option::take)
    }

    pub(super) fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Forgets all, those that did not fit as well.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.overflowed && self.len == 0
    }
}
