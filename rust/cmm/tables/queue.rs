// SPDX-License-Identifier: GPL-2.0

//! Who waits, by class, and in each in the order in which they came.

use core::marker::PhantomData;

use super::index::Index;
use super::list::{self, Linked, Links};
use super::nodes::Nodes;

/// A node of a [`Queue`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Queued {
    links: Links,
    class: u8,
}

impl Linked for Queued {
    fn links(&self) -> Links {
        self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}

/// Who waits, in `CLASSES` classes: the first goes before the second. `Tag` names the nodes that it
/// links.
#[derive(Clone, Copy, Debug)]
pub struct Queue<Tag, const CLASSES: usize = 1> {
    first: [Index; CLASSES],
    len: usize,
    tag: PhantomData<Tag>,
}

impl<Tag, const CLASSES: usize> Default for Queue<Tag, CLASSES> {
    fn default() -> Self {
        const { assert!(CLASSES > 0 && CLASSES <= 256, "a class fits in its node") };
        Self {
            first: [Index::NOWHERE; CLASSES],
            len: 0,
            tag: PhantomData,
        }
    }
}

impl<Tag, const CLASSES: usize> Queue<Tag, CLASSES> {
    /// How many wait. Costs nothing.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody waits. Costs nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lets somebody wait in a class, behind those that do. Whoever waits in it already keeps its
    /// turn, and whoever waits in another leaves that. Costs 12 nodes. There are no more classes
    /// than the queue has: one beyond is the last.
    pub fn push(&mut self, nodes: &mut impl Nodes<Queued, Tag>, at: Index, class: usize) {
        let class = class.min(CLASSES.saturating_sub(1));
        let found = self.class(nodes, at);
        if found == Some(class) || nodes.node(at).is_none() {
            return;
        }
        self.remove(nodes, at);
        let Some(first) = self.first.get_mut(class) else {
            return;
        };
        list::append(nodes, first, at);
        nodes.change(at, |node| node.class = class as u8);
        self.len = self.len.saturating_add(1);
    }

    /// Lets somebody wait no longer, wherever it is. Returns whether it did. Costs 5 nodes.
    pub fn remove(&mut self, nodes: &mut impl Nodes<Queued, Tag>, at: Index) -> bool {
        let class = self.class(nodes, at);
        let Some(first) = class.and_then(|class| self.first.get_mut(class)) else {
            return false;
        };
        list::take_out(nodes, first, at);
        self.len = self.len.saturating_sub(1);
        true
    }

    /// In which class somebody waits, if it does. Costs 1 node.
    pub fn class(&self, nodes: &impl Nodes<Queued, Tag>, at: Index) -> Option<usize> {
        let node = nodes.read(at);
        node.links.next.get()?;
        Some(node.class.into())
    }

    /// Whose turn it is. Costs nothing.
    pub fn first(&self) -> Option<Index> {
        self.first.iter().find_map(|first| first.get())
    }

    /// Lets the one whose turn it is wait no longer. Costs 5 nodes.
    pub fn pop(&mut self, nodes: &mut impl Nodes<Queued, Tag>) -> Option<Index> {
        let first = self.first()?;
        self.remove(nodes, first);
        Some(first)
    }

    /// All that wait, in their turn. Costs 1 node for each that is taken.
    pub fn iter<'a>(
        &'a self,
        nodes: &'a impl Nodes<Queued, Tag>,
    ) -> impl Iterator<Item = Index> + 'a {
        let lists = self.first.iter();
        lists.flat_map(|first| {
            core::iter::successors(first.get(), |at| list::next(nodes, *first, *at))
        })
    }

    /// Proves that the lists are lists, and hold whom they should. Slow.
    ///
    /// # Errors
    ///
    /// The first rule found broken.
    pub fn check(&self, nodes: &impl Nodes<Queued, Tag>) -> Result<(), &'static str> {
        let mut len = 0usize;
        for (class, first) in self.first.iter().enumerate() {
            list::check(nodes, *first, |_, node| {
                len = len.saturating_add(1);
                if len > self.len {
                    Err("who waits is counted")
                } else if usize::from(node.class) == class {
                    Ok(())
                } else {
                    Err("who waits, waits in its class")
                }
            })?;
        }
        if len == self.len {
            Ok(())
        } else {
            Err("who waits is counted")
        }
    }
}
