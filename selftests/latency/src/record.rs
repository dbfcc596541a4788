// SPDX-License-Identifier: GPL-2.0

//! Results: flat JSON objects, one a line.

use crate::{options::Options, samples::Samples};
use std::{fmt, fs};

/// What was measured of one size, on one way.
#[derive(Clone, Default)]
pub struct Record {
    /// What kind of measurement this is of.
    pub case: String,
    pub guest: String,
    pub path: String,
    pub size_kb: u64,
    /// Domains that burn all the CPU they get, meanwhile.
    pub hogs: u32,
    /// Xen's scheduler, and how it was set.
    pub sched: String,
    pub n: usize,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub max: u64,
    /// The median of `mmap` and first touch, of the same size in the same guest.
    pub malloc: u64,
    /// The requester's part of `p50`, where that is known.
    pub requester: Option<u64>,
    /// What of the whole this is: a phase of a transfer, or whose CPU time.
    pub part: Option<String>,
}

/// The results in files, in their order; other lines are passed over.
pub fn read(files: &[String]) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).map_err(|why| format!("{file}: {why}"))?;
        records.extend(text.lines().filter_map(Record::parse));
    }
    Ok(records)
}

/// The median of the bare loop for the same work, if the record is of a transfer.
pub fn bare(records: &[Record], of: &Record) -> Option<u64> {
    if of.case != "transfer" {
        return None;
    }
    let bare = records.iter().find(|bare| {
        bare.is_way() && bare.path == "bare" && bare.guest == of.guest && bare.size_kb == of.size_kb
    })?;
    match of.path.trim_end_matches("-row") {
        "reserve" | "credit" => bare.requester,
        _ => Some(bare.p50),
    }
}

/// The records of a case.
pub fn of_case<'a>(records: &'a [Record], case: &str) -> Vec<&'a Record> {
    records
        .iter()
        .filter(|record| record.case == case)
        .collect()
}

impl Record {
    pub fn new(of: &Options, path: &str, size_kb: u64, samples: &Samples, malloc: u64) -> Self {
        Self {
            case: of.case.clone(),
            guest: of.guest.clone(),
            path: path.into(),
            size_kb,
            hogs: of.hogs,
            sched: of.sched.clone(),
            n: samples.count(),
            p50: samples.percentile(50),
            p90: samples.percentile(90),
            p99: samples.percentile(99),
            max: samples.max(),
            malloc,
            requester: None,
            part: None,
        }
    }

    /// What took this long once.
    pub fn of_part(of: &Options, path: &str, size_kb: u64, part: &str, nanos: u64) -> Self {
        let mut samples = Samples::default();
        samples.push(nanos);
        let mut record = Self::new(of, path, size_kb, &samples, 0);
        record.part = Some(part.into());
        record
    }

    /// Whether it is of one of the ways to get memory.
    pub fn is_way(&self) -> bool {
        self.case == "transfer" || self.case == "own"
    }

    /// The median as a multiple of malloc's; 0 where that is not known.
    pub fn ratio(&self) -> f64 {
        if self.malloc == 0 {
            return 0.0;
        }
        self.p50 as f64 / self.malloc as f64
    }

    /// Reads what `Display` wrote. `None` for a line that is no such object.
    pub fn parse(line: &str) -> Option<Self> {
        let mut record = Self::default();
        let inside = line.trim().strip_prefix('{')?.strip_suffix('}')?;
        for pair in inside.split(',') {
            let (name, value) = pair.split_once(':')?;
            let value = value.trim().trim_matches('"');
            match name.trim().trim_matches('"') {
                "case" => record.case = value.into(),
                "guest" => record.guest = value.into(),
                "hogs" => record.hogs = value.parse().ok()?,
                "sched" => record.sched = value.into(),
                "path" => record.path = value.into(),
                "size_kb" => record.size_kb = value.parse().ok()?,
                "n" => record.n = value.parse().ok()?,
                "p50_ns" => record.p50 = value.parse().ok()?,
                "p90_ns" => record.p90 = value.parse().ok()?,
                "p99_ns" => record.p99 = value.parse().ok()?,
                "max_ns" => record.max = value.parse().ok()?,
                "malloc_ns" => record.malloc = value.parse().ok()?,
                "requester_ns" => record.requester = Some(value.parse().ok()?),
                "part" => record.part = Some(value.into()),
                _ => (),
            }
        }
        Some(record)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{\"case\":\"{}\",\"guest\":\"{}\",\"size_kb\":{},\"path\":\"{}\",\"hogs\":{},\"sched\":\"{}\",\"n\":{},\
             \"p50_ns\":{},\"p90_ns\":{},\"p99_ns\":{},\"max_ns\":{},\"malloc_ns\":{},\"ratio_to_malloc\":{:.3}",
            self.case,
            self.guest,
            self.size_kb,
            self.path,
            self.hogs,
            self.sched,
            self.n,
            self.p50,
            self.p90,
            self.p99,
            self.max,
            self.malloc,
            self.ratio()
        )?;
        if let Some(requester) = self.requester {
            write!(f, ",\"requester_ns\":{requester}")?;
        }
        if let Some(part) = &self.part {
            write!(f, ",\"part\":\"{part}\"")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let mut samples = Samples::default();
        samples.push(300);
        let options = Options::parse(std::iter::empty()).unwrap();
        let mut record = Record::new(&options, "bare", 4, &samples, 200);
        record.requester = Some(100);
        record.part = Some("map".into());
        let text = record.to_string();
        assert!(text.contains("\"ratio_to_malloc\":1.500"), "{text}");
        assert_eq!(Record::parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn other_lines_are_no_records() {
        for line in ["", "ok 1", "{", "{\"n\":\"x\"}"] {
            assert!(Record::parse(line).is_none(), "{line}");
        }
    }
}
