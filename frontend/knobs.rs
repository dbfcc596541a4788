// SPDX-License-Identifier: GPL-2.0

//! Errnos: the files in `/sys/bus/xen/devices/cmm-0/`, with what a write to them can fail with.
//!
//! They are described in `Documentation/ABI/testing/sysfs-bus-xen-cmm`.

use crate::{
    errors::denied, //
    frontend::Frontend,
};
use cmm::{
    client::{
        Reason,
        MAX_READAHEAD, //
    },
    pages::{
        from_kib,
        to_kib, //
    },
    protocol::LONGEST_DEADLINE_US, //
};
use core::fmt::Write;
use kernel::{
    device,
    prelude::*,
    sync::atomic::Relaxed, //
};
use xen::{
    attribute::{
        Attribute as Knob,
        Text, //
    },
    xenbus::Device, //
};

type Dev = Device<device::Bound>;

pub(crate) const KNOBS: &[Knob<Dev, Frontend>] = &[
    Knob::write_only(c"request_kb", request),
    Knob::write_only(c"release_kb", release),
    Knob::read_write(
        c"auto",
        |_, this, text| show(text, this.automatic.is_enabled().into()),
        set_auto,
    ),
    Knob::read_only(c"borrowed_kb", |_, this, text| {
        show_kib(text, this.session.balance.load(Relaxed))
    }),
    Knob::read_only(c"lent_kb", |_, this, text| {
        show_kib(text, -this.session.balance.load(Relaxed))
    }),
    Knob::read_only(c"credit_kb", |_, this, text| {
        show(text, to_kib(this.session.client.lock().credit()))
    }),
    Knob::read_only(c"ahead_kb", |_, this, text| {
        show(text, to_kib(this.session.readahead.load(Relaxed)))
    }),
    Knob::read_write(
        c"fetch_ahead_kb",
        |_, this, text| {
            let limit = this.session.client.lock().readahead_limit();
            show(text, to_kib(limit))
        },
        set_fetch_ahead,
    ),
    Knob::read_write(
        c"deadline_us",
        |_, this, text| show(text, this.session.deadline_us.load(Relaxed)),
        set_deadline,
    ),
    Knob::read_only(c"last_granted_kb", |_, this, text| {
        show(text, to_kib(this.session.last_granted.load(Relaxed)))
    }),
    Knob::read_only(c"last_latency_ns", |_, this, text| {
        show(text, this.session.last_latency.load(Relaxed))
    }),
    Knob::read_only(c"last_reason", last_reason),
];

fn show(text: &mut Text<'_>, value: u64) -> Result {
    writeln!(text, "{value}").map_err(|_| ENOSPC)
}

fn show_kib(text: &mut Text<'_>, pages: i64) -> Result {
    show(text, to_kib(u64::try_from(pages).unwrap_or(0)))
}

/// Reads a size in KiB; returns pages.
fn parse_kib(text: &str) -> Result<u64> {
    let kib = text.parse().map_err(|_| EINVAL)?;
    match from_kib(kib) {
        Some(0) | None => Err(EINVAL),
        Some(pages) => Ok(pages),
    }
}

fn request(_dev: &Dev, this: &Frontend, text: &str) -> Result {
    let deadline_us = this.session.deadline_us.load(Relaxed);
    match this.session.request(parse_kib(text)?, deadline_us)? {
        (1.., _) => Ok(()),
        (0, reason) => Err(denied(reason)),
    }
}

fn release(_dev: &Dev, this: &Frontend, text: &str) -> Result {
    this.session.release(parse_kib(text)?)
}

fn set_deadline(_dev: &Dev, this: &Frontend, text: &str) -> Result {
    match text.parse() {
        Ok(us) if us <= LONGEST_DEADLINE_US => {
            this.session.deadline_us.store(us, Relaxed);
            Ok(())
        }
        _ => Err(EINVAL),
    }
}

fn set_auto(_dev: &Dev, this: &Frontend, text: &str) -> Result {
    match text {
        "0" => this.automatic.set_enabled(false),
        "1" => this.automatic.set_enabled(true),
        _ => return Err(EINVAL),
    }
    Ok(())
}

fn set_fetch_ahead(_dev: &Dev, this: &Frontend, text: &str) -> Result {
    let kib = text.parse().map_err(|_| EINVAL)?;
    match from_kib(kib) {
        Some(pages) if kib <= to_kib(MAX_READAHEAD) => {
            this.session.client.lock().set_readahead_limit(pages);
            Ok(())
        }
        _ => Err(EINVAL),
    }
}

fn last_reason(_dev: &Dev, this: &Frontend, text: &mut Text<'_>) -> Result {
    let name = Reason::name(this.session.last_reason.load(Relaxed)).ok_or(EIO)?;
    writeln!(text, "{name}").map_err(|_| ENOSPC)
}
