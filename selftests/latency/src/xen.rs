// SPDX-License-Identifier: GPL-2.0

//! Dom0's view: a domain's size by hypercall, its target in xenstore.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::fd::AsRawFd,
};

/// `XS_READ`, `XS_WRITE`, `XS_ERROR` of Xen's public/io/xs_wire.h.
const XS_READ: u32 = 2;
const XS_WRITE: u32 = 11;
const XS_ERROR: u32 = 16;

/// A connection with xenstore: no process need be started to write a node.
pub struct Store(File);

impl Store {
    pub fn open() -> Result<Self, String> {
        open("/dev/xen/xenbus").map(Self)
    }

    /// A domain's target, in KiB.
    pub fn target(&mut self, domain: u16) -> Result<u64, String> {
        let path = target_path(domain);
        let text = self.ask(XS_READ, path.as_bytes());
        text.ok()
            .and_then(|text| text.parse().ok())
            .ok_or(format!("xenstore's {path} is no number"))
    }

    pub fn set_target(&mut self, domain: u16, kib: u64) -> Result<(), String> {
        let path = target_path(domain);
        self.ask(XS_WRITE, format!("{path}{kib}").as_bytes())
            .map(drop)
            .map_err(|why| format!("cannot write xenstore's {path}: {why}"))
    }

    fn ask(&mut self, kind: u32, payload: &[u8]) -> io::Result<String> {
        let mut message = Vec::new();
        for word in [kind, 0, 0, payload.len() as u32] {
            message.extend(word.to_ne_bytes());
        }
        message.extend(payload);
        self.0.write_all(&message)?;

        let mut header = [0; 16];
        self.0.read_exact(&mut header)?;
        let word = |at: usize| u32::from_ne_bytes([0, 1, 2, 3].map(|i| header[at + i]));
        let mut answer = vec![0; word(12) as usize];
        self.0.read_exact(&mut answer)?;
        let text = String::from_utf8_lossy(&answer);
        let text = text.trim_end_matches('\0').to_string();
        if word(0) == XS_ERROR {
            return Err(io::Error::other(text));
        }
        Ok(text)
    }
}

/// The path as the protocol wants it, with its end.
fn target_path(domain: u16) -> String {
    format!("/local/domain/{domain}/memory/target\0")
}

/// Xen's hypercalls, from user space. Works in a PV Dom0 only: elsewhere Xen cannot read this
/// process's memory.
pub struct Hypervisor(File);

/// `struct privcmd_hypercall` of Linux's xen/privcmd.h, and its ioctl.
#[repr(C)]
struct Call {
    op: u64,
    arguments: [u64; 5],
}
const IOCTL_PRIVCMD_HYPERCALL: libc::Ioctl =
    ((size_of::<Call>() << 16) | ((b'P' as usize) << 8)) as libc::Ioctl;

const MEMORY_OP: u64 = 12;
const CURRENT_RESERVATION: u64 = 3;

impl Hypervisor {
    pub fn open() -> Result<Self, String> {
        open("/dev/xen/privcmd").map(Self)
    }

    /// How much memory a domain has, in KiB.
    pub fn size(&self, domain: u16) -> Result<u64, String> {
        let call = Call {
            op: MEMORY_OP,
            arguments: [CURRENT_RESERVATION, (&raw const domain) as u64, 0, 0, 0],
        };
        // SAFETY: The ioctl reads the structure; Xen reads the number the argument points to.
        let pages = unsafe { libc::ioctl(self.0.as_raw_fd(), IOCTL_PRIVCMD_HYPERCALL, &call) };
        if pages < 0 {
            let why = io::Error::last_os_error();
            return Err(format!("Xen does not say domain {domain}'s size: {why}"));
        }
        Ok(pages as u64 * 4)
    }
}

fn open(path: &str) -> Result<File, String> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|why| format!("{path}: {why}: this wants to be Dom0, and root"))
}
