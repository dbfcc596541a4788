// SPDX-License-Identifier: GPL-2.0

//! Looks in a file, a line for each domain each time, and back again.

use crate::model::Snapshot;
use std::fmt::Write;

/// The first line.
pub const TITLE: &str =
    "unix_ms,id,name,state,size_kb,borrowed_kb,lent_kb,available_kb,waiting,latency_ns,pool_kb,why";

/// The lines of a look. What is not known is empty.
pub fn lines(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    let number = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
    for domain in &snapshot.domains {
        let books = &domain.books;
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{}",
            snapshot.unix_ms,
            domain.id,
            quoted(&domain.name),
            domain.state.name(),
            number(books.size_kb),
            number(domain.borrowed_kb()),
            number(domain.lent_kb()),
            number(books.available_kb),
            number(books.waiting),
            number(domain.latency_ns()),
            number(snapshot.host.pool_kb),
            quoted(&domain.why()),
        );
    }
    text
}

/// As RFC 4180 wants text. A spreadsheet takes what begins with some characters for a formula: they get a quote of
/// that kind before them.
fn quoted(text: &str) -> String {
    let formula = if text.starts_with(['=', '+', '-', '@']) {
        "'"
    } else {
        ""
    };
    format!("\"{formula}{}\"", text.replace('"', "\"\""))
}

/// What is drawn of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// When.
    pub unix_ms: u64,
    /// Which domain.
    pub id: u32,
    /// What it is called.
    pub name: String,
    /// What it had.
    pub size_kb: Option<u64>,
    /// How many of its requests waited.
    pub waiting: u64,
    /// What was in the pool.
    pub pool_kb: Option<u64>,
}

/// Reads what [`lines`] wrote.
///
/// # Errors
///
/// Which line is wrong, and how.
pub fn parse(text: &str) -> Result<Vec<Row>, String> {
    let mut lines = text.lines();
    if lines.next() != Some(TITLE) {
        return Err("line 1 is not that of a file that cmm-top --csv wrote".into());
    }
    lines
        .enumerate()
        .map(|(at, line)| row(line).ok_or_else(|| format!("line {} is not understood", at + 2)))
        .collect()
}

fn row(line: &str) -> Option<Row> {
    let fields = fields(line)?;
    let [unix_ms, id, name, _, size_kb, _, _, _, waiting, _, pool_kb, _] = fields.as_slice() else {
        return None;
    };
    Some(Row {
        unix_ms: unix_ms.parse().ok()?,
        id: id.parse().ok()?,
        name: crate::text::harmless(name),
        size_kb: optional(size_kb)?,
        waiting: optional(waiting)?.unwrap_or(0),
        pool_kb: optional(pool_kb)?,
    })
}

/// A number or nothing; no value if it is neither.
fn optional(field: &str) -> Option<Option<u64>> {
    if field.is_empty() {
        return Some(None);
    }
    field.parse().ok().map(Some)
}

/// The fields of a line; no value if a quote is open at its end.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                fields.last_mut()?.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            _ => fields.last_mut()?.push(character),
        }
    }
    (!is_quoted).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Books, Domain, Host};

    #[test]
    fn what_is_written_is_read() {
        let domain = Domain {
            id: 3,
            name: "a \"b\", c".into(),
            books: Books {
                size_kb: Some(1024),
                ..Books::default()
            },
            ..Domain::default()
        };
        let snapshot = Snapshot {
            unix_ms: 7,
            domains: vec![domain],
            host: Host {
                pool_kb: Some(9),
                ..Host::default()
            },
            ..Snapshot::default()
        };
        let text = format!("{TITLE}\n{}", lines(&snapshot));
        let row = Row {
            unix_ms: 7,
            id: 3,
            name: "a \"b\", c".into(),
            size_kb: Some(1024),
            waiting: 0,
            pool_kb: Some(9),
        };
        assert_eq!(parse(&text), Ok(vec![row]));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(parse("").unwrap_err().contains("line 1"));
        for line in [
            "",
            "1,2",
            "1,x,\"n\",,,,,,,,,",
            "1,2,\"n,,,,,,,,,",
            "1,2,\"n\",,x,,,,,,,",
        ] {
            let error = parse(&format!("{TITLE}\n1,2,\"n\",,,,,,,,,\n{line}\n")).unwrap_err();
            assert_eq!(error, "line 3 is not understood", "{line}");
        }
    }

    #[test]
    fn a_name_is_no_formula() {
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }
}
