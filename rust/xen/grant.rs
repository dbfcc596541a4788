// SPDX-License-Identifier: GPL-2.0

//! Grants: pages one domain lets another one map.
//!
//! [`GrantedPage`] is the owner's end, [`MappedPage`] the other's; both give access to the memory
//! as a [`SharedPage`].
//!
//! C header: [`include/xen/grant_table.h`](srctree/include/xen/grant_table.h)

use crate::{
    bindings,
    domain::DomId,
    shared_page::SharedPage,
    xenbus::Device, //
};
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    device,
    error::to_result,
    prelude::*,
    sync::aref::ARef, //
};

/// A grant reference: how a grant is named to the domain it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantRef(pub u32);

/// A zeroed page of this domain that another domain may map.
///
/// # Invariants
///
/// `page` came from the page allocator, and the grant is open.
pub struct GrantedPage {
    page: NonNull<bindings::page>,
    shared: SharedPage,
    grant: GrantRef,
}

// SAFETY: The page is accessed through `SharedPage` only, and may be freed by any thread.
unsafe impl Send for GrantedPage {}

// SAFETY: As above.
unsafe impl Sync for GrantedPage {}

impl GrantedPage {
    /// Allocates a zeroed page and grants it to `peer`, to read and to write.
    pub fn new(peer: DomId) -> Result<Self> {
        // SAFETY: May be called in any context that may sleep.
        let page = unsafe { bindings::alloc_pages(bindings::GFP_KERNEL | bindings::__GFP_ZERO, 0) };
        let page = NonNull::new(page).ok_or(ENOMEM)?;

        // SAFETY: The page is valid and in the direct map, which covers all of a 64-bit kernel.
        let frame = unsafe { bindings::xen_helper_page_to_gfn(page.as_ptr()) };
        // SAFETY: The frame is this domain's own.
        let grant = unsafe { bindings::gnttab_grant_foreign_access(peer.0, frame, 0) };
        if grant < 0 {
            // SAFETY: The page has just been allocated, and nobody else knows of it.
            unsafe { bindings::__free_pages(page.as_ptr(), 0) };
            return Err(Error::from_errno(grant));
        }

        // SAFETY: The page is valid.
        let base = unsafe { bindings::xen_helper_page_address(page.as_ptr()) };
        // SAFETY: A page from the allocator without highmem has an address, where it is valid for
        // as long as it is not freed: not before `self` is dropped.
        let shared = unsafe { SharedPage::new(base.cast()) }?;
        Ok(Self {
            page,
            shared,
            grant: GrantRef(grant as u32),
        })
    }

    /// The reference to tell the other domain.
    pub fn grant(&self) -> GrantRef {
        self.grant
    }
}

impl Deref for GrantedPage {
    type Target = SharedPage;

    fn deref(&self) -> &SharedPage {
        &self.shared
    }
}

impl Drop for GrantedPage {
    fn drop(&mut self) {
        // Frees the page too: now, or when the other domain has unmapped it.
        //
        // SAFETY: The grant is open, and nobody in this domain uses the page any more.
        unsafe { bindings::gnttab_end_foreign_access(self.grant.0, self.page.as_ptr()) };
    }
}

/// A page of another domain, mapped.
///
/// # Invariants
///
/// `shared` is a mapping made for `device`.
pub struct MappedPage {
    device: ARef<Device>,
    shared: SharedPage,
}

impl MappedPage {
    /// Maps what the front-end of `device` has granted as `grant`. May sleep.
    ///
    /// # Errors
    ///
    /// What Xen says: there may be no such grant, or it may not be for this domain.
    pub fn new(device: &Device<device::Bound>, grant: GrantRef) -> Result<Self> {
        let mut grant = grant.0;
        let mut addr = core::ptr::null_mut();

        // SAFETY: The device is valid, `grant` is an array of one, and `addr` may be written.
        to_result(unsafe {
            bindings::xenbus_map_ring_valloc(device.as_raw(), &mut grant, 1, &mut addr)
        })?;

        // SAFETY: The mapping is valid until `self` is dropped.
        let shared = unsafe { SharedPage::new(addr.cast()) }?;
        Ok(Self {
            device: device.into(),
            shared,
        })
    }
}

impl Deref for MappedPage {
    type Target = SharedPage;

    fn deref(&self) -> &SharedPage {
        &self.shared
    }
}

impl Drop for MappedPage {
    fn drop(&mut self) {
        // SAFETY: By the type invariants this is a mapping of the device's, and nobody uses it any
        // more.
        unsafe {
            bindings::xenbus_unmap_ring_vfree(self.device.as_raw(), self.shared.as_ptr().cast())
        };
    }
}
