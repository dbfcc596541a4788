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
    frame_section::FrameSection,
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

/// A grant reference: how a grant is named to the domain it is for. [`GrantedPage`] and
/// [`MappedPage`] have examples of its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantRef(pub u32);

/// A zeroed page of this domain that another domain may map.
///
/// # Invariants
///
/// `page` came from the page allocator, `shared` is its mapping, and the grant is open.
///
/// # Examples
///
/// ```
/// use kernel::{device::Bound, fmt, prelude::*};
/// use xen::{grant::GrantedPage, xenbus::Device, xenstore};
///
/// /// Shares a page with the other half, and says where it is.
/// fn share(dev: &Device<Bound>) -> Result<GrantedPage> {
///     let page = GrantedPage::new(dev.otherend_id())?;
///     xenstore::write(dev.node(), c"page-ref", fmt!("{}", page.grant().0))?;
///     Ok(page)
/// }
/// ```
pub struct GrantedPage {
    page: NonNull<bindings::page>,
    shared: SharedPage,
    grant: GrantRef,
}

// SAFETY: The page is accessed through `SharedPage` only, which is `Send`, and a page and a grant
// may be given up by any thread.
unsafe impl Send for GrantedPage {}

// SAFETY: What a reference is good for is a copy of the reference to the grant, and `SharedPage`,
// which is `Sync`.
unsafe impl Sync for GrantedPage {}

impl GrantedPage {
    /// Allocates a zeroed page and grants it to `peer`, to read and to write. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENOSPC` if this domain has no grant left.
    pub fn new(peer: DomId) -> Result<Self> {
        // SAFETY: The flags are those of a context that may sleep, as this is.
        let page = unsafe { bindings::alloc_pages(bindings::GFP_KERNEL | bindings::__GFP_ZERO, 0) };
        let page = NonNull::new(page).ok_or(ENOMEM)?;

        // Not to be saved between the two: the frame could be another page's afterwards.
        let section = FrameSection::begin();
        // SAFETY: The page is ours, so it is valid and has memory.
        let frame = unsafe { bindings::xen_helper_page_to_gfn(page.as_ptr()) };
        // SAFETY: The frame is that of a page of ours, and stays so as long as the section lasts.
        // The page holds nothing but zeroes: the peer may do with it what it likes until the grant
        // is ended, in `drop`. What this allocates it does in any context.
        let grant = unsafe { bindings::gnttab_grant_foreign_access(peer.0, frame, 0) };
        drop(section);
        if grant < 0 {
            // SAFETY: The page has just been allocated with this order, and nobody else knows of
            // it.
            unsafe { bindings::__free_pages(page.as_ptr(), 0) };
            return Err(Error::from_errno(grant));
        }

        // SAFETY: The page is ours, so it is valid, and in the direct map, which covers all of a
        // 64-bit kernel.
        let base = unsafe { bindings::xen_helper_page_address(page.as_ptr()) };
        // SAFETY: The address is that of the page, of which one of Xen's is no larger, and
        // page-aligned. It is mapped there as long as it is not freed: not before `self` is
        // dropped.
        let shared = unsafe { SharedPage::new(base.cast()) }?;
        // INVARIANT: The page came from the allocator, and the grant of it is open.
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
        // SAFETY: By the type invariants the grant is open, and is of this page, which came from
        // the allocator. Nobody in this domain uses either any more.
        unsafe { bindings::gnttab_end_foreign_access(self.grant.0, self.page.as_ptr()) };
    }
}

/// A page of another domain, mapped.
///
/// # Invariants
///
/// `shared` is a mapping made for `device`.
///
/// # Examples
///
/// ```
/// use kernel::{device::Bound, prelude::*};
/// use xen::{grant::{GrantRef, MappedPage}, xenbus::Device, xenstore};
///
/// /// Maps the page that the other half has said.
/// fn map(dev: &Device<Bound>) -> Result<MappedPage> {
///     MappedPage::new(dev, GrantRef(xenstore::read_number(&dev.otherend()?, c"page-ref")?))
/// }
/// ```
pub struct MappedPage {
    device: ARef<Device>,
    shared: SharedPage,
}

impl MappedPage {
    /// Maps what the front-end of `device` has granted as `grant`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOENT` if Xen does not let it be mapped, after the device has begun to close, and the
    /// reason was logged and left in xenstore (`xenbus_dev_fatal`): there may be no such grant, or it
    /// may not be for this domain. `ENOMEM`.
    pub fn new(device: &Device<device::Bound>, grant: GrantRef) -> Result<Self> {
        let mut grant = grant.0;
        let mut addr = core::ptr::null_mut();

        // SAFETY: The device is valid, and knows its other half's domain; `grant` is an array of
        // one, and `addr` may be written. Xen checks the reference.
        to_result(unsafe {
            bindings::xenbus_map_ring_valloc(device.as_raw(), &mut grant, 1, &mut addr)
        })?;

        // SAFETY: What was mapped is a page, page-aligned, and it stays mapped until it is
        // unmapped: not before `self` is dropped.
        let shared = unsafe { SharedPage::new(addr.cast()) }?;
        // INVARIANT: The mapping has just been made for `device`.
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
        // SAFETY: By the type invariants this is a mapping made for this device, which is valid
        // still, and nobody uses it any more.
        unsafe {
            bindings::xenbus_unmap_ring_vfree(self.device.as_raw(), self.shared.as_ptr().cast())
        };
    }
}
