// SPDX-License-Identifier: GPL-2.0

//! What no driver in Linux's own tree could use: it is here for drivers that are built beside it.
//!
//! Nothing else in this crate needs any of it. It is as safe as the rest; the reasons are others:
//!
//! - [`domain_control`], [`scheduling`], [`free_memory`]: a *domctl* is no stable interface of Xen's,
//!   nor a *sysctl*. Linux leaves them to the toolstack, which is built with the Xen it runs on.
//!   Upstream this would be an operation of Xen's own, with a stable number.
//! - [`halting`]: a task that halts its CPU does what is the idle loop's to do, and bypasses
//!   cpuidle. Upstream this would be a governor's, as `cpuidle-haltpoll` is.
//! - [`freezer`]: the domain's suspend is kept from taking place by a kernel thread that calls for
//!   a wake-up while it is frozen. Upstream the bus would listen to what `suspend` of its drivers
//!   returns.
//! - [`priority`]: an interrupt's thread makes itself a normal one for a while. Upstream its work
//!   would be two: the short one in the thread, the long one in a work item.
//! - [`handover`]: the books of the balloon driver are changed without its lock. Upstream it would
//!   have two functions more, for giving frames to it and for adding to its size.
//! - [`clock`]: Xen's time is wanted only to lay the clocks of several domains side by side when
//!   one measures.

pub mod clock;
pub mod domain_control;
pub mod free_memory;
pub mod freezer;
pub mod halting;
pub mod handover;
pub mod priority;
pub mod scheduling;
