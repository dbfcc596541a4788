// SPDX-License-Identifier: GPL-2.0

//! A look in the format that Prometheus's node exporter collects from files.

use crate::model::{Domain, Snapshot, State};
use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A figure of each domain: its name, what it is, and where it comes from.
type Figure = (&'static str, &'static str, fn(&Domain) -> Option<u64>);

const FIGURES: [Figure; 13] = [
    ("size_bytes", "What the domain has.", |it| {
        bytes(it.books.size_kb)
    }),
    ("borrowed_bytes", "What it has borrowed.", |it| {
        bytes(it.borrowed_kb())
    }),
    ("lent_bytes", "What it has lent.", |it| bytes(it.lent_kb())),
    (
        "available_bytes",
        "What it could give, by its own word.",
        |it| bytes(it.books.available_kb),
    ),
    ("credit_bytes", "What it may take without asking.", |it| {
        bytes(it.books.credit_kb)
    }),
    (
        "in_flight_bytes",
        "What it was granted or given, and has not taken yet.",
        |it| bytes(it.books.in_flight_kb),
    ),
    (
        "asked_bytes",
        "What it was asked for, and has not given yet.",
        |it| bytes(it.books.asked_kb),
    ),
    ("floor_bytes", "It is not made smaller than this.", |it| {
        bytes(it.books.floor_kb)
    }),
    ("ceiling_bytes", "It is not made larger than this.", |it| {
        bytes(it.books.ceiling_kb)
    }),
    ("weight", "How reluctantly it is a donor.", |it| {
        it.books.weight
    }),
    ("protected", "Whether it is never a donor.", |it| {
        it.books.protected.map(u64::from)
    }),
    ("waiting", "How many of its requests wait.", |it| {
        it.books.waiting
    }),
    ("connected", "Whether its front-end is connected.", |it| {
        Some(u64::from(it.state == State::Connected))
    }),
];

fn bytes(kib: Option<u64>) -> Option<u64> {
    kib?.checked_mul(1024)
}

/// All figures. What is not known is left out.
pub fn show(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for (name, help, figure) in FIGURES {
        title(&mut text, &format!("domain_{name}"), help);
        for domain in &snapshot.domains {
            if let Some(value) = figure(domain) {
                domain_line(&mut text, name, domain, value);
            }
        }
    }
    title(
        &mut text,
        "domain_latency_seconds",
        "How long its last request took.",
    );
    for domain in &snapshot.domains {
        if let Some(nanos) = domain.latency_ns() {
            let seconds = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
            domain_line(&mut text, "latency_seconds", domain, seconds);
        }
    }
    let host = &snapshot.host;
    let of_all = [
        (
            "pool_bytes",
            "What donors gave and nobody has taken.",
            bytes(host.pool_kb),
        ),
        (
            "reserve_bytes",
            "What is to be kept ready of that.",
            bytes(host.reserve_kb),
        ),
        (
            "balanced",
            "Whether the books balance.",
            host.balanced.map(u64::from),
        ),
    ];
    for (name, help, value) in of_all {
        title(&mut text, name, help);
        if let Some(value) = value {
            let _ = writeln!(text, "xen_cmm_{name} {value}");
        }
    }
    text
}

fn title(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(
        text,
        "# HELP xen_cmm_{name} {help}\n# TYPE xen_cmm_{name} gauge"
    );
}

fn domain_line(text: &mut String, name: &str, domain: &Domain, value: impl std::fmt::Display) {
    let label = domain.name.replace('\\', "\\\\").replace('"', "\\\"");
    let _ = writeln!(
        text,
        "xen_cmm_domain_{name}{{domid=\"{}\",name=\"{label}\"}} {value}",
        domain.id
    );
}

/// Replaces a file by one with this text: whoever reads it sees the one or the other. The name of what is renamed ends
/// so that no collector takes it.
///
/// # Errors
///
/// Those of creating, writing and renaming.
pub fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(name);
    let written = write_new(&temporary, text).and_then(|()| fs::rename(&temporary, file));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_new(file: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o644);
    options.open(file)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::Books, transfer::Request};

    fn snapshot() -> Snapshot {
        let domain = Domain {
            id: 3,
            name: "a \"b\" \\".into(),
            books: Books {
                size_kb: Some(2),
                available_kb: Some(u64::MAX),
                ..Books::default()
            },
            request: Some(Request {
                id: 1,
                pages: 1,
                nanos: 1_000_000_500,
            }),
            ..Domain::default()
        };
        Snapshot {
            domains: vec![domain],
            ..Snapshot::default()
        }
    }

    #[test]
    fn labels_are_quoted() {
        let text = show(&snapshot());
        let label = r#"{domid="3",name="a \"b\" \\"}"#;
        assert!(text.contains(&format!("\nxen_cmm_domain_size_bytes{label} 2048\n")));
        assert!(text.contains(&format!(
            "\nxen_cmm_domain_latency_seconds{label} 1.000000500\n"
        )));
        assert!(text.contains(&format!("\nxen_cmm_domain_connected{label} 0\n")));
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let text = show(&snapshot());
        let value = |name: &str| text.lines().any(|line| line.starts_with(name));
        assert!(!value("xen_cmm_domain_lent_bytes"));
        assert!(!value("xen_cmm_domain_available_bytes"));
        assert!(!value("xen_cmm_pool_bytes"));
        assert!(value("# TYPE xen_cmm_pool_bytes gauge"));
    }

    #[test]
    fn a_file_is_replaced_at_once() {
        let dir = std::env::temp_dir().join(format!("cmm-top-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        let file = dir.join("cmm.prom");
        replace(&file, "old").unwrap();
        replace(&file, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::remove_dir_all(&dir).unwrap();
        assert!(replace(&file, "x").is_err());
    }
}
