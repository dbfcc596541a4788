// SPDX-License-Identifier: GPL-2.0

//! A world to try both halves in: Xen, its domains, real front-ends in them, honest and not, and a toolstack.
//!
//! Read `sim` first, which is what can happen; each of the others is about one thing:
//!
//! - `rules`, `watch`: what must hold, after each event and of each message;
//! - `world`, `domain`, `inside`: Xen, and what is in it, from without and from within;
//! - `session`, `guest`, `page`: a front-end, its client, and the page that it shares with Dom0;
//! - `liar`, `mistake`: what a front-end may do wrong, and what the coordinator must not;
//! - `crowd`, `member`, `chronicle`: thousands of domains that live for a while;
//! - `fleet`: many domains whose demand comes in bursts, under this and other managers;
//! - `lab`: what four domains of the lab run to be compared with that;
//! - `machine`, `trials`, `counted`: what decisions cost.

pub mod chronicle;
pub mod counted;
pub mod crowd;
pub mod domain;
pub mod fleet;
pub mod guest;
pub mod inside;
pub mod lab;
pub mod liar;
pub mod machine;
pub mod member;
pub mod mistake;
pub mod page;
pub mod rules;
pub mod session;
pub mod sim;
pub mod trials;
pub mod watch;
pub mod world;

pub use cmm_bursts::random;
