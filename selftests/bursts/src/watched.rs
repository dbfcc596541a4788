// SPDX-License-Identifier: GPL-2.0

//! What the kernel shows of a machine's or a control group's memory.
//!
//! The files are opened once, and read from their beginning each time: that costs two to three
//! microseconds each.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::recording::Row;

/// Larger than any file that is read here.
const LARGEST: usize = 1 << 16;

/// Whose memory is watched.
#[derive(Clone, Debug)]
pub enum Scope {
    /// All of the machine's.
    Machine,
    /// That of a control group, by its directory.
    Group(PathBuf),
}

impl Scope {
    /// What a recording calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Group(_) => "cgroup",
        }
    }
}

/// The kernel's files, open.
#[derive(Debug)]
pub struct Watched {
    meminfo: File,
    vmstat: File,
    /// Of a control group, and what it calls things.
    group: Option<Group>,
    /// A kernel can be built, or told, to have none.
    pressure: Option<File>,
    buffer: Vec<u8>,
}

/// A control group's files.
#[derive(Debug)]
struct Group {
    stat: File,
    names: &'static Names,
    /// What it uses, files and all: a hundredth of what it costs to read `memory.stat`, for which the
    /// kernel adds up what each CPU has counted.
    usage: File,
    used: u64,
}

impl Group {
    fn open(path: &Path) -> io::Result<Self> {
        let current = path.join("memory.current");
        let (usage, names) = if current.exists() {
            (current, &V2)
        } else {
            (path.join("memory.usage_in_bytes"), &V1)
        };
        Ok(Self {
            stat: open(&path.join("memory.stat"))?,
            names,
            usage: open(&usage)?,
            used: 0,
        })
    }

    /// Looks only if what is used has changed.
    fn look(&mut self, buffer: &mut [u8], row: &mut Row) -> io::Result<()> {
        let used = text(&self.usage, buffer)?.trim().parse().unwrap_or(0);
        if used != self.used {
            self.used = used;
            group(text(&self.stat, buffer)?, self.names, row);
        }
        Ok(())
    }
}

/// What a control group's `memory.stat` calls things; it is in bytes.
#[derive(Debug)]
struct Names {
    /// Three that cannot be had back, what of them can be after all, files, and those of them that
    /// are in memory only. An empty word stands for what there is not.
    memory: [&'static str; 6],
    /// Faults, those that read from a disk, and two kinds of refaults.
    events: [&'static str; 4],
}

/// Version 1, which has counts of itself alone and, with `total_`, of those below as well.
const V1: Names = Names {
    memory: [
        "total_rss",
        "total_shmem",
        "",
        "",
        "total_cache",
        "total_shmem",
    ],
    events: [
        "total_pgfault",
        "total_pgmajfault",
        "total_workingset_refault_anon",
        "total_workingset_refault_file",
    ],
};

/// Version 2.
const V2: Names = Names {
    memory: [
        "anon",
        "shmem",
        "kernel",
        "slab_reclaimable",
        "file",
        "shmem",
    ],
    events: [
        "pgfault",
        "pgmajfault",
        "workingset_refault_anon",
        "workingset_refault_file",
    ],
};

/// Of the machine, in `/proc/vmstat`.
const MACHINE_EVENTS: [&str; 4] = [
    "pgfault",
    "pgmajfault",
    "workingset_refault_anon",
    "workingset_refault_file",
];

/// Of a control group.
const BYTES_IN_PAGE: u64 = 4_096;
/// Of the machine.
const KIB_IN_PAGE: u64 = 4;

impl Watched {
    /// Opens what is to be read.
    ///
    /// # Errors
    ///
    /// Something cannot be opened that must be.
    pub fn open(scope: &Scope) -> io::Result<Self> {
        let group = match scope {
            Scope::Machine => None,
            Scope::Group(path) => Some(Group::open(path)?),
        };
        let pressure = match scope {
            Scope::Machine => Path::new("/proc/pressure/memory").into(),
            Scope::Group(path) => path.join("memory.pressure"),
        };
        Ok(Self {
            meminfo: open(Path::new("/proc/meminfo"))?,
            vmstat: open(Path::new("/proc/vmstat"))?,
            group,
            pressure: File::open(pressure).ok(),
            buffer: vec![0; LARGEST],
        })
    }

    /// What is needed and what is cached now, in `row`.
    ///
    /// # Errors
    ///
    /// The kernel's file cannot be read: the control group may be gone.
    pub fn look(&mut self, row: &mut Row) -> io::Result<()> {
        let Some(group) = &mut self.group else {
            machine(text(&self.meminfo, &mut self.buffer)?, row);
            return Ok(());
        };
        group.look(&mut self.buffer, row)
    }

    /// As [`Watched::look`], and all the rest.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn look_at_all(&mut self, row: &mut Row) -> io::Result<()> {
        self.look(row)?;
        let meminfo = text(&self.meminfo, &mut self.buffer)?;
        let [available] = fields(meminfo, ["MemAvailable:"]);
        row.available = available / KIB_IN_PAGE;
        let (file, names) = match &self.group {
            None => (&self.vmstat, MACHINE_EVENTS),
            Some(group) => (&group.stat, group.names.events),
        };
        let [faults, major, anon, file] = fields(text(file, &mut self.buffer)?, names);
        (row.faults, row.major, row.refaults) = (faults, major, anon + file);
        if let Some(pressure) = &self.pressure {
            let pressure = text(pressure, &mut self.buffer)?;
            row.some = stalled(pressure, "some");
            row.full = stalled(pressure, "full");
        }
        Ok(())
    }
}

/// What a machine's `/proc/meminfo` says.
fn machine(meminfo: &str, row: &mut Row) {
    const NAMES: [&str; 6] = [
        "MemTotal:",
        "MemFree:",
        "Buffers:",
        "Cached:",
        "Shmem:",
        "SReclaimable:",
    ];
    let [total, free, buffers, cached, shmem, slab] = fields(meminfo, NAMES);
    let cache = (cached + buffers).saturating_sub(shmem);
    row.need = total.saturating_sub(free + cache + slab) / KIB_IN_PAGE;
    row.cache = cache / KIB_IN_PAGE;
}

/// What a control group's `memory.stat` says.
fn group(stat: &str, names: &Names, row: &mut Row) {
    let [one, two, three, less, cached, shmem] = fields(stat, names.memory);
    let need = (one + two + three).saturating_sub(less);
    row.need = need / BYTES_IN_PAGE;
    row.cache = cached.saturating_sub(shmem) / BYTES_IN_PAGE;
}

/// The numbers of the lines that begin with these words; 0 where there is none. Of a word that
/// begins several lines, the first counts. Reads no farther than it must.
fn fields<const N: usize>(text: &str, names: [&str; N]) -> [u64; N] {
    let mut found = [None; N];
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        for (name, number) in names.iter().zip(&mut found) {
            if *name == word && number.is_none() {
                let digits = rest.split_ascii_whitespace().next();
                *number = digits.and_then(|digits| digits.parse().ok());
            }
        }
        if found.iter().all(Option::is_some) {
            break;
        }
    }
    found.map(Option::unwrap_or_default)
}

/// The total of a line of PSI, in µs.
fn stalled(pressure: &str, which: &str) -> u64 {
    let line = pressure.lines().find(|line| line.starts_with(which));
    let total = line.and_then(|line| line.rsplit_once("total="));
    total.map_or(0, |(_, number)| number.trim().parse().unwrap_or(0))
}

fn open(path: &Path) -> io::Result<File> {
    File::open(path).map_err(|err| io::Error::new(err.kind(), format!("{}: {err}", path.display())))
}

/// What a file says now.
fn text<'a>(file: &File, buffer: &'a mut [u8]) -> io::Result<&'a str> {
    // Such files are said at once, as far as there is room for them.
    let length = file.read_at(buffer, 0)?;
    std::str::from_utf8(&buffer[..length])
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the kernel writes no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_cache_is_no_need_of_a_machine() {
        let meminfo = "MemTotal: 1000 kB\nMemFree: 400 kB\nBuffers: 40 kB\nCached: 200 kB\n\
                       Shmem: 80 kB\nSReclaimable: 40 kB\n";
        let mut row = Row::default();
        machine(meminfo, &mut row);
        assert_eq!(row.need, 100, "400 KiB, tmpfs among them");
        assert_eq!(row.cache, 40);
    }

    #[test]
    fn the_page_cache_is_no_need_of_a_control_group() {
        let v2 = "anon 40960\nfile 81920\nkernel 20480\nshmem 8192\nslab_reclaimable 4096\n";
        let v1 = "cache 1\nrss 1\ntotal_cache 81920\ntotal_rss 40960\ntotal_shmem 8192\n";
        let mut row = Row::default();
        group(v2, &V2, &mut row);
        assert_eq!((row.need, row.cache), (16, 18));
        group(v1, &V1, &mut row);
        assert_eq!((row.need, row.cache), (12, 18));
    }

    #[test]
    fn stalls_are_the_totals() {
        let pressure = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234\n\
                        full avg10=0.00 avg60=0.00 avg300=0.00 total=567\n";
        assert_eq!(stalled(pressure, "some"), 1_234);
        assert_eq!(stalled(pressure, "full"), 567);
    }
}
