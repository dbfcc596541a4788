// SPDX-License-Identifier: GPL-2.0

//! What is due first.
//!
//! A heap in which each has four below it. What belongs at position `p` of it is kept in the node
//! with index `p`, whether that node's entry is in the heap or not; and each node knows its own
//! position. There are never more positions than nodes, so they are all there. A heap of this kind,
//! unlike one of lists, has no operation that is dear once in a while.

use core::marker::PhantomData;

use super::index::Index;
use super::nodes::Nodes;

/// How many there are below each.
const BELOW: usize = 4;

/// A node of [`Deadlines`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Due {
    /// What is at the position that has this node's index: when, and whose.
    time: u64,
    who: Index,
    /// At which position this node's own is.
    position: Index,
}

/// Whoever has a deadline, the soonest first. `Tag` names the nodes that it links.
///
/// Many may be due at once: as each costs the same, whoever takes the first so many of them has
/// bounded what that costs, and finds the others still there.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines<Tag> {
    len: usize,
    tag: PhantomData<Tag>,
}

impl<Tag> Default for Deadlines<Tag> {
    fn default() -> Self {
        Self {
            len: 0,
            tag: PhantomData,
        }
    }
}

/// What moves about in the heap.
#[derive(Clone, Copy)]
struct Item {
    time: u64,
    who: Index,
}

impl<Tag> Deadlines<Tag> {
    /// How many have a deadline. Costs nothing.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody has one. Costs nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whose deadline is first, and when. Costs 1 node.
    pub fn first(&self, nodes: &impl Nodes<Due, Tag>) -> Option<(u64, Index)> {
        let item = self.item(nodes, 0)?;
        Some((item.time, item.who))
    }

    /// Somebody's deadline, if it has one. Costs 2 nodes.
    pub fn get(&self, nodes: &impl Nodes<Due, Tag>, at: Index) -> Option<u64> {
        let position = nodes.read(at).position.get()?;
        Some(self.item(nodes, position.place())?.time)
    }

    /// Gives somebody a deadline, another than it had, or none. Costs 6 nodes for each level of the
    /// heap, of which 10 000 make 8, and 8; nothing beyond 2 if it had that one already.
    pub fn set(&mut self, nodes: &mut impl Nodes<Due, Tag>, at: Index, time: Option<u64>) {
        let before = self.get(nodes, at);
        if before == time {
            return;
        }
        match (before, time) {
            (None, Some(time)) => self.add(nodes, Item { time, who: at }),
            (Some(before), Some(time)) => {
                let position = nodes.read(at).position.place();
                self.replace(nodes, position, before, Item { time, who: at });
            }
            (Some(before), None) => self.remove(nodes, at, before),
            (None, None) => {}
        }
    }

    fn add(&mut self, nodes: &mut impl Nodes<Due, Tag>, item: Item) {
        let position = self.len;
        if nodes.node(item.who).is_none() || nodes.node(Index::new(position)).is_none() {
            return;
        }
        self.len = position.saturating_add(1);
        self.rise(nodes, position, item);
    }

    fn remove(&mut self, nodes: &mut impl Nodes<Due, Tag>, at: Index, time: u64) {
        let position = nodes.read(at).position.place();
        let last = self.len.saturating_sub(1);
        let moved = self.item(nodes, last);
        self.len = last;
        nodes.change(at, |node| node.position = Index::NOWHERE);
        if let Some(moved) = moved.filter(|_| position != last) {
            self.replace(nodes, position, time, moved);
        }
    }

    /// Puts an item where there was one that was due at `before`.
    fn replace(
        &mut self,
        nodes: &mut impl Nodes<Due, Tag>,
        position: usize,
        before: u64,
        item: Item,
    ) {
        if item.time < before {
            self.rise(nodes, position, item);
        } else {
            self.sink(nodes, position, item);
        }
    }

    /// Puts an item at this position, or as far above as it belongs.
    fn rise(&mut self, nodes: &mut impl Nodes<Due, Tag>, mut position: usize, item: Item) {
        while let Some(above) = position.checked_sub(1).map(|p| p / BELOW) {
            match self.item(nodes, above) {
                Some(other) if other.time > item.time => put(nodes, position, other),
                _ => break,
            }
            position = above;
        }
        put(nodes, position, item);
    }

    /// Puts an item at this position, or as far below as it belongs.
    fn sink(&mut self, nodes: &mut impl Nodes<Due, Tag>, mut position: usize, item: Item) {
        while let Some((below, other)) = self.soonest_below(nodes, position) {
            if other.time >= item.time {
                break;
            }
            put(nodes, position, other);
            position = below;
        }
        put(nodes, position, item);
    }

    fn soonest_below(
        &self,
        nodes: &impl Nodes<Due, Tag>,
        position: usize,
    ) -> Option<(usize, Item)> {
        let first = position.saturating_mul(BELOW).saturating_add(1);
        let below = first..first.saturating_add(BELOW).min(self.len);
        let items = below.filter_map(|p| Some((p, self.item(nodes, p)?)));
        items.min_by_key(|(_, item)| item.time)
    }

    fn item(&self, nodes: &impl Nodes<Due, Tag>, position: usize) -> Option<Item> {
        if position >= self.len {
            return None;
        }
        let node = nodes.node(Index::new(position))?;
        Some(Item {
            time: node.time,
            who: node.who,
        })
    }

    /// Proves that nobody is due before those above it, and that everybody knows where it is. Slow.
    ///
    /// # Errors
    ///
    /// The first rule found broken.
    pub fn check(&self, nodes: &impl Nodes<Due, Tag>) -> Result<(), &'static str> {
        for position in 0..self.len {
            let item = self.item(nodes, position);
            let item = item.ok_or("every position of the heap is there")?;
            if nodes.read(item.who).position != Index::new(position) {
                return Err("who has a deadline knows where it is");
            }
            let above = position.checked_sub(1).map(|p| p / BELOW);
            let above = above.and_then(|above| self.item(nodes, above));
            if above.is_some_and(|above| above.time > item.time) {
                return Err("nobody is due before those above it");
            }
        }
        Ok(())
    }
}

/// Puts an item at a position, and lets its owner know.
fn put<Tag>(nodes: &mut impl Nodes<Due, Tag>, position: usize, item: Item) {
    nodes.change(Index::new(position), |node| {
        (node.time, node.who) = (item.time, item.who);
    });
    nodes.change(item.who, |node| node.position = Index::new(position));
}
