// SPDX-License-Identifier: GPL-2.0

//! Xenbus devices: one half of a pair in two domains.

use super::state::XenbusState;
use crate::{
    bindings,
    domain::DomId,
    xenstore, //
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::{
        addr_of_mut,
        NonNull, //
    },
};
use kernel::{
    device,
    fmt,
    prelude::*,
    str::CString,
    sync::aref::AlwaysRefCounted,
    types::Opaque, //
};

/// A xenbus device.
///
/// # Invariants
///
/// An instance represents a valid `struct xenbus_device` created by the C side of the kernel. None
/// is made in Rust: there are references to those that the bus hands in.
///
/// # Examples
///
/// A back-end that finds out what its front-end wants.
///
/// ```
/// use kernel::{device::Bound, prelude::*};
/// use xen::{xenbus::{Device, XenbusState}, xenstore};
///
/// fn size_wanted(dev: &Device<Bound>) -> Result<u32> {
///     xenstore::read_number(&dev.otherend()?, c"size").inspect_err(|err| {
///         dev.dev_fatal(*err, fmt!("domain {} says no size", dev.otherend_id().0));
///         dev.switch_state(XenbusState::Closed);
///     })
/// }
/// ```
///
/// Who has kept a reference says nothing in its name any more: by then its directory may be another's.
///
/// ```compile_fail,E0599
/// use xen::xenbus::{Device, XenbusState};
///
/// fn too_late(dev: &Device) {
///     dev.switch_state(XenbusState::Closed);
/// }
/// ```
///
/// ```compile_fail,E0599
/// use kernel::prelude::*;
/// use xen::xenbus::Device;
///
/// fn too_late(dev: &Device) {
///     dev.dev_fatal(EIO, fmt!("it is gone"));
/// }
/// ```
#[repr(transparent)]
pub struct Device<Ctx: device::DeviceContext = device::Normal>(
    Opaque<bindings::xenbus_device>,
    PhantomData<Ctx>,
);

impl<Ctx: device::DeviceContext> Device<Ctx> {
    pub(crate) fn as_raw(&self) -> *mut bindings::xenbus_device {
        self.0.get()
    }

    /// The device's own directory in xenstore.
    pub fn node(&self) -> &CStr {
        // SAFETY: By the type invariant the device is valid. Its node's name was written before the
        // device was registered, is never changed, and is freed with the device.
        unsafe { CStr::from_char_ptr((*self.as_raw()).nodename) }
    }

    /// The state this half shows.
    pub fn state(&self) -> XenbusState {
        // SAFETY: By the type invariant the device is valid. Whoever switches the state may write
        // it meanwhile, as a whole: any value read is one that the device had.
        XenbusState::from_raw(unsafe { (&raw const (*self.as_raw()).state).read_volatile() })
    }

    /// Whether there is another half. A front-end's device has none after its domain was restored
    /// without one, until it is removed. May be called in any context.
    pub fn has_otherend(&self) -> bool {
        // SAFETY: By the type invariant the device is valid. The bus may free the path meanwhile;
        // the pointer is compared, and what it points to is not looked at.
        let path = unsafe { (&raw const (*self.as_raw()).otherend).read_volatile() };
        !path.is_null()
    }
}

impl Device<device::Bound> {
    /// Shows the other half a new state. May sleep.
    ///
    /// It cannot fail for the caller: if xenstore refuses, the bus reports that itself.
    pub fn switch_state(&self, state: XenbusState) {
        // SAFETY: By the type invariant the device is valid, which is all that is asked of it.
        unsafe { bindings::xen_helper_switch_state(self.as_raw(), state.into_raw()) };
    }

    /// Logs an error, leaves it in xenstore for the administrator, and begins to close the device
    /// (`xenbus_dev_fatal`). May sleep.
    pub fn dev_fatal(&self, err: Error, args: fmt::Arguments<'_>) {
        // SAFETY: By the type invariant the device is valid. What is pointed to is a
        // `fmt::Arguments`, which lives until the call ends.
        unsafe {
            bindings::xen_helper_dev_fatal(
                self.as_raw(),
                err.to_errno(),
                core::ptr::from_ref(&args).cast::<c_void>(),
            )
        };
    }

    /// The other half's directory in xenstore. May sleep.
    ///
    /// It is read anew: the path that the bus keeps is freed when the domain is restored, which may
    /// be while somebody is at it.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none: a front-end's device has none after its domain was restored
    /// without one, until it is removed. `ENOMEM`.
    ///
    /// # Examples
    ///
    /// It is the caller's, whatever becomes of the device.
    ///
    /// ```
    /// use kernel::{device::Bound, prelude::*, str::CString};
    /// use xen::xenbus::Device;
    ///
    /// fn keep(dev: &Device<Bound>) -> Result<impl Fn() -> usize + use<>> {
    ///     let path: CString = dev.otherend()?;
    ///     Ok(move || path.to_bytes().len())
    /// }
    /// ```
    pub fn otherend(&self) -> Result<CString> {
        if !self.has_otherend() {
            return Err(ENODEV);
        }
        // A back-end's own directory is below `backend`, in its own domain.
        let is_backend = self.node().to_bytes().starts_with(b"backend/");
        let node = if is_backend { c"frontend" } else { c"backend" };
        let path = xenstore::read(self.node(), node).map_err(|err| match err {
            ENOENT => ENODEV,
            err => err,
        })?;
        CString::try_from_fmt(fmt!("{}", path.as_str()?))
    }

    /// The domain of the other half.
    pub fn otherend_id(&self) -> DomId {
        // SAFETY: By the type invariant the device is valid. The number changes as the path does,
        // and is read as a whole.
        let id = unsafe { (&raw const (*self.as_raw()).otherend_id).read_volatile() };
        u16::try_from(id).map_or(DomId::INVALID, DomId)
    }

    /// The state the other half shows now.
    pub fn otherend_state(&self) -> XenbusState {
        let Ok(path) = self.otherend() else {
            return XenbusState::Unknown;
        };
        // SAFETY: By the type invariant the device is valid, and `path` is a C string for the call.
        XenbusState::from_raw(unsafe {
            bindings::xenbus_read_driver_state(self.as_raw(), path.as_char_ptr())
        })
    }

    /// Whether the toolstack takes the device away. As [`is_online`](Self::is_online), from the
    /// front-end's side.
    pub fn is_taken_away(&self) -> bool {
        let back = self.otherend();
        back.is_ok_and(|back| matches!(xenstore::read_number(&back, c"online"), Ok(0u32)))
    }

    /// Whether the toolstack still wants the device (`online` in the back-end's directory).
    pub fn is_online(&self) -> bool {
        // SAFETY: By the type invariant the device is valid, and so is the name of its directory.
        unsafe { bindings::xenbus_dev_is_online(self.as_raw()) != 0 }
    }

    /// Shows that this front-end is closed, and wakes whoever waits for that. May sleep.
    pub fn frontend_closed(&self) {
        // SAFETY: By the type invariant the device is valid, and its completion was set up when the
        // bus made it.
        unsafe { bindings::xen_helper_frontend_closed(self.as_raw()) };
    }
}

// SAFETY: `Device` is a transparent wrapper of `struct xenbus_device`, at whose `dev` the generic
// device is.
unsafe impl<Ctx: device::DeviceContext> device::AsBusDevice<Ctx> for Device<Ctx> {
    const OFFSET: usize = offset_of!(bindings::xenbus_device, dev);
}

// SAFETY: `Device` is a transparent wrapper of a type that does not depend on its argument.
kernel::impl_device_context_deref!(unsafe { Device });
kernel::impl_device_context_into_aref!(Device);

// SAFETY: A `xenbus_device` is freed when the last reference to the device in it is dropped.
unsafe impl AlwaysRefCounted for Device {
    fn inc_ref(&self) {
        // SAFETY: The existence of a shared reference guarantees a non-zero count.
        unsafe { bindings::get_device(addr_of_mut!((*self.as_raw()).dev)) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        let dev: *mut bindings::xenbus_device = obj.cast().as_ptr();

        // SAFETY: The caller owns a reference and gives it up, so the count is not zero yet.
        unsafe { bindings::put_device(addr_of_mut!((*dev).dev)) }
    }
}

impl<Ctx: device::DeviceContext> AsRef<device::Device<Ctx>> for Device<Ctx> {
    fn as_ref(&self) -> &device::Device<Ctx> {
        // SAFETY: By the type invariant `self.as_raw()` is valid, and so is the device in it, for
        // as long as `self` is borrowed. It is in the same context.
        unsafe { device::Device::from_raw(addr_of_mut!((*self.as_raw()).dev)) }
    }
}

// SAFETY: A `Device` is reference-counted and can be released from any thread.
unsafe impl Send for Device {}

// SAFETY: The methods of a `Device` switch its state one at a time, call functions of the bus that
// only ask xenstore or complete what is waited for, or read single numbers.
unsafe impl Sync for Device {}

// SAFETY: The same device; the context is a zero-sized marker.
unsafe impl Sync for Device<device::Bound> {}
