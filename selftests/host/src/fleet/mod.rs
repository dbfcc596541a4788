// SPDX-License-Identifier: GPL-2.0

//! A fleet of domains whose demand comes in bursts, on one host, in virtual time, with memory that
//! takes time to move: what becomes of them under one manager or another.
//!
//! - `demand`: what a domain would use if it had all it needs, which no manager changes;
//! - `tenant`: a domain, which uses what it has of that, and is held up;
//! - `host`: all of them, and Xen's free memory, and what happens next;
//! - `ours`: managed by the coordinator and by what each client decides by itself;
//! - `balancers`: the rules of others, which look at all domains now and then; `balanced` acts on them;
//! - `outcome`: what came of it.

pub mod balanced;
pub mod balancers;
pub mod demand;
pub mod host;
pub mod ours;
pub mod outcome;
pub mod tenant;
