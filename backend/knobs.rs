// SPDX-License-Identifier: GPL-2.0

//! Errnos: the files in `/sys/bus/xen-backend/devices/cmm-N-0/`, and in the driver's own directory.
//!
//! They are described in `Documentation/ABI/testing/sysfs-bus-xen-backend-cmm`.

use crate::{
    backend::Backend,
    service::Service, //
};
use cmm::{
    coordinator::{
        Event,
        Policy,
        Refused,
        View,
        MILLISECOND, //
    },
    pages::{
        from_kib,
        to_kib, //
    },
    DomId, //
};
use core::fmt::Write;
use kernel::{
    device,
    prelude::*,
    sync::Arc, //
};
use xen::{
    attribute::{
        Attribute as Knob,
        Text, //
    },
    series::{
        EDQUOT,
        ENOTCONN, //
    },
    xenbus::Device, //
};

type Dev = Device<device::Bound>;

pub(crate) const KNOBS: &[Knob<Dev, Backend>] = &[
    Knob::read_write(
        c"floor_kb",
        |_, this, text| show(text, to_kib(view(this)?.limits.floor)),
        |_, this, text| {
            set(this, |dom| {
                Ok(Event::SetFloor {
                    dom,
                    pages: pages(text)?,
                })
            })
        },
    ),
    Knob::read_write(
        c"ceiling_kb",
        |_, this, text| show(text, to_kib(view(this)?.limits.ceiling)),
        |_, this, text| {
            set(this, |dom| {
                Ok(Event::SetCeiling {
                    dom,
                    pages: pages(text)?,
                })
            })
        },
    ),
    Knob::read_write(
        c"weight",
        |_, this, text| show(text, view(this)?.limits.weight.into()),
        |_, this, text| {
            set(this, |dom| {
                Ok(Event::SetWeight {
                    dom,
                    weight: number(text)?,
                })
            })
        },
    ),
    Knob::read_write(
        c"protected",
        |_, this, text| show(text, view(this)?.limits.protected.into()),
        |_, this, text| {
            set(this, |dom| {
                Ok(Event::SetProtected {
                    dom,
                    protected: switch(text)?,
                })
            })
        },
    ),
    Knob::read_only(c"borrowed_kb", |_, this, text| {
        show(text, to_kib(view(this)?.borrowed()))
    }),
    Knob::read_only(c"lent_kb", |_, this, text| {
        show(text, to_kib(view(this)?.lent()))
    }),
    Knob::read_only(c"available_kb", |_, this, text| {
        show(text, to_kib(view(this)?.available))
    }),
    Knob::write_only(c"give_kb", |_, this, text| {
        set(this, |dom| {
            Ok(Event::Give {
                dom,
                pages: pages(text)?,
            })
        })
    }),
    Knob::write_only(c"take_kb", |_, this, text| {
        set(this, |dom| {
            Ok(Event::Take {
                dom,
                pages: pages(text)?,
            })
        })
    }),
];

pub(crate) const DRIVER_KNOBS: &[Knob<(), Arc<Service>>] = &[
    Knob::read_write(
        c"reserve_kb",
        |(), service, text| show(text, to_kib(service.core().settings().reserve)),
        |(), service, text| {
            let pages = pages(text)?;
            tell(service, Event::SetReserve { pages })
        },
    ),
    Knob::read_write(
        c"credit_kb",
        |(), service, text| show(text, to_kib(service.core().settings().credit)),
        |(), service, text| {
            let pages = pages(text)?;
            tell(service, Event::SetCredit { pages })
        },
    ),
    Knob::read_only(c"pool_kb", |(), service, text| {
        show(text, to_kib(service.core().pool()))
    }),
    Knob::read_write(
        c"donor_timeout_ms",
        |(), service, text| show(text, service.core().settings().donor_timeout / MILLISECOND),
        |(), service, text| {
            let ms: u64 = number(text)?;
            let nanos = ms.checked_mul(MILLISECOND).ok_or(EINVAL)?;
            tell(service, Event::SetDonorTimeout { nanos })
        },
    ),
    Knob::read_write(
        c"policy",
        |(), service, text| {
            writeln!(text, "{}", service.core().settings().policy.name()).map_err(|_| ENOSPC)
        },
        |(), service, text| {
            let policy = Policy::from_name(text).ok_or(EINVAL)?;
            tell(service, Event::SetPolicy(policy))
        },
    ),
    Knob::read_write(
        c"ask_ready",
        |(), service, text| show(text, service.core().settings().ask_ready.into()),
        |(), service, text| tell(service, Event::SetAskReady(switch(text)?)),
    ),
    Knob::read_write(
        c"boost",
        |(), service, text| show(text, service.core().settings().boost.into()),
        |(), service, text| tell(service, Event::SetBoost(switch(text)?)),
    ),
];

fn show(text: &mut Text<'_>, value: u64) -> Result {
    writeln!(text, "{value}").map_err(|_| ENOSPC)
}

fn number<T: core::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| EINVAL)
}

/// Reads 0 or 1.
fn switch(text: &str) -> Result<bool> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(EINVAL),
    }
}

/// Reads a size in KiB; returns pages.
fn pages(text: &str) -> Result<u64> {
    from_kib(number(text)?).ok_or(EINVAL)
}

/// What the coordinator knows of the domain: nothing before its front-end has connected.
fn view(this: &Backend) -> Result<View> {
    this.service.core().view(this.dom).ok_or(ENOTCONN)
}

fn set(this: &Backend, event: impl FnOnce(DomId) -> Result<Event>) -> Result {
    tell(&this.service, event(this.dom)?)
}

fn tell(service: &Service, event: Event) -> Result {
    service
        .core()
        .handle(event)
        .map_err(|refused| match refused {
            Refused::UnknownDomain | Refused::NotConnected => ENOTCONN,
            Refused::ShuttingDown => ENODEV,
            Refused::OutOfRange | Refused::FloorAboveCeiling => EINVAL,
            Refused::BelowFloor | Refused::AboveCeiling => EDQUOT,
            Refused::Busy => EBUSY,
            Refused::StorageFull => ENOSPC,
        })
}
