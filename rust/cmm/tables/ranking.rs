// SPDX-License-Identifier: GPL-2.0

//! Those with the largest keys, nearly in order.
//!
//! Keys are sorted into buckets, four to a power of two, and a bitmap tells which buckets hold any.
//! The best are found by walking down from the highest of them. Within a bucket, whose keys differ
//! by a quarter at most, they are in the order in which they came there: to come back to a bucket
//! is to go to its end, so nobody gets before others by changing its key to and fro.
//!
//! [`best`](Ranking::best) looks at some more than it returns and returns the best of those. So the
//! result is exact if there are no more than it looks at, and otherwise each returned is at least
//! four fifths of what it should be.
//!
//! Nobody that is in the ranking is to be skipped: whoever must not be picked now is taken out, and
//! comes back when a deadline or an event says so. Otherwise a crowd of those would have to be
//! looked at to find one that may be picked.

use core::marker::PhantomData;

use super::index::Index;
use super::list::{self, Linked, Links};
use super::nodes::Nodes;

/// A bucket for each of 0 to 3, and four for each power of two from 4 to 2^63.
const BUCKETS: usize = 4 + 62 * 4;
const WORDS: usize = BUCKETS.div_ceil(64);

/// A node of a [`Ranking`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Ranked {
    /// 0 if it is not in the ranking.
    key: u64,
    links: Links,
}

impl Linked for Ranked {
    fn links(&self) -> Links {
        self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}

/// Whoever has a key, the largest first. `Tag` names the nodes that it links.
#[derive(Clone, Copy, Debug)]
pub struct Ranking<Tag> {
    first: [Index; BUCKETS],
    /// Which buckets hold any.
    filled: [u64; WORDS],
    len: usize,
    tag: PhantomData<Tag>,
}

impl<Tag> Default for Ranking<Tag> {
    fn default() -> Self {
        Self {
            first: [Index::NOWHERE; BUCKETS],
            filled: [0; WORDS],
            len: 0,
            tag: PhantomData,
        }
    }
}

impl<Tag> Ranking<Tag> {
    /// How many have a key. Costs nothing.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody has one. Costs nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Gives somebody a key; 0 takes it out. Costs 1 node if the bucket stays the same, and 9 if
    /// not.
    pub fn set(&mut self, nodes: &mut impl Nodes<Ranked, Tag>, at: Index, key: u64) {
        let Some(node) = nodes.node_mut(at) else {
            return;
        };
        let before = core::mem::replace(&mut node.key, key);
        let (from, to) = (bucket(before), bucket(key));
        if from == to {
            return;
        }
        if before > 0 {
            self.leave(nodes, at, from);
        }
        if key > 0 {
            self.enter(nodes, at, to);
        }
    }

    /// The key that somebody has; 0 for none. Costs 1 node.
    pub fn key(&self, nodes: &impl Nodes<Ranked, Tag>, at: Index) -> u64 {
        nodes.read(at).key
    }

    fn enter(&mut self, nodes: &mut impl Nodes<Ranked, Tag>, at: Index, bucket: usize) {
        let Some(first) = self.first.get_mut(bucket) else {
            return;
        };
        list::append(nodes, first, at);
        self.mark(bucket, true);
        self.len = self.len.saturating_add(1);
    }

    fn leave(&mut self, nodes: &mut impl Nodes<Ranked, Tag>, at: Index, bucket: usize) {
        let Some(first) = self.first.get_mut(bucket) else {
            return;
        };
        list::take_out(nodes, first, at);
        let any = first.get().is_some();
        self.mark(bucket, any);
        self.len = self.len.saturating_sub(1);
    }

    fn mark(&mut self, bucket: usize, any: bool) {
        if let Some(word) = self.filled.get_mut(bucket / 64) {
            let bit = 1 << (bucket % 64);
            *word = if any { *word | bit } else { *word & !bit };
        }
    }

    /// The highest bucket below `end` that holds any.
    fn filled_below(&self, end: usize) -> Option<usize> {
        let (last, bits) = (end / 64, end % 64);
        let words = self.filled.iter().enumerate().take(last.saturating_add(1));
        words.rev().find_map(|(i, word)| {
            let below = if i == last { (1 << bits) - 1 } else { u64::MAX };
            let highest = (word & below).checked_ilog2()?;
            Some(i * 64 + highest as usize)
        })
    }

    /// All that have a key, with their keys, the highest bucket first. Costs 1 node for each that
    /// is taken.
    pub fn iter<'a>(
        &'a self,
        nodes: &'a impl Nodes<Ranked, Tag>,
    ) -> impl Iterator<Item = (u64, Index)> + 'a {
        let mut below = BUCKETS;
        let mut coming = Index::NOWHERE;
        core::iter::from_fn(move || {
            if coming.get().is_none() {
                below = self.filled_below(below)?;
                coming = self.first.get(below).copied()?;
            }
            let at = coming.get()?;
            let node = nodes.read(at);
            let first = self.first.get(below).copied()?;
            coming = if node.links.next == first {
                Index::NOWHERE
            } else {
                node.links.next
            };
            Some((node.key, at))
        })
    }

    /// The best of the first `look` in the ranking, the largest key first, and of equal ones the
    /// one that has been in its bucket longest. Costs `look` nodes, and 1.
    ///
    /// `look` should be more than `N`, but is at least that.
    pub fn best<const N: usize>(
        &self,
        nodes: &impl Nodes<Ranked, Tag>,
        look: usize,
    ) -> [Option<(u64, Index)>; N] {
        let mut best = [None; N];
        let mut seen = 0usize;
        let mut last = 0;
        for (key, at) in self.iter(nodes) {
            // A lower bucket has none that is better.
            let enough = seen >= N && bucket(key) < last;
            if seen >= look.max(N) || enough {
                break;
            }
            last = bucket(key);
            seen = seen.saturating_add(1);
            keep(&mut best, (key, at));
        }
        best
    }

    /// Proves that everybody is in the bucket of its key, and that the bitmap says so. Slow.
    ///
    /// # Errors
    ///
    /// The first rule found broken.
    pub fn check(&self, nodes: &impl Nodes<Ranked, Tag>) -> Result<(), &'static str> {
        let mut len = 0usize;
        for (i, first) in self.first.iter().enumerate() {
            let word = self.filled.get(i / 64).copied().unwrap_or_default();
            if first.get().is_some() != (word >> (i % 64) & 1 == 1) {
                return Err("the bitmap tells which buckets hold any");
            }
            list::check(nodes, *first, |_, node| {
                len = len.saturating_add(1);
                if len > self.len {
                    Err("those that have a key are counted")
                } else if node.key > 0 && bucket(node.key) == i {
                    Ok(())
                } else {
                    Err("who has a key is in its bucket")
                }
            })?;
        }
        if len == self.len {
            Ok(())
        } else {
            Err("those that have a key are counted")
        }
    }
}

/// Keeps what comes if it is among the best so far.
fn keep<const N: usize>(best: &mut [Option<(u64, Index)>; N], coming: (u64, Index)) {
    let mut coming = coming;
    for place in best {
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

/// Which bucket a key belongs in.
#[inline]
fn bucket(key: u64) -> usize {
    match key.checked_ilog2() {
        Some(bits) if bits >= 2 => {
            let quarter = (key >> (bits - 2)) & 3;
            (bits as usize - 1) * 4 + quarter as usize
        }
        // 0 to 3.
        _ => key as usize,
    }
}
