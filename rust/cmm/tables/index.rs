// SPDX-License-Identifier: GPL-2.0

//! Where something is.

/// Where an entry, or one of its nodes, is: the same for as long as the entry is there.
///
/// It takes no more room than a `u32`, and by default is nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Index(u32);

impl Index {
    pub(super) const NOWHERE: Self = Self(u32::MAX);

    /// The index of what is at this place; nowhere if there can be no such place.
    #[inline]
    pub(super) fn new(place: usize) -> Self {
        u32::try_from(place).map_or(Self::NOWHERE, Self)
    }

    /// Which place this is. Nowhere is a place that no storage has.
    #[inline]
    pub(super) const fn place(self) -> usize {
        self.0 as usize
    }

    /// `None` if it is nowhere.
    #[inline]
    pub(super) fn get(self) -> Option<Self> {
        (self != Self::NOWHERE).then_some(self)
    }

    /// The node `part` of the entry here, if each entry has so many nodes of a kind.
    #[inline]
    pub fn part(self, part: usize, each: usize) -> Self {
        Self::new(self.place().saturating_mul(each).saturating_add(part))
    }

    /// The entry that this node belongs to, and which of its nodes it is, if each entry has so many
    /// of a kind.
    #[inline]
    pub fn split(self, each: usize) -> (Self, usize) {
        let each = each.max(1);
        (Self::new(self.place() / each), self.place() % each)
    }
}

impl Default for Index {
    fn default() -> Self {
        Self::NOWHERE
    }
}
