// SPDX-License-Identifier: GPL-2.0

//! What memory Xen has that no domain has.
//!
//! There is no stable interface for that: it takes a *sysctl*, whose version must be exactly the one
//! of the running Xen. [`FreeMemory::probe`] finds out which one Xen answers to.
//!
//! Xen header: `public/sysctl.h`

use crate::{
    bindings,
    series::EOPNOTSUPP, //
};
use core::mem::size_of;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// The sysctl interface versions in which the operation used here is the same: Xen 4.17 to 4.22.
const VERSIONS: core::ops::RangeInclusive<u32> = 0x15..=0x18;

const XEN_SYSCTL_PHYSINFO: u32 = 3;

/// `struct xen_sysctl` with a `struct xen_sysctl_physinfo` in it: as much as is of interest here, and
/// room for whatever Xen puts behind it.
#[repr(C)]
struct Sysctl {
    cmd: u32,
    interface_version: u32,
    /// CPUs, nodes and capabilities.
    machine: [u32; 10],
    total_pages: u64,
    free_pages: u64,
    scrub_pages: u64,
    outstanding_pages: u64,
    rest: [u64; 7],
}

// The operand has 128 bytes, whatever the operation.
const _: () = assert!(size_of::<Sysctl>() == 2 * size_of::<u32>() + 128);

/// The right to ask how much memory Xen has left, with the interface version it speaks.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
/// use xen::out_of_tree::free_memory::FreeMemory;
///
/// /// Whether a domain of so many pages could be made now.
/// fn is_room_for(pages: u64) -> Result<bool> {
///     Ok(FreeMemory::probe()?.unclaimed()? >= pages)
/// }
/// ```
#[derive(Clone, Copy)]
pub struct FreeMemory {
    version: u32,
}

impl FreeMemory {
    /// Finds the version Xen answers to.
    ///
    /// # Errors
    ///
    /// `EPERM` if this domain may not ask, `EOPNOTSUPP` if Xen's version is not known.
    pub fn probe() -> Result<Self> {
        for version in VERSIONS {
            match physinfo(version) {
                Err(err) if err == EACCES => continue,
                Err(err) => return Err(err),
                Ok(_) => return Ok(Self { version }),
            }
        }
        Err(EOPNOTSUPP)
    }

    /// How many pages no domain has, and none that is being made has laid claim to.
    ///
    /// May be called in any context.
    ///
    /// # Errors
    ///
    /// Xen's own: none, once it has been probed.
    pub fn unclaimed(&self) -> Result<u64> {
        let info = physinfo(self.version)?;
        Ok(info.free_pages.saturating_sub(info.outstanding_pages))
    }
}

fn physinfo(version: u32) -> Result<Sysctl> {
    let mut op = Sysctl {
        cmd: XEN_SYSCTL_PHYSINFO,
        interface_version: version,
        machine: [0; 10],
        total_pages: 0,
        free_pages: 0,
        scrub_pages: 0,
        outstanding_pages: 0,
        rest: [0; 7],
    };
    // SAFETY: `op` is there for the call, and as large as any `struct xen_sysctl`: Xen writes nothing
    // beyond it. The operation has no pointer in its operand, by which Xen could write elsewhere.
    let result = unsafe { bindings::xen_helper_sysctl((&raw mut op).cast()) };
    to_result(result as c_int)?;
    Ok(op)
}
