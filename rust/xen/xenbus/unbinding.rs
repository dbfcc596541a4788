// SPDX-License-Identifier: GPL-2.0

//! Tells a driver that a device of its is about to be unbound.
//!
//! The driver core takes a device's attributes away before it lets the driver know, and waits for
//! whoever is in one of them. If those wait for somebody in turn, the driver has to end that, or who
//! unbinds waits as long: the one thread that serves all of xenbus, most often.

use crate::bindings;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// Has the bus of a driver call `block`, which has a callback. May sleep.
///
/// # Errors
///
/// None that are known.
///
/// # Safety
///
/// `driver` must be registered. `block` must be valid, on no list, and stay so, and in place, until
/// it is taken off with [`forget`].
pub(super) unsafe fn listen(
    driver: *mut bindings::xenbus_driver,
    block: *mut bindings::notifier_block,
) -> Result {
    // SAFETY: By the safety requirements the driver is registered, so that it has a bus, which is
    // there for good, and the block stays.
    to_result(unsafe { bindings::bus_register_notifier((*driver).driver.bus, block) })
}

/// Has the bus of a driver not call `block` any more: whoever is in the callback has left it when this
/// returns. May sleep.
///
/// # Safety
///
/// `driver` must have been registered, and have been listened for.
pub(super) unsafe fn forget(
    driver: *mut bindings::xenbus_driver,
    block: *mut bindings::notifier_block,
) {
    // SAFETY: By the safety requirements the block is on the list of the driver's bus, which the
    // driver keeps a pointer to when it has been unregistered. Otherwise nothing is done.
    unsafe { bindings::bus_unregister_notifier((*driver).driver.bus, block) };
}

/// Whether the bus says with this event that a device is about to be unbound.
pub(super) fn is_unbinding(event: c_ulong) -> bool {
    event == bindings::bus_notifier_event_BUS_NOTIFY_UNBIND_DRIVER as c_ulong
}
