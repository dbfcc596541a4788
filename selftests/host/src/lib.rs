// SPDX-License-Identifier: GPL-2.0

//! A world to try the coordinator in: Xen, domains, front-ends honest and not, and a toolstack.

pub mod chronicle;
pub mod counted;
pub mod crowd;
pub mod frontend;
pub mod guest;
pub mod machine;
pub mod page;
pub mod random;
pub mod sim;
pub mod trials;
pub mod world;
