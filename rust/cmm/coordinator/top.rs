// SPDX-License-Identifier: GPL-2.0

//! The few best of many, in one pass.

/// Keeps the `N` items with the largest keys, largest first; among equal keys the one that came first. No place is used
/// behind one that is not.
pub(super) struct Top<T, const N: usize> {
    items: [Option<(u64, T)>; N],
}

impl<T: Copy, const N: usize> Top<T, N> {
    pub(super) fn new() -> Self {
        Self { items: [None; N] }
    }

    pub(super) fn offer(&mut self, key: u64, item: T) {
        // Most of many are not among the best.
        if let Some(Some((least, _))) = self.items.last() {
            if *least >= key {
                return;
            }
        }
        let mut coming = (key, item);
        for place in &mut self.items {
            match place {
                Some(held) if held.0 >= coming.0 => {}
                Some(held) => core::mem::swap(held, &mut coming),
                None => {
                    *place = Some(coming);
                    return;
                }
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, T)> + '_ {
        self.items.iter().map_while(|item| *item)
    }
}
