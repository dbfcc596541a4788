// SPDX-License-Identifier: GPL-2.0

//! Registers a driver, and waits for none of its devices to connect.
//!
//! The bus of front-ends would wait, lest the domain boots on without its disks: for those that the
//! driver has been bound to while it was registered, half a minute or five. That is no use to a
//! module that serves whatever comes, and one whose other half has not been loaded yet comes late.
//! So a driver is registered as one for no devices, and bound to its own after that, as PCI's
//! drivers are to those whose ids they are told at run time.

use super::{
    driver::{
        Half,
        IdTable, //
    },
    unbinding,
    unregister::{
        unregister,
        Reserved, //
    }, //
};
use crate::bindings;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// The ids of no devices: one without a name ends a table.
static NO_IDS: bindings::xenbus_device_id = bindings::xenbus_device_id {
    devicetype: [0; 32],
};

/// Registers a driver for the devices in `ids`, and binds it to those that are there. Its bus calls
/// `block` before it unbinds one. Returns what [`unregister`] needs. May sleep.
///
/// # Errors
///
/// `EBUSY` if there is a driver of that name, `ENOMEM`; xenstore's own, if the domain may set no more
/// watches.
///
/// # Safety
///
/// `driver` must be valid, complete but for its ids, and not registered. It must stay so, and in
/// place, until it is unregistered, which is up to the caller if this succeeds. The same holds for
/// `block`, which has a callback; the bus is to forget it after that. The caller must not be the
/// thread that serves xenbus, and must hold no lock of a device's.
pub(super) unsafe fn register(
    driver: *mut bindings::xenbus_driver,
    half: Half,
    ids: IdTable,
    block: *mut bindings::notifier_block,
) -> Result<Reserved> {
    let reserved = Reserved::new()?;
    let register = match half {
        Half::Frontend => bindings::__xenbus_register_frontend,
        Half::Backend => bindings::__xenbus_register_backend,
    };
    // No owner: the bus would hold a reference to the module for each bound device, and it could
    // not be unloaded before the toolstack has taken them all away. `unregister` unbinds them, in
    // the one thread where that waits for nobody who waits for it, and ends when no callback runs
    // any more.
    let owner = core::ptr::null_mut();

    // SAFETY: By the safety requirements the driver is valid, and nobody else knows of it yet.
    unsafe { (*driver).ids = &raw const NO_IDS };
    // SAFETY: By the safety requirements the driver is complete now, and stays.
    to_result(unsafe { register(driver, owner, core::ptr::null()) })?;
    // SAFETY: The driver is registered, and by the safety requirements the block stays.
    let listened = unsafe { unbinding::listen(driver, block) };

    // Whatever appears after this the bus binds by itself.
    //
    // SAFETY: By the safety requirements the driver is there still. The bus may read the pointer
    // meanwhile, as a whole, and follow it: both tables are there for good, and end with no id.
    unsafe { (&raw mut (*driver).ids).write_volatile(ids.as_ptr()) };
    // SAFETY: The driver is registered. It takes the lock of each device that it looks at, of which
    // by the safety requirements the caller holds none.
    let attach = || to_result(unsafe { bindings::driver_attach(&raw const (*driver).driver) });
    match listened.and_then(|()| attach()) {
        Ok(()) => Ok(reserved),
        Err(err) => {
            // SAFETY: The driver has been registered above. The rest is in the safety requirements.
            unsafe {
                unregister(driver, reserved);
                unbinding::forget(driver, block);
            }
            Err(err)
        }
    }
}
