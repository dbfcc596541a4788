// SPDX-License-Identifier: GPL-2.0

//! Locks: the devices of the driver, for whoever unloads it.

use crate::ending::Ending;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// The devices that have dealings with Dom0: one, but who knows.
#[pin_data]
pub(crate) struct Devices {
    #[pin]
    endings: Mutex<KVec<Arc<Ending>>>,
}

impl Devices {
    pub(crate) fn new() -> Result<Arc<Self>> {
        let list = pin_init!(Self {
            endings <- new_mutex!(KVec::new()),
        });
        Arc::pin_init(list, GFP_KERNEL)
    }

    /// Settles for all of them. Each is unbound later, in the thread that serves all of xenbus, and
    /// has little to do there then.
    pub(crate) fn settle(&self) {
        loop {
            // Not in the loop's condition, which would keep the lock.
            let next = self.endings.lock().pop();
            let Some(ending) = next else {
                return;
            };
            ending.settle_early();
        }
    }
}

/// An entry among the devices, removed when dropped.
pub(crate) struct Entry {
    devices: Arc<Devices>,
    ending: Arc<Ending>,
}

impl Entry {
    pub(crate) fn new(devices: &Arc<Devices>, ending: &Arc<Ending>) -> Result<Self> {
        devices.endings.lock().push(ending.clone(), GFP_KERNEL)?;
        Ok(Self {
            devices: devices.clone(),
            ending: ending.clone(),
        })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut endings = self.devices.endings.lock();
        endings.retain(|ending| !Arc::ptr_eq(ending, &self.ending));
    }
}
