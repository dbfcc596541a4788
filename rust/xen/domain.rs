// SPDX-License-Identifier: GPL-2.0

//! Domains: what this kernel runs in, and how others are named.

use crate::bindings;

/// The number Xen knows a domain by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomId(pub u16);

impl DomId {
    /// The calling domain, in hypercalls.
    pub const SELF: DomId = DomId(bindings::DOMID_SELF as u16);
}

/// Whether this kernel runs on Xen at all.
pub fn in_xen() -> bool {
    // SAFETY: Reads variables that are constant after boot.
    unsafe { bindings::xen_helper_domain() }
}

/// Whether this is a PV domain, which keeps its own page tables and its own map from pseudo-physical
/// to machine frames.
pub fn is_pv() -> bool {
    // SAFETY: Reads variables that are constant after boot.
    unsafe { bindings::xen_helper_pv_domain() }
}

/// Whether this is Dom0.
pub fn is_initial() -> bool {
    // SAFETY: Reads variables that are constant after boot.
    unsafe { bindings::xen_helper_initial_domain() }
}
