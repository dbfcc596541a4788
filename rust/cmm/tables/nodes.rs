// SPDX-License-Identifier: GPL-2.0

//! The nodes by which tables link entries.

use super::index::Index;

/// An entry's links, which hold one node or several of type `N` for the table that `Tag` names.
pub trait Holds<N, Tag> {
    /// How many each entry has. The index of a node is that of its entry, unless there are several:
    /// then [`Index::part`] has it.
    const EACH: usize = 1;

    /// The node of this number.
    fn node(&self, part: usize) -> Option<&N>;

    /// The node of this number, to be changed.
    fn node_mut(&mut self, part: usize) -> Option<&mut N>;
}

/// All nodes of type `N` for the table that `Tag` names.
pub trait Nodes<N: Copy + Default, Tag> {
    /// The node with this index, if there is one.
    fn node(&self, at: Index) -> Option<&N>;

    /// The node with this index, to be changed.
    fn node_mut(&mut self, at: Index) -> Option<&mut N>;

    /// What is in a node; one that is in no table if there is none.
    fn read(&self, at: Index) -> N {
        self.node(at).copied().unwrap_or_default()
    }

    /// Changes a node, if it is there.
    fn change(&mut self, at: Index, change: impl FnOnce(&mut N)) {
        if let Some(node) = self.node_mut(at) {
            change(node);
        }
    }
}
