// SPDX-License-Identifier: GPL-2.0

//! What is fuzzed: each function takes any bytes, and panics if the crate does something it must not.

mod client;
mod coordinator;
mod input;
mod messages;
mod ring;

pub use client::client;
use cmm::coordinator::{Record, Settings};
pub use coordinator::coordinator;
pub use messages::messages;
pub use ring::ring;

/// A target's name, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 5] = [
    ("messages", messages),
    ("ring", ring),
    ("record", record),
    ("coordinator", coordinator),
    ("client", client),
];

/// What is written down: parsing refuses it, or what is written again means the same.
pub fn record(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    if let Some(record) = Record::parse(text) {
        assert_eq!(Record::parse(&record.to_string()), Some(record));
    }
    if let Some(settings) = Settings::parse(text) {
        assert_eq!(Settings::parse(&settings.to_string()), Some(settings));
    }
}
