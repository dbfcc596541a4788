// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions over Linux's Xen interfaces, for drivers written in Rust.
//!
//! A split driver is made of
//!
//! - [`xenbus`]: the device, its driver, and the states its two halves show each other;
//! - [`xenstore`]: what the halves tell each other before they are connected;
//! - [`grant`] and [`shared_page`]: the page they share;
//! - [`event_channel`]: how one wakes the other.
//!
//! Memory is moved by
//!
//! - [`memory`]: this domain's own reservation;
//! - [`frames`]: page frames for memory from elsewhere;
//! - [`balloon`]: the stock balloon driver, which owns the rest of it;
//! - [`domain_control`], [`scheduling`]: what Dom0 may ask and change of others.
//!
//! Besides, [`attribute`], [`clock`], [`freezer`], [`thread`] and [`timer`] have what the `kernel` crate lacks.
//!
//! This crate is the only place with `unsafe` code: drivers need none.

pub mod attribute;
pub mod balloon;
mod bindings;
pub mod clock;
pub mod domain;
pub mod domain_control;
pub mod event_channel;
pub mod frames;
pub mod freezer;
pub mod grant;
mod mappings;
pub mod memory;
mod removal;
pub mod scheduling;
pub mod shared_page;
pub mod thread;
pub mod timer;
pub mod xenbus;
pub mod xenstore;

/// What `pr_*!` put before each message.
const __LOG_PREFIX: &[u8] = b"xen\0";
