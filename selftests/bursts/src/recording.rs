// SPDX-License-Identifier: GPL-2.0

//! The file that a recording is kept in: `Documentation/bursts.rst` describes it.

use std::fmt;
use std::io::{self, Write};

use crate::varint;

/// The first line of each such file.
const FIRST: &str = "cmm-bursts 1";

/// What begins a row, besides the columns that have changed: the clock always has.
const ROW: u64 = 1;

/// What stands in place of a row when there are no more.
const END: u8 = 0;

/// What is recorded at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// When, in µs since the recording began.
    pub time: u64,
    /// Pages that could not be had back without swapping.
    pub need: u64,
    /// Pages of files, which could be read again.
    pub cache: u64,
    /// Pages that the machine could have for programs without swapping.
    pub available: u64,
    /// Page faults since the recording began.
    pub faults: u64,
    /// Those of them that had to read from a disk.
    pub major: u64,
    /// Pages that had been evicted and were wanted again.
    pub refaults: u64,
    /// For how long some task had to wait for memory, in µs (PSI).
    pub some: u64,
    /// For how long all had to.
    pub full: u64,
}

/// What a file calls the columns, in their order, and all but the time of each [`Row`].
const COLUMNS: [&str; 8] = [
    "need",
    "cache",
    "available",
    "faults",
    "major",
    "refaults",
    "some_us",
    "full_us",
];

impl Row {
    fn columns(&self) -> [u64; COLUMNS.len()] {
        [
            self.need,
            self.cache,
            self.available,
            self.faults,
            self.major,
            self.refaults,
            self.some,
            self.full,
        ]
    }

    fn of(time: u64, columns: [u64; COLUMNS.len()]) -> Self {
        let [need, cache, available, faults, major, refaults, some, full] = columns;
        Self {
            time,
            need,
            cache,
            available,
            faults,
            major,
            refaults,
            some,
            full,
        }
    }
}

/// What a file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// What was recorded: a word.
    pub name: String,
    /// Of what: `machine` or `cgroup`.
    pub scope: String,
    /// When it began, in µs of the machine's monotonic clock: recordings of the same time can be
    /// laid beside each other.
    pub start: u64,
    /// How far apart rows were to be, in µs.
    pub every: u64,
}

/// What it cost to record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// CPU time that the recorder used, in µs.
    pub cpu: u64,
    /// How long it recorded, in µs.
    pub wall: u64,
    /// How often it looked.
    pub looks: u64,
    /// The longest that it was between two looks, in µs.
    pub longest: u64,
}

impl Cost {
    /// The recorder's part of a CPU, in percent.
    pub fn percent(&self) -> f64 {
        self.cpu as f64 * 100.0 / self.wall.max(1) as f64
    }
}

/// A recording that has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// What the file says of itself.
    pub head: Head,
    /// A row each time that something had changed.
    pub rows: Vec<Row>,
    /// `None` if the recorder was killed.
    pub cost: Option<Cost>,
}

/// Why a file is no recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// It does not begin as one.
    Foreign,
    /// Its head lacks this, or what it says of it is nothing.
    Head(&'static str),
    /// It has columns that this does not know, or in another order.
    Columns,
    /// What follows this many rows is not a row.
    Row(usize),
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => write!(f, "it does not begin with \"{FIRST}\""),
            Self::Head(what) => write!(f, "its head says nothing of \"{what}\""),
            Self::Columns => write!(f, "its columns are not \"{}\"", COLUMNS.join(" ")),
            Self::Row(rows) => write!(f, "what follows {rows} rows is none"),
        }
    }
}

/// Writes a recording, row by row.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    every: u64,
    last: Row,
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn begin(mut to: W, head: &Head) -> io::Result<Self> {
        writeln!(to, "{FIRST}")?;
        writeln!(to, "name={}\nscope={}", head.name, head.scope)?;
        writeln!(to, "start_us={}\nevery_us={}", head.start, head.every)?;
        writeln!(to, "columns={}\n", COLUMNS.join(" "))?;
        Ok(Self {
            to,
            every: head.every,
            last: Row::default(),
            line: Vec::new(),
        })
    }

    /// Adds a row, unless nothing but the time has changed.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn add(&mut self, row: &Row) -> io::Result<()> {
        let (new, old) = (row.columns(), self.last.columns());
        let mut changed = 0;
        for (i, (new, old)) in new.iter().zip(old).enumerate() {
            if *new != old {
                changed |= 2 << i;
            }
        }
        if changed == 0 {
            return Ok(());
        }
        self.line.clear();
        varint::put(&mut self.line, ROW | changed);
        let passed = row.time.wrapping_sub(self.last.time) as i64;
        varint::put_signed(&mut self.line, passed.wrapping_sub(self.every as i64));
        for (new, old) in new.iter().zip(old).filter(|(new, old)| **new != *old) {
            varint::put_signed(&mut self.line, new.wrapping_sub(old) as i64);
        }
        self.last = *row;
        self.to.write_all(&self.line)
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn end(mut self, cost: &Cost) -> io::Result<()> {
        let Cost {
            cpu,
            wall,
            looks,
            longest,
        } = cost;
        self.to.write_all(&[END])?;
        writeln!(self.to, "cpu_us={cpu}\nwall_us={wall}")?;
        writeln!(self.to, "looks={looks}\nlongest_us={longest}")?;
        self.to.flush()
    }
}

/// The value that lines of `NAME=VALUE` have for a name.
fn value<'a>(lines: &'a str, name: &'static str) -> Result<&'a str, Mistake> {
    let mut pairs = lines.lines().filter_map(|line| line.split_once('='));
    let found = pairs.find(|(has, _)| *has == name);
    found.map(|(_, value)| value).ok_or(Mistake::Head(name))
}

fn number(lines: &str, name: &'static str) -> Result<u64, Mistake> {
    value(lines, name)?.parse().map_err(|_| Mistake::Head(name))
}

/// Reads a recording.
///
/// # Errors
///
/// It is none. One that breaks off within a row, because the recorder was killed, is one.
pub fn read(file: &[u8]) -> Result<Recording, Mistake> {
    let ends = file.windows(2).position(|two| two == b"\n\n");
    let (lines, mut rest) = file.split_at(ends.ok_or(Mistake::Foreign)?);
    let lines = std::str::from_utf8(lines).map_err(|_| Mistake::Foreign)?;
    let lines = lines.strip_prefix(FIRST).ok_or(Mistake::Foreign)?;
    if value(lines, "columns")? != COLUMNS.join(" ") {
        return Err(Mistake::Columns);
    }
    let head = Head {
        name: value(lines, "name")?.to_owned(),
        scope: value(lines, "scope")?.to_owned(),
        start: number(lines, "start_us")?,
        every: number(lines, "every_us")?,
    };
    rest = &rest[2..];
    let mut rows = Vec::new();
    let mut last = Row::default();
    loop {
        match rest {
            [] => {
                return Ok(Recording {
                    head,
                    rows,
                    cost: None,
                })
            }
            [END, tail @ ..] => {
                let cost = cost(tail)?;
                return Ok(Recording {
                    head,
                    rows,
                    cost: Some(cost),
                });
            }
            _ => {}
        }
        match row(&mut rest, &last, head.every) {
            Ok(Some(next)) => {
                last = next;
                rows.push(next);
            }
            Ok(None) => rest = &[],
            Err(()) => return Err(Mistake::Row(rows.len())),
        }
    }
}

fn cost(tail: &[u8]) -> Result<Cost, Mistake> {
    let lines = std::str::from_utf8(tail).map_err(|_| Mistake::Head("cpu_us"))?;
    Ok(Cost {
        cpu: number(lines, "cpu_us")?,
        wall: number(lines, "wall_us")?,
        looks: number(lines, "looks")?,
        longest: number(lines, "longest_us")?,
    })
}

/// The next row; `None` if the file ends within it.
fn row(bytes: &mut &[u8], last: &Row, every: u64) -> Result<Option<Row>, ()> {
    let Some(changed) = varint::take(bytes) else {
        return if bytes.len() < 10 { Ok(None) } else { Err(()) };
    };
    if changed & ROW == 0 || changed >> (COLUMNS.len() + 1) != 0 {
        return Err(());
    }
    let mut next = || varint::take_signed(bytes);
    let Some(passed) = next() else {
        return Ok(None);
    };
    let passed = passed.wrapping_add(every as i64);
    let mut columns = last.columns();
    for (i, column) in columns.iter_mut().enumerate() {
        if changed & (2 << i) != 0 {
            let Some(more) = next() else {
                return Ok(None);
            };
            *column = column.wrapping_add(more as u64);
        }
    }
    let time = last.time.checked_add_signed(passed).ok_or(())?;
    Ok(Some(Row::of(time, columns)))
}
