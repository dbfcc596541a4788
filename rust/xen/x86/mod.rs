// SPDX-License-Identifier: GPL-2.0

//! What only x86 has: PV domains, which keep their own page tables and their own map of memory.
//!
//! Elsewhere all domains are auto-translated: Xen maps what it puts behind a page, and there is
//! nothing to do here.

pub(crate) mod mappings;
mod p2m;
