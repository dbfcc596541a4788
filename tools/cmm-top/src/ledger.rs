// SPDX-License-Identifier: GPL-2.0

//! The books of Dom0, as `/sys/kernel/debug/xen-cmm/ledger` has them.
//!
//! Columns go by their names, so that a back-end with more or fewer of them is understood.

use crate::model::{Books, State};
use std::collections::BTreeMap;

/// All of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Each domain's books, and what it is doing.
    pub domains: BTreeMap<u32, (Books, State)>,
    /// What donors gave and nobody has taken, in KiB.
    pub pool_kb: Option<u64>,
    /// Whether the books balance.
    pub balanced: Option<bool>,
}

/// Reads the table. What is not understood is left out.
pub fn parse(text: &str) -> Ledger {
    let mut ledger = Ledger::default();
    let mut columns = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] | ["#", ..] => {}
            ["dom", ..] => columns = words,
            ["pool", kib] => ledger.pool_kb = kib.parse().ok(),
            ["books", word] => ledger.balanced = Some(*word == "balanced"),
            _ => {
                let row = Row(columns.iter().copied().zip(words).collect());
                if let Some(dom) = row.number("dom") {
                    ledger.domains.insert(dom, (row.books(), row.state()));
                }
            }
        }
    }
    ledger
}

struct Row<'a>(BTreeMap<&'a str, &'a str>);

impl Row<'_> {
    fn number<T: std::str::FromStr>(&self, column: &str) -> Option<T> {
        self.0.get(column)?.parse().ok()
    }

    fn books(&self) -> Books {
        Books {
            size_kb: self.number("size"),
            balance_kb: self.number("balance"),
            credit_kb: self.number("credit"),
            in_flight_kb: self.number("in-flight"),
            asked_kb: self.number("asked"),
            available_kb: self.number("available"),
            floor_kb: self.number("floor"),
            ceiling_kb: self.number("ceiling"),
            weight: self.number("weight"),
            protected: self.number::<u8>("protected").map(|it| it != 0),
            waiting: self.number("waiting"),
        }
    }

    fn state(&self) -> State {
        match self.0.get("state") {
            Some(&"connected") => State::Connected,
            _ => State::Away,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_go_by_name() {
        let ledger =
            parse("# sizes in KiB\nsize dom balance state\n1024 3 -8 away\npool 5\nbooks BROKEN\n");
        assert!(ledger.domains.is_empty(), "a title begins with dom");
        let ledger = parse(
            "# sizes in KiB\ndom novel balance size state\n3 7 -8 1024 away\npool 5\nbooks BROKEN\n",
        );
        let (books, state) = &ledger.domains[&3];
        assert_eq!(books.size_kb, Some(1024));
        assert_eq!(books.balance_kb, Some(-8));
        assert_eq!(books.waiting, None);
        assert_eq!(*state, State::Away);
        assert_eq!(ledger.pool_kb, Some(5));
        assert_eq!(ledger.balanced, Some(false));
    }

    #[test]
    fn nonsense_is_left_out() {
        assert_eq!(parse("1 2 3\nno\n\n"), Ledger::default());
        let ledger = parse("dom size state\nx 1 away\n1 x connected\n");
        assert_eq!(ledger.domains.len(), 1);
        assert_eq!(ledger.domains[&1].0.size_kb, None);
    }
}
