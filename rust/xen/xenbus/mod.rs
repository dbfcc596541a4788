// SPDX-License-Identifier: GPL-2.0

//! Xenbus: the bus of Xen's split drivers.
//!
//! A device has two halves in two domains, a front-end and a back-end, which meet through
//! directories in xenstore and through the [`XenbusState`] each of them shows the other.
//!
//! A driver implements [`Driver`] and is declared by
//! [`module_xenbus_driver!`](crate::module_xenbus_driver); its private data is created by
//! [`Driver::probe`], lives while the driver is bound to the device, and is dropped after
//! [`Driver::unbind`].
//!
//! C header: [`include/xen/xenbus.h`](srctree/include/xen/xenbus.h)

mod adapter;
mod device;
mod driver;
mod register;
mod state;
mod unbinding;
mod unregister;

pub use adapter::{
    Adapter,
    RawDriver, //
};
pub use device::Device;
pub use driver::{
    id_array,
    DeviceId,
    Driver,
    Fate,
    Half,
    IdArray,
    IdTable, //
};
pub use state::XenbusState;

/// Declares a kernel module that is one [`Driver`].
///
/// The alias is `xen:` and the device type for a front-end, `xen-backend:` and the device type for
/// a back-end.
///
/// # Examples
///
/// ```
/// # use kernel::{device::{Bound, Core}, prelude::*};
/// # use xen::xenbus::{self, Device, Fate, Half, XenbusState};
/// # static ID_TABLE: xenbus::IdArray<1> =
/// #     xenbus::id_array([xenbus::DeviceId::new(c"vkitten")]);
/// struct Kitten;
///
/// impl xenbus::Driver for Kitten {
///     // As in the example there.
/// #     const HALF: Half = Half::Frontend;
/// #     const ID_TABLE: xenbus::IdTable = &ID_TABLE;
/// #     type Context = ();
/// #     type Data = Self;
/// #     fn context() -> Result { Ok(()) }
/// #     fn probe(_: &Device<Core<'_>>, _: &()) -> impl PinInit<Self, Error> { Ok(Kitten) }
/// #     fn otherend_changed(_: &Device<Bound>, _: &(), _: Pin<&Self>, _: XenbusState) -> Fate {
/// #         Fate::Keep
/// #     }
/// }
///
/// xen::module_xenbus_driver! {
///     type: Kitten,
///     name: "kitten",
///     authors: ["Somebody"],
///     description: "A virtual kitten",
///     license: "GPL v2",
///     alias: ["xen:vkitten"],
/// }
/// ```
#[macro_export]
macro_rules! module_xenbus_driver {
    ($($f:tt)*) => {
        ::kernel::module_driver!(<T>, $crate::xenbus::Adapter<T>, { $($f)* });
    };
}
