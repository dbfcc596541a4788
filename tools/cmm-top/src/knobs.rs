// SPDX-License-Identifier: GPL-2.0

//! The knobs that are turned from the screen.

use crate::{
    model::{Domain, Snapshot},
    reader::Reader,
    text::mib,
};
use std::{fs::OpenOptions, io, io::Write};

/// What a knob's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A size, which is read in MiB and written in KiB.
    Size,
    /// A number.
    Number,
    /// 0 or 1: turned over without asking for more.
    Switch,
    /// One of the two policies: the other, without asking for more.
    Policy,
}

/// A knob.
#[derive(Debug, PartialEq, Eq)]
pub struct Knob {
    /// The key that turns it.
    pub key: char,
    /// The file.
    pub file: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// Whether each domain has one.
    pub of_domain: bool,
}

const fn knob(
    key: char,
    file: &'static str,
    name: &'static str,
    kind: Kind,
    of_domain: bool,
) -> Knob {
    Knob {
        key,
        file,
        name,
        kind,
        of_domain,
    }
}

/// All.
pub const KNOBS: [Knob; 7] = [
    knob('F', "floor_kb", "floor", Kind::Size, true),
    knob('C', "ceiling_kb", "ceiling", Kind::Size, true),
    knob('W', "weight", "weight", Kind::Number, true),
    knob('P', "protected", "protected", Kind::Switch, true),
    knob('R', "reserve_kb", "reserve", Kind::Size, false),
    knob('K', "credit_kb", "credit", Kind::Size, false),
    knob('Y', "policy", "policy", Kind::Policy, false),
];

/// A knob is to be turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub knob: &'static Knob,
    /// Whose, and what that one is called; everybody's without.
    pub domain: Option<(u32, String)>,
    /// What is to be written.
    pub value: String,
}

impl Knob {
    /// The one of a key.
    pub fn from_key(pressed: char) -> Option<&'static Self> {
        KNOBS.iter().find(|knob| knob.key == pressed)
    }

    /// What it is, as it is typed.
    pub fn now(&self, snapshot: &Snapshot, domain: Option<&Domain>) -> Option<String> {
        let books = domain.map(|domain| &domain.books);
        match self.file {
            "floor_kb" => books?.floor_kb.map(mib),
            "ceiling_kb" => books?.ceiling_kb.map(mib),
            "weight" => books?.weight.map(|it| it.to_string()),
            "protected" => books?.protected.map(|it| u8::from(it).to_string()),
            "reserve_kb" => snapshot.host.reserve_kb.map(mib),
            "credit_kb" => snapshot.host.credit_kb.map(mib),
            _ => snapshot.host.policy.clone(),
        }
    }

    /// What is to be written for what was typed, or, where nothing is typed, for what it is now.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn value(&self, typed: &str) -> Result<String, String> {
        match self.kind {
            Kind::Size => kib(typed).map(|kib| kib.to_string()),
            Kind::Number => {
                let number = typed.parse::<u64>().ok();
                number.map(|number| number.to_string())
            }
            Kind::Switch => Some(if typed == "1" { "0" } else { "1" }.into()),
            Kind::Policy => Some(
                if typed == "spread" {
                    "largest"
                } else {
                    "spread"
                }
                .into(),
            ),
        }
        .ok_or_else(|| format!("'{typed}' is no {}", self.name))
    }
}

/// Reads MiB, with up to three digits behind a point.
fn kib(typed: &str) -> Option<u64> {
    let (whole, part) = typed.split_once('.').unwrap_or((typed, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 3 {
        return None;
    }
    let thousandths = part.parse::<u64>().ok()? * 10_u64.pow(3 - u32::try_from(part.len()).ok()?);
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)?
        .checked_add(thousandths * 1024 / 1000)
}

/// Turns a knob. Returns what to say.
pub fn set(reader: &Reader, change: &Change) -> String {
    let path = reader.knob(change.domain.as_ref().map(|(id, _)| *id), change.knob.file);
    let whose = match &change.domain {
        Some((_, name)) => format!("{}'s {}", name, change.knob.name),
        None => change.knob.name.into(),
    };
    let written = OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(change.value.as_bytes()));
    match written {
        Ok(()) => format!("{whose} is {} now", shown(change)),
        Err(error) => format!("{whose} stays as it is: {}", reason(&error)),
    }
}

fn shown(change: &Change) -> String {
    match (change.knob.kind, change.value.parse()) {
        (Kind::Size, Ok(kib)) => format!("{} MiB", mib(kib)),
        _ => change.value.clone(),
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "only root may turn knobs".into(),
        io::ErrorKind::ReadOnlyFilesystem => "sysfs is read-only here".into(),
        io::ErrorKind::NotFound => "there is no such device any more".into(),
        io::ErrorKind::NotConnected => "the domain's front-end has not come yet".into(),
        io::ErrorKind::InvalidInput => {
            "the back-end refuses that value: is the floor above the ceiling, or is it out of range?".into()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_typed_in_mib() {
        let size = Knob::from_key('F').unwrap();
        assert_eq!(size.value("64"), Ok("65536".into()));
        assert_eq!(size.value("0.5"), Ok("512".into()));
        for wrong in ["", "x", "-1", "1.", "1.2345", "+1", "18446744073709551615"] {
            assert!(size.value(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn switches_are_turned_over() {
        let switch = Knob::from_key('P').unwrap();
        assert_eq!(switch.value("0"), Ok("1".into()));
        assert_eq!(switch.value("1"), Ok("0".into()));
        let policy = Knob::from_key('Y').unwrap();
        assert_eq!(policy.value("largest"), Ok("spread".into()));
        assert_eq!(policy.value("spread"), Ok("largest".into()));
    }

    #[test]
    fn refusals_are_said_in_words() {
        assert!(reason(&io::Error::from_raw_os_error(13)).contains("only root"));
        assert!(reason(&io::Error::from_raw_os_error(22)).contains("above the ceiling"));
        assert!(reason(&io::Error::from_raw_os_error(107)).contains("front-end"));
    }
}
