// SPDX-License-Identifier: GPL-2.0

//! What the lab's domains run when managers of memory are compared in it, beside the fleet simulator that plays the
//! same bursts: `selftests/compare`.
//!
//! - `case`: four domains, and what each is to use;
//! - `player`: uses it, in a domain; `memory`: what that is made of; `account`: what came of it, which outlives a
//!   player that is killed;
//! - `agent`: says beside the player what the domain has and uses, or sets its size by itself;
//! - `poller`: looks at what all agents say, and sets sizes;
//! - `xenstore`: how these hear of each other;
//! - `report`: what came of all of it.

pub mod account;
pub mod agent;
pub mod case;
pub mod memory;
pub mod player;
pub mod poller;
pub mod report;
pub mod xenstore;
