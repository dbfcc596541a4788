// SPDX-License-Identifier: GPL-2.0

//! Dom0's view: a domain's size and CPU time by hypercall, its target in xenstore.

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
const SYSCTL: u64 = 35;
const GETCPUINFO: u32 = 8;
const DOMCTL: u64 = 36;
const GETDOMAININFO: u32 = 5;

/// The versions of sysctl and domctl to try: those of Xen 4.17 to 4.22, and some to spare.
const VERSIONS: std::ops::RangeInclusive<u32> = 0x13..=0x19;

/// The most CPUs of which idleness is asked for.
const MAX_CPUS: usize = 512;

impl Hypervisor {
    pub fn open() -> Result<Self, String> {
        open("/dev/xen/privcmd").map(Self)
    }

    /// How much memory a domain has, in KiB.
    pub fn size(&self, domain: u16) -> Result<u64, String> {
        let arguments = [CURRENT_RESERVATION, (&raw const domain) as u64];
        // SAFETY: Xen reads the number the argument points to.
        let pages = unsafe { self.call(MEMORY_OP, arguments) }
            .map_err(|why| format!("Xen does not say domain {domain}'s size: {why}"))?;
        Ok(pages as u64 * 4)
    }

    /// How much CPU time a domain has had, in ns.
    pub fn cpu_time(&self, domain: u16) -> Result<u64, String> {
        // `struct xen_domctl`: what to do and for whom, and then `xen_domctl_getdomaininfo`.
        const CPU_TIME: usize = 9;
        let mut control = [0u64; 18];
        for version in VERSIONS {
            control[0] = u64::from(GETDOMAININFO) | (u64::from(version) << 32);
            control[1] = u64::from(domain);
            // SAFETY: Xen reads and writes no more than `struct xen_domctl`, which is as large.
            match unsafe { self.call(DOMCTL, [(&raw mut control) as u64, 0]) } {
                Ok(_) => return Ok(control[CPU_TIME]),
                Err(why) if why.raw_os_error() == Some(libc::EACCES) => (),
                Err(why) => return Err(format!("Xen knows no domain {domain}: {why}")),
            }
        }
        Err("Xen speaks no version of domctl that is known here".into())
    }

    /// How long each CPU of the machine has been idle, in ns.
    fn idle_times(&self) -> Result<Vec<u64>, String> {
        // `struct xen_sysctl`: what to do, and then `xen_sysctl_getcpuinfo`.
        let mut times = vec![0u64; MAX_CPUS];
        let mut control = [0u64; 17];
        for version in VERSIONS {
            control[0] = u64::from(GETCPUINFO) | (u64::from(version) << 32);
            control[1] = MAX_CPUS as u64;
            control[2] = times.as_mut_ptr() as u64;
            // SAFETY: Xen reads and writes no more than `struct xen_sysctl`, which is as large, and
            // the array, which has as much room as it says.
            match unsafe { self.call(SYSCTL, [(&raw mut control) as u64, 0]) } {
                Ok(_) => {
                    times.truncate(control[3] as u32 as usize);
                    return Ok(times);
                }
                Err(why) if why.raw_os_error() == Some(libc::EACCES) => (),
                Err(why) => return Err(format!("Xen does not say how idle it is: {why}")),
            }
        }
        Err("Xen speaks no version of sysctl that is known here".into())
    }

    /// How long all CPUs of the machine have been idle, together, in ns.
    pub fn idle(&self) -> Result<u64, String> {
        Ok(self.idle_times()?.iter().sum())
    }

    /// How many CPUs the machine has.
    pub fn cpus(&self) -> Result<u32, String> {
        Ok(self.idle_times()?.len() as u32)
    }

    /// # Safety
    ///
    /// What Xen reads and writes for this hypercall must be there, and as large as it is to Xen.
    unsafe fn call(&self, op: u64, [first, second]: [u64; 2]) -> io::Result<i32> {
        let call = Call {
            op,
            arguments: [first, second, 0, 0, 0],
        };
        // SAFETY: The ioctl reads the structure; the rest by the safety requirements.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), IOCTL_PRIVCMD_HYPERCALL, &call) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(result)
    }
}

fn open(path: &str) -> Result<File, String> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|why| format!("{path}: {why}: this wants to be Dom0, and root"))
}
