// SPDX-License-Identifier: GPL-2.0

//! What else runs in a domain: who tells what it has and uses, as the agents of balancers do, or sets its size by
//! itself, as Linux once did.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use cmm::coordinator::{Nanos, SECOND};

use super::case::{CEILING, SIZE};
use super::xenstore::Xenstore;

/// Where it says so, below the domain's own.
pub const NODE: &str = "data/memory";

/// Less than this is no news, in KiB.
const NEWS: u64 = 512;

/// KiB in a page.
const PAGE: u64 = 4;

/// Where a domain says how much it wants to have, in KiB.
const TARGET: &str = "/sys/devices/system/xen_memory/xen_memory0/target_kb";

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It only counts.
    Watch,
    /// It tells.
    Tell,
    /// It sets the domain's size, so often.
    Balloon(Nanos),
}

/// Whoever does it.
pub struct Agent {
    role: Role,
    xenstore: Option<Xenstore>,
    meminfo: File,
    target: Option<File>,
    /// What the kernel had when the domain had its size, in KiB.
    first: u64,
    /// What it had last.
    last: u64,
    told: (u64, u64),
    looks_at: Nanos,
    /// Pages that came.
    pub moved: u64,
    /// What was available at first, in KiB.
    pub available: u64,
}

/// The kernel's numbers, in KiB.
struct Numbers {
    total: u64,
    available: u64,
    committed: u64,
}

impl Agent {
    /// While the domain has its size.
    ///
    /// # Errors
    ///
    /// Something that it needs is not there.
    pub fn new(role: Role) -> io::Result<Self> {
        let mut agent = Self {
            role,
            xenstore: None,
            meminfo: File::open("/proc/meminfo")?,
            target: None,
            first: 0,
            last: 0,
            told: (0, 0),
            looks_at: 0,
            moved: 0,
            available: 0,
        };
        match role {
            Role::Watch => {}
            Role::Tell => agent.xenstore = Some(Xenstore::open()?),
            Role::Balloon(_) => agent.target = Some(OpenOptions::new().write(true).open(TARGET)?),
        }
        let numbers = agent.numbers()?;
        (agent.first, agent.last) = (numbers.total, numbers.total);
        agent.available = numbers.available;
        Ok(agent)
    }

    fn numbers(&self) -> io::Result<Numbers> {
        let mut text = [0; 2_048];
        let length = self.meminfo.read_at(&mut text, 0)?;
        let text = String::from_utf8_lossy(&text[..length]);
        let field = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            line.split_ascii_whitespace().nth(1)?.parse().ok()
        };
        let missing = || io::Error::from(ErrorKind::InvalidData);
        Ok(Numbers {
            total: field("MemTotal:").ok_or_else(missing)?,
            available: field("MemAvailable:").ok_or_else(missing)?,
            committed: field("Committed_AS:").ok_or_else(missing)?,
        })
    }

    /// Looks, and does what it does. Returns what is available, in KiB.
    ///
    /// # Errors
    ///
    /// It cannot.
    pub fn look(&mut self, now: Nanos) -> io::Result<u64> {
        let numbers = self.numbers()?;
        self.moved += numbers.total.saturating_sub(self.last) / PAGE;
        self.last = numbers.total;
        let size = (SIZE * PAGE + numbers.total).saturating_sub(self.first);
        match self.role {
            Role::Tell => self.tell(size.saturating_sub(numbers.available), size)?,
            Role::Balloon(period) if now >= self.looks_at => {
                self.looks_at = now + period;
                self.balloon(numbers.committed, size)?;
            }
            Role::Watch | Role::Balloon(_) => {}
        }
        Ok(numbers.available)
    }

    fn tell(&mut self, used: u64, size: u64) -> io::Result<()> {
        let (told_used, told_size) = self.told;
        if used.abs_diff(told_used) < NEWS && size.abs_diff(told_size) < NEWS {
            return Ok(());
        }
        self.told = (used, size);
        let Some(xenstore) = &mut self.xenstore else {
            return Ok(());
        };
        xenstore.write(NODE, &format!("{used} {size}"))
    }

    /// The rule of Linux's xen-selfballoon driver, which went with 5.3, as its documentation has it: to have what is
    /// committed, what the kernel keeps, and what it cannot do without; up at once, and down by an eighth of the way.
    fn balloon(&mut self, committed: u64, size: u64) -> io::Result<()> {
        const DOWN: u64 = 8;
        let cannot_use = (SIZE * PAGE).saturating_sub(self.first);
        // It has 104 MiB and an eighth of what it may have at most, at least.
        let least = 104 * 1_024 + CEILING * PAGE / 8;
        let goal = (committed + cannot_use + KEPT).clamp(least, CEILING * PAGE);
        let next = if goal >= size {
            goal
        } else {
            size - (size - goal) / DOWN
        };
        match &self.target {
            Some(target) => target.write_at(next.to_string().as_bytes(), 0).map(|_| ()),
            None => Ok(()),
        }
    }
}

/// What a kernel keeps for itself, in KiB.
const KEPT: u64 = 8 * 1_024;

/// How often Linux did that.
pub const LINUX_LOOKED: Nanos = 5 * SECOND;

/// What the kernel has counted since it booted: how often something was read again that had been reclaimed, how often
/// a program had to reclaim, and how long some had to wait for memory, in us.
///
/// # Errors
///
/// The kernel does not say.
pub fn counted() -> io::Result<[u64; 3]> {
    let all = fs::read_to_string("/proc/vmstat")?;
    let sum = |prefix: &str| -> u64 {
        let lines = all.lines().filter(|line| line.starts_with(prefix));
        let numbers = lines.filter_map(|line| line.split_once(' ')?.1.parse::<u64>().ok());
        numbers.sum()
    };
    let pressure = fs::read_to_string("/proc/pressure/memory").unwrap_or_default();
    let some = pressure
        .lines()
        .next()
        .and_then(|line| line.rsplit_once('=')?.1.parse().ok());
    Ok([
        sum("workingset_refault"),
        sum("allocstall"),
        some.unwrap_or(0),
    ])
}
