// SPDX-License-Identifier: GPL-2.0

//! A look as text.

use crate::{
    model::Snapshot,
    table::{cells, summary, COLUMNS},
};
use std::fmt::Write;

/// The time of day and what is so for all, and a table of all domains.
pub fn show(snapshot: &Snapshot) -> String {
    let mut text = format!("{} {}\n", time(snapshot.unix_ms), summary(snapshot));
    let titles = COLUMNS.map(|column| column.title.to_string());
    let rows: Vec<_> = snapshot.domains.iter().map(cells).collect();
    let mut widths = COLUMNS.map(|column| column.width);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in std::iter::once(&titles).chain(&rows) {
        let mut line = String::new();
        for ((cell, column), width) in row.iter().zip(&COLUMNS).zip(&widths) {
            let _ = if column.right {
                write!(line, "{cell:>width$} ")
            } else {
                write!(line, "{cell:<width$} ")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The time of day, in UTC.
fn time(unix_ms: u64) -> String {
    let (seconds, ms) = (unix_ms / 1000 % 86_400, unix_ms % 1000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{ms:03}", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Books, Domain, State};

    #[test]
    fn columns_are_as_wide_as_needed() {
        let domain = |id, name: &str| Domain {
            id,
            name: name.into(),
            state: State::Connected,
            books: Books {
                size_kb: Some(262_144),
                balance_kb: Some(-1024),
                ..Books::default()
            },
            ..Domain::default()
        };
        let snapshot = Snapshot {
            unix_ms: 1_000 * (86_400 + 3_600 + 61) + 5,
            domains: vec![domain(1, "a name of 20 letters"), domain(22_222, "b")],
            ..Snapshot::default()
        };
        let text = show(&snapshot);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("01:01:01.005 2 domains, 0 MiB borrowed, 2 lent, - in"));
        let at = lines[1].find("STATE").unwrap();
        assert_eq!(lines[2].find("connected"), Some(at));
        assert_eq!(lines[3].find("connected"), Some(at));
        assert_eq!(
            lines[3].split_whitespace().collect::<Vec<_>>(),
            ["22222", "b", "connected", "256", "0", "1", "-", "-", "-"]
        );
    }
}
