// SPDX-License-Identifier: GPL-2.0

//! Doubly linked lists of nodes. Each is a ring, of which its owner keeps the first.

use super::index::Index;
use super::nodes::Nodes;

/// The neighbours in a list; nowhere if in none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Links {
    pub(super) previous: Index,
    pub(super) next: Index,
}

/// A node that can be in a list.
pub(super) trait Linked: Copy + Default {
    fn links(&self) -> Links;
    fn links_mut(&mut self) -> &mut Links;
}

/// Puts a node, which is in no list, at the end. Costs 4 nodes.
pub(super) fn append<N: Linked, Tag>(nodes: &mut impl Nodes<N, Tag>, first: &mut Index, at: Index) {
    let Some(next) = first.get() else {
        *first = at;
        let links = Links {
            previous: at,
            next: at,
        };
        nodes.change(at, |node| *node.links_mut() = links);
        return;
    };
    let previous = nodes.read(next).links().previous;
    nodes.change(at, |node| *node.links_mut() = Links { previous, next });
    nodes.change(previous, |node| node.links_mut().next = at);
    nodes.change(next, |node| node.links_mut().previous = at);
}

/// Takes a node out of the list that it is in. Costs 4 nodes.
pub(super) fn take_out<N: Linked, Tag>(
    nodes: &mut impl Nodes<N, Tag>,
    first: &mut Index,
    at: Index,
) {
    let Links { previous, next } = nodes.read(at).links();
    if next == at {
        *first = Index::NOWHERE;
    } else {
        nodes.change(previous, |node| node.links_mut().next = next);
        nodes.change(next, |node| node.links_mut().previous = previous);
        if *first == at {
            *first = next;
        }
    }
    nodes.change(at, |node| *node.links_mut() = Links::default());
}

/// Who comes after `at`, if anybody does. Costs 1 node.
pub(super) fn next<N: Linked, Tag>(
    nodes: &impl Nodes<N, Tag>,
    first: Index,
    at: Index,
) -> Option<Index> {
    let next = nodes.read(at).links().next;
    next.get().filter(|next| *next != first)
}

/// Calls `visit` with each of a list, and proves meanwhile that it is one.
///
/// # Errors
///
/// The links do not fit, or `visit` says so.
pub(super) fn check<N: Linked, Tag>(
    nodes: &impl Nodes<N, Tag>,
    first: Index,
    mut visit: impl FnMut(Index, &N) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    let mut at = first.get();
    while let Some(here) = at {
        let node = nodes.node(here).ok_or("who is in a list is there")?;
        if nodes.read(node.links().next).links().previous != here {
            return Err("neighbours in a list know each other");
        }
        visit(here, node)?;
        at = next(nodes, first, here);
    }
    Ok(())
}
