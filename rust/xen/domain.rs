// SPDX-License-Identifier: GPL-2.0

//! Domains: what this kernel runs in, how others are named, and what memory they have.
//!
//! Xen header: `public/memory.h`

use crate::bindings;

/// The number Xen knows a domain by.
///
/// # Examples
///
/// ```
/// use xen::domain::{self, DomId};
///
/// fn memory_of_dom0() -> Option<u64> {
///     domain::current_pages(DomId(0))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomId(pub u16);

impl DomId {
    /// The calling domain, in hypercalls.
    pub const SELF: DomId = DomId(bindings::DOMID_SELF as u16);

    /// The number that no domain has.
    pub const INVALID: DomId = DomId(bindings::DOMID_INVALID as u16);
}

/// Whether this kernel runs on Xen at all.
pub fn in_xen() -> bool {
    // SAFETY: Reads variables that are constant after boot, in any context.
    unsafe { bindings::xen_helper_domain() }
}

/// Whether this is a PV domain, which keeps its own page tables and its own map from
/// pseudo-physical to machine frames.
pub fn is_pv() -> bool {
    // SAFETY: Reads variables that are constant after boot, in any context.
    unsafe { bindings::xen_helper_pv_domain() }
}

/// Whether this is Dom0.
pub fn is_initial() -> bool {
    // SAFETY: Reads variables that are constant after boot, in any context.
    unsafe { bindings::xen_helper_initial_domain() }
}

/// The pages that `dom` has (`tot_pages`); `None` if there is no such domain, or it is being
/// destroyed and has been taken out of Xen's list, or may not be asked for. May be called in any
/// context.
pub fn current_pages(dom: DomId) -> Option<u64> {
    memory_op(bindings::XENMEM_current_reservation, dom)
}

/// The pages that `dom` may have (`max_pages`); `None` as for [`current_pages`]. May be called in
/// any context.
pub fn maximum_pages(dom: DomId) -> Option<u64> {
    memory_op(bindings::XENMEM_maximum_reservation, dom)
}

fn memory_op(cmd: u32, dom: DomId) -> Option<u64> {
    let mut dom = dom.0;
    // SAFETY: Both commands take a pointer to a domain's number, which is there for the call, and
    // may be issued in any context.
    let pages = unsafe { bindings::xen_helper_memory_op(cmd, (&raw mut dom).cast()) };
    u64::try_from(pages).ok()
}
