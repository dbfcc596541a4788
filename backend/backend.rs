// SPDX-License-Identifier: GPL-2.0

//! Xenbus: what the driver keeps of each device.

use crate::{
    connection::Connection,
    service::Service, //
};
use cmm::budget::{
    Budget,
    Visits, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Atomic,
        Arc,
        Mutex, //
    }, //
};
use xen::xenstore::Watch;

/// The driver's data of a device `cmm-N-0`, for domain N.
#[pin_data]
pub(crate) struct Backend {
    #[pin]
    pub(crate) target: Watch<Target>,
    #[pin]
    pub(crate) dealings: Mutex<Dealings>,
    pub(crate) service: Arc<Service>,
    pub(crate) dom: cmm::DomId,
    /// It has not connected before, whatever another device of the domain did.
    pub(crate) fresh: Atomic<bool>,
    /// The front-end broke the protocol, or published nonsense: it is not invited again.
    pub(crate) sent_away: Atomic<bool>,
}

/// How Dom0 stands with a front-end. What it may cost outlives connections, or to connect anew would be
/// the way to have more.
#[derive(Default)]
pub(crate) struct Dealings {
    pub(crate) connection: Option<Connection>,
    pub(crate) budget: Budget,
    pub(crate) visits: Visits,
}

/// Watches the size the toolstack wants the domain to have.
pub(crate) struct Target {
    pub(crate) service: Arc<Service>,
    pub(crate) dom: cmm::DomId,
}
