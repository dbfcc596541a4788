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
//! - [`extents`]: runs of pages, and whether there is memory behind them;
//! - [`held`]: pages that are held so that nobody uses them up;
//! - [`memory`]: this domain's own reservation;
//! - [`frames`]: page frames for memory from elsewhere;
//! - [`balloon`]: the stock balloon driver, which owns the rest of it.
//!
//! Besides, [`domain`] says what this kernel runs in and what others have, [`attribute`], [`misc_device`],
//! [`timer`], [`awake_timer`], [`worker`], [`vmstat`], [`cpus`] and [`oom`] have what the `kernel` crate
//! lacks. [`trace`] has the trace events of coordinated memory management. What could not go into Linux's
//! own tree is in [`out_of_tree`].
//!
//! This crate is the only place with `unsafe` code: drivers need none. It depends on no other but
//! `kernel`; `samples/` has the smallest split driver that there can be.

pub mod attribute;
pub mod awake_timer;
pub mod balloon;
mod bindings;
pub mod cpus;
pub mod domain;
pub mod event_channel;
pub mod extents;
mod frame_section;
pub mod frames;
pub mod grant;
pub mod held;
mod late_eoi;
pub mod memory;
pub mod misc_device;
pub mod oom;
pub mod out_of_tree;
mod removal;
pub mod series;
pub mod shared_page;
pub mod timer;
pub mod trace;
pub mod vmstat;
pub mod worker;
mod x86;
pub mod xenbus;
pub mod xenstore;

/// What `pr_*!` put before each message.
const __LOG_PREFIX: &[u8] = b"xen\0";
