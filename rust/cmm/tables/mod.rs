// SPDX-License-Identifier: GPL-2.0

//! Tables in which nothing is found by looking at everything.
//!
//! An [`Arena`] keeps one entry for each domain, in storage that comes from outside and may grow.
//! What orders the entries, or makes them wait, are tables of their own, which keep no more than
//! where they begin: the rest is in small nodes beside each entry, linked by [`Index`]. So nothing
//! is allocated, and an entry that comes or goes moves no other.
//!
//! - [`Arena`]: entries, found by their domain's number or by their index.
//! - [`Ranking`]: those with the largest keys, nearly in order.
//! - [`Queue`]: who waits, by class, in the order in which they came.
//! - [`Deadlines`]: what is due first.
//!
//! The cost of each function is given in nodes: how many it reads or writes at most. A node is one
//! or two cache lines, and each access goes through [`Storage`], where it can be counted.

mod arena;
mod deadlines;
mod index;
mod list;
mod nodes;
mod queue;
mod ranking;
mod storage;

pub use arena::{Arena, Place, Refusal, LONGEST_CHAIN};
pub use deadlines::{Deadlines, Due};
pub use index::Index;
pub use nodes::{Holds, Nodes};
pub use queue::{Queue, Queued};
pub use ranking::{Ranked, Ranking};
pub use storage::{Chunks, Storage};
