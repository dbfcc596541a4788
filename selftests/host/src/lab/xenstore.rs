// SPDX-License-Identifier: GPL-2.0

//! A domain's end of xenstore, by the kernel's device: no process is started for it, and no memory is needed.

use std::fs::{File, OpenOptions};
use std::io::{self, Error, ErrorKind, Read, Write};

/// Of the wire.
const READ: u32 = 2;
const WRITE: u32 = 11;
const ERROR: u32 = 16;
const HEADER: usize = 16;

/// What is taken of a value.
const LONGEST: usize = 256;

/// The device.
pub struct Xenstore(File);

impl Xenstore {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// It is not there.
    pub fn open() -> io::Result<Self> {
        let options = OpenOptions::new().read(true).write(true).to_owned();
        Ok(Self(options.open("/dev/xen/xenbus")?))
    }

    /// Writes a node.
    ///
    /// # Errors
    ///
    /// It may not be written.
    pub fn write(&mut self, node: &str, value: &str) -> io::Result<()> {
        let payload = format!("{node}\0{value}");
        self.exchange(WRITE, payload.as_bytes()).map(|_| ())
    }

    /// Reads a node.
    ///
    /// # Errors
    ///
    /// It is not there.
    pub fn read(&mut self, node: &str) -> io::Result<String> {
        let payload = format!("{node}\0");
        let value = self.exchange(READ, payload.as_bytes())?;
        String::from_utf8(value).map_err(|_| ErrorKind::InvalidData.into())
    }

    fn exchange(&mut self, kind: u32, payload: &[u8]) -> io::Result<Vec<u8>> {
        let mut message = Vec::with_capacity(HEADER + payload.len());
        for word in [kind, 0, 0, payload.len() as u32] {
            message.extend(word.to_ne_bytes());
        }
        message.extend(payload);
        self.0.write_all(&message)?;
        let mut header = [0; HEADER];
        self.0.read_exact(&mut header)?;
        let word =
            |i: usize| u32::from_ne_bytes([header[i], header[i + 1], header[i + 2], header[i + 3]]);
        let (answer, length) = (word(0), word(12) as usize);
        if length > LONGEST {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut value = vec![0; length];
        self.0.read_exact(&mut value)?;
        if answer == ERROR {
            let what = String::from_utf8_lossy(&value);
            return Err(Error::other(format!("xenstore: {what}")));
        }
        Ok(value)
    }
}
