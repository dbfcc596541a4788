// SPDX-License-Identifier: GPL-2.0

//! Xenbus drivers: what a driver of one half of a device says and does.

use super::{
    device::Device,
    state::XenbusState, //
};
use crate::{
    attribute::Attribute,
    bindings,
    series, //
};
use core::pin::Pin;
use kernel::{
    device,
    device_id::RawDeviceId,
    prelude::*, //
};

/// Which half of a device a driver drives. [`Driver`] has an example of its use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The front-end: a user of the device, in any domain.
    Frontend,
    /// The back-end: the provider, usually in Dom0.
    Backend,
}

/// What becomes of a device after [`Driver::otherend_changed`]. [`Driver`] has an example of its
/// use.
#[must_use]
#[derive(PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Keep,
    /// It is unregistered: the toolstack has taken it away.
    ///
    /// The driver cannot do this itself, for it borrows private data that unregistering frees.
    Unregister,
}

/// Abstraction of `struct xenbus_device_id`. [`Driver`] has an example of its use.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct DeviceId(bindings::xenbus_device_id);

impl DeviceId {
    /// The id of devices whose directories are called `device_type` (31 bytes at most).
    pub const fn new(device_type: &'static CStr) -> Self {
        let name = device_type.to_bytes();
        let mut devicetype = [0; 32];
        assert!(name.len() < devicetype.len());

        let mut i = 0;
        while i < name.len() {
            devicetype[i] = name[i];
            i += 1;
        }

        Self(bindings::xenbus_device_id { devicetype })
    }
}

// SAFETY: `DeviceId` is a `#[repr(transparent)]` wrapper of `xenbus_device_id`, without further
// invariants.
unsafe impl RawDeviceId for DeviceId {
    type RawType = bindings::xenbus_device_id;
}

/// The table of ids a driver serves.
pub type IdTable = &'static dyn kernel::device_id::IdTable<DeviceId, ()>;

/// An array of ids, to make an [`IdTable`] of.
pub type IdArray<const N: usize> = kernel::device_id::IdArray<DeviceId, (), N>;

/// Makes an [`IdArray`]. [`Driver`] has an example of its use.
pub const fn id_array<const N: usize>(ids: [DeviceId; N]) -> IdArray<N> {
    series::id_array(ids)
}

/// A xenbus driver.
///
/// `samples/` has a front-end and a back-end that are complete and small.
///
/// # Examples
///
/// ```
/// use kernel::{device::{Bound, Core}, prelude::*};
/// use xen::xenbus::{self, Device, Driver, Fate, Half, XenbusState};
///
/// /// Nothing is known of a kitten but that it is there.
/// struct Kitten;
///
/// static ID_TABLE: xenbus::IdArray<1> =
///     xenbus::id_array([xenbus::DeviceId::new(c"vkitten")]);
///
/// impl Driver for Kitten {
///     const HALF: Half = Half::Frontend;
///     const ID_TABLE: xenbus::IdTable = &ID_TABLE;
///     type Context = ();
///     type Data = Self;
///
///     fn context() -> Result {
///         Ok(())
///     }
///
///     fn probe(_dev: &Device<Core<'_>>, _context: &()) -> impl PinInit<Self, Error> {
///         Ok(Kitten)
///     }
///
///     fn otherend_changed(
///         dev: &Device<Bound>,
///         _context: &(),
///         _kitten: Pin<&Self>,
///         state: XenbusState,
///     ) -> Fate {
///         if state == XenbusState::Closing {
///             dev.frontend_closed();
///         }
///         Fate::Keep
///     }
/// }
/// ```
pub trait Driver: Sized + 'static {
    /// The half of the device this driver drives.
    const HALF: Half;

    /// The device types it serves.
    const ID_TABLE: IdTable;

    /// Attributes of each device bound to the driver, there from after `probe` until before
    /// `unbind`.
    const ATTRIBUTES: &'static [Attribute<Device<device::Bound>, Self::Data>] = &[];

    /// Attributes of the driver itself: eight at most, or it does not compile.
    const DRIVER_ATTRIBUTES: &'static [Attribute<(), Self::Context>] = &[];

    /// What all devices of the driver share. Made before the driver is registered, dropped after
    /// it was unregistered.
    type Context: Send + Sync;

    /// The private data of a device.
    type Data: Send + Sync;

    /// Makes the shared context, or refuses to serve in this domain at all.
    ///
    /// The buses exist off Xen, too, so a driver should look where it is.
    fn context() -> Result<Self::Context>;

    /// The driver is about to be unregistered. Its devices are bound still, and will be unbound one
    /// after the other.
    fn leave(context: &Self::Context) {
        let _ = context;
    }

    /// A device of a type in [`Driver::ID_TABLE`] has appeared.
    fn probe(
        dev: &Device<device::Core<'_>>,
        context: &Self::Context,
    ) -> impl PinInit<Self::Data, Error>;

    /// The other half has changed its state, or shows it for the first time.
    ///
    /// Runs in the one thread that serves all of xenbus: never wait for another domain here.
    fn otherend_changed(
        dev: &Device<device::Bound>,
        context: &Self::Context,
        data: Pin<&Self::Data>,
        state: XenbusState,
    ) -> Fate;

    /// The domain has been restored from a saved image or has migrated: grants and event channels
    /// are gone, and the other half is a new one. The front-end's state is `Initialising` again.
    fn resume(dev: &Device<device::Bound>, data: Pin<&Self::Data>) -> Result {
        let _ = (dev, data);
        Ok(())
    }

    /// The driver is about to be unbound from the device, and `unbind` comes next. Who is in an
    /// attribute of the device is waited for before that, and so has to be sent away here.
    ///
    /// Runs in the one thread that serves all of xenbus, as a rule, as `unbind` does: never wait for
    /// another domain in either, or only for a moment.
    fn unbinding(dev: &Device<device::Core<'_>>, context: &Self::Context, data: Pin<&Self::Data>) {
        let _ = (dev, context, data);
    }

    /// The driver is unbound from the device. Whatever the other half may still use must be taken
    /// down here, since the bus announces `Closed` before the data is dropped.
    fn unbind(dev: &Device<device::Core<'_>>, context: &Self::Context, data: Pin<&Self::Data>) {
        let _ = (dev, context, data);
    }
}
