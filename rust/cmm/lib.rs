// SPDX-License-Identifier: GPL-2.0

//! Coordinated memory management for Xen: everything that decides, and nothing that acts.
//!
//! Both drivers are thin shells around this crate. It holds the wire protocol, the arithmetic of the shared ring,
//! the [`coordinator`], which keeps the ledger of what each domain has borrowed and lent and picks donors, and the
//! [`client`], which decides when a domain asks, gives and reports. It performs no I/O,
//! takes no locks, allocates nothing and knows no kernel type, so that the same source runs inside the modules and,
//! on a host, under property tests and simulators.
//!
//! Sizes are in pages of 4 KiB, times in nanoseconds of a monotonic clock, unless a name says otherwise.

// The kernel's build says no_std on the command line as well, which would be worth a warning.
#![allow(unused_attributes)]
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod backoff;
pub mod budget;
pub mod client;
pub mod coordinator;
pub mod domid;
pub mod pages;
pub mod protocol;
pub mod ring;
pub mod tables;
pub mod time;
pub mod timing;

pub use domid::DomId;
