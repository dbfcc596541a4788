// SPDX-License-Identifier: GPL-2.0

//! What Dom0 may ask and change of other domains.
//!
//! To ask what memory one has is a stable interface, in [`crate::domain`]. Anything else is a
//! *domctl*, whose version must be exactly the one of the running Xen; Linux itself issues none.
//! [`DomainControl::probe`] finds out which one Xen answers to. What concerns scheduling is in
//! [`super::scheduling`].
//!
//! Xen header: `public/domctl.h`

use crate::{
    bindings,
    domain::DomId,
    series::EOPNOTSUPP, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// The domctl interface versions in which the operations used here are the same: Xen 4.17 to 4.22.
const VERSIONS: core::ops::RangeInclusive<u32> = 0x15..=0x18;

const XEN_DOMCTL_MAX_MEM: u32 = 11;

/// The operand of a domctl: whatever structure it takes, in the words of this machine.
pub(crate) type Operand = [u64; 16];

/// `struct xen_domctl`. Xen reads and writes all of it.
#[repr(C)]
struct Domctl {
    cmd: u32,
    interface_version: u32,
    domain: u16,
    pad: [u16; 3],
    operand: Operand,
}

/// The right to change other domains, with the interface version Xen speaks.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
/// use xen::{domain::DomId, out_of_tree::domain_control::DomainControl};
///
/// /// Lets a domain have 2 MiB more.
/// fn enlarge(control: &DomainControl, dom: DomId) -> Result {
///     let info = control.domain_info(dom)?;
///     control.set_maximum(dom, info.maximum + 512)
/// }
///
/// fn enlarge_the_first() -> Result {
///     enlarge(&DomainControl::probe()?, DomId(1))
/// }
/// ```
#[derive(Clone, Copy)]
pub struct DomainControl {
    version: u32,
}

impl DomainControl {
    /// Finds the version Xen answers to.
    ///
    /// # Errors
    ///
    /// `EPERM` if this domain may not control others, `EOPNOTSUPP` if Xen's version is not known.
    pub fn probe() -> Result<Self> {
        for version in VERSIONS {
            // There is no such domain, so that nothing is changed: Xen looks at the version first.
            match max_mem(version, DomId::INVALID, 0) {
                Err(err) if err == EACCES => continue,
                Err(err) if err == EPERM => return Err(err),
                _ => return Ok(Self { version }),
            }
        }
        Err(EOPNOTSUPP)
    }

    /// The version Xen answers to.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Limits `dom` to `pages` (`max_pages`). What it has beyond that it keeps.
    ///
    /// May be called in any context.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such domain.
    pub fn set_maximum(&self, dom: DomId, pages: u64) -> Result {
        max_mem(self.version, dom, pages)
    }

    /// Issues a domctl. May be called in any context.
    pub(crate) fn issue(&self, cmd: u32, dom: DomId, operand: &mut Operand) -> Result {
        domctl(self.version, cmd, dom, operand)
    }
}

fn max_mem(version: u32, dom: DomId, pages: u64) -> Result {
    let mut operand = [0; 16];
    operand[0] = pages.saturating_mul(4);
    domctl(version, XEN_DOMCTL_MAX_MEM, dom, &mut operand)
}

fn domctl(version: u32, cmd: u32, dom: DomId, operand: &mut Operand) -> Result {
    let mut op = Domctl {
        cmd,
        interface_version: version,
        domain: dom.0,
        pad: [0; 3],
        operand: *operand,
    };
    // SAFETY: `op` is there for the call, and as large as any `struct xen_domctl`: Xen writes
    // nothing beyond it. None of the operations of this crate has a pointer in its operand, by
    // which Xen could write elsewhere.
    let result = unsafe { bindings::xen_helper_domctl((&raw mut op).cast()) };
    *operand = op.operand;
    to_result(result as c_int)
}
