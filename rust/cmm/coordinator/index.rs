// SPDX-License-Identifier: GPL-2.0

//! By what domains are found, so that no event looks at all of them.
//!
//! Each domain has a node in each table. Where it is in those that say what is due follows from what is known of the
//! domain, its [`Summary`]; `Domains` brings it up to date whenever a domain changes. Into the queues it is put, and
//! taken out when it has had its turn.

use super::domain::Summary;
use crate::tables::{Deadlines, Due, Holds, Index, Nodes, Queue, Queued};
use crate::time::Nanos;

/// When the first of a domain's requests must be answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answer;

/// Since when somebody waits for a domain's answer. By age, so that none moves when another patience is set.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked;

/// Whose requests must be looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ready;

/// Whose connection has failed in this turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failed;

/// Whose credit is low, and waits for the pool to grow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unfilled;

/// The nodes of one domain.
#[derive(Clone, Copy, Debug, Default)]
pub struct Links {
    answer: Due,
    asked: Due,
    ready: Queued,
    failed: Queued,
    unfilled: Queued,
}

macro_rules! holds {
    ($($tag:ident: $node:ident in $field:ident,)*) => {$(
        impl Holds<$node, $tag> for Links {
            fn node(&self, _part: usize) -> Option<&$node> {
                Some(&self.$field)
            }

            fn node_mut(&mut self, _part: usize) -> Option<&mut $node> {
                Some(&mut self.$field)
            }
        }
    )*};
}

holds! {
    Answer: Due in answer,
    Asked: Due in asked,
    Ready: Queued in ready,
    Failed: Queued in failed,
    Unfilled: Queued in unfilled,
}

/// All nodes of all domains.
pub(super) trait AllNodes:
    Nodes<Due, Answer>
    + Nodes<Due, Asked>
    + Nodes<Queued, Ready>
    + Nodes<Queued, Failed>
    + Nodes<Queued, Unfilled>
{
}

impl<T> AllNodes for T where
    T: Nodes<Due, Answer>
        + Nodes<Due, Asked>
        + Nodes<Queued, Ready>
        + Nodes<Queued, Failed>
        + Nodes<Queued, Unfilled>
{
}

/// The tables.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) answer: Deadlines<Answer>,
    pub(super) asked: Deadlines<Asked>,
    pub(super) ready: Queue<Ready>,
    pub(super) failed: Queue<Failed>,
    pub(super) unfilled: Queue<Unfilled>,
}

impl Tables {
    /// Puts a domain where it belongs by what is known of it now.
    pub(super) fn file(&mut self, nodes: &mut impl AllNodes, at: Index, domain: &Summary) {
        self.answer.set(nodes, at, domain.answer_due);
        self.asked.set(nodes, at, domain.asked_since);
    }

    /// Takes a domain out of all tables.
    pub(super) fn remove(&mut self, nodes: &mut impl AllNodes, at: Index) {
        self.file(nodes, at, &Summary::default());
        self.ready.remove(nodes, at);
        self.failed.remove(nodes, at);
        self.unfilled.remove(nodes, at);
    }

    /// Whether a domain is where it belongs.
    pub(super) fn is_filed(&self, nodes: &impl AllNodes, at: Index, domain: &Summary) -> bool {
        let due: (Option<Nanos>, _) = (self.answer.get(nodes, at), self.asked.get(nodes, at));
        due == (domain.answer_due, domain.asked_since)
    }

    /// Proves that the tables hold together. Slow.
    ///
    /// # Errors
    ///
    /// The first rule found broken.
    pub(super) fn check(&self, nodes: &impl AllNodes) -> Result<(), &'static str> {
        self.answer.check(nodes)?;
        self.asked.check(nodes)?;
        self.ready.check(nodes)?;
        self.failed.check(nodes)?;
        self.unfilled.check(nodes)
    }
}
