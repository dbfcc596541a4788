// SPDX-License-Identifier: GPL-2.0

//! Bytes that may be messages.

use cmm::protocol::layout::Bytes;
use cmm::protocol::{Down, Up, MESSAGE_SIZE};

/// A message: decoding refuses it, or encoding gives the same bytes again.
pub fn messages(data: &[u8]) {
    for chunk in data.chunks(MESSAGE_SIZE) {
        let mut bytes: Bytes = [0; MESSAGE_SIZE];
        bytes[..chunk.len()].copy_from_slice(chunk);
        message(&bytes);
    }
}

pub(crate) fn message(bytes: &Bytes) {
    match Up::decode(bytes) {
        Ok(up) => assert_eq!(up.encode(), *bytes),
        Err(violation) => assert!(!violation.to_string().is_empty()),
    }
    match Down::decode(bytes) {
        Ok(down) => assert_eq!(down.encode(), *bytes),
        Err(violation) => assert!(!violation.to_string().is_empty()),
    }
}
