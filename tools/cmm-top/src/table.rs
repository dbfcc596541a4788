// SPDX-License-Identifier: GPL-2.0

//! What is shown of each domain, and of all: the same on a screen and as text.

use crate::{
    model::{Domain, Snapshot},
    text::{duration, mib},
};

/// A column: its title, how wide it is at least, and whether it is a number.
pub struct Column {
    /// What it is called.
    pub title: &'static str,
    /// How wide it is at least.
    pub width: usize,
    /// Whether it ends, rather than begins, at one edge.
    pub right: bool,
}

const fn column(title: &'static str, width: usize, right: bool) -> Column {
    Column {
        title,
        width,
        right,
    }
}

/// All columns. Sizes are in MiB.
pub const COLUMNS: [Column; 10] = [
    column("ID", 5, true),
    column("NAME", 16, false),
    column("STATE", 9, false),
    column("SIZE", 9, true),
    column("BORROWED", 9, true),
    column("LENT", 9, true),
    column("PRESSURE", 8, true),
    column("WAITING", 7, true),
    column("LATENCY", 9, true),
    column("WHY", 24, false),
];

/// What is in the columns for a domain.
pub fn cells(domain: &Domain) -> [String; COLUMNS.len()] {
    let books = &domain.books;
    [
        domain.id.to_string(),
        domain.name.clone(),
        domain.state.name().into(),
        or_dash(books.size_kb.map(mib)),
        or_dash(domain.borrowed_kb().map(mib)),
        or_dash(domain.lent_kb().map(mib)),
        or_dash(domain.pressure().map(|part| format!("{part}%"))),
        or_dash(books.waiting.map(|it| it.to_string())),
        or_dash(domain.latency_ns().map(duration)),
        domain.why(),
    ]
}

fn or_dash(shown: Option<String>) -> String {
    shown.unwrap_or_else(|| "-".into())
}

/// What is so for all, in a line.
pub fn summary(snapshot: &Snapshot) -> String {
    let host = &snapshot.host;
    let sum = |of: fn(&Domain) -> Option<u64>| {
        let figures = snapshot.domains.iter().filter_map(of);
        mib(figures.fold(0, u64::saturating_add))
    };
    let size = |kib: Option<u64>| or_dash(kib.map(mib));
    let books = match host.balanced {
        Some(true) => "balanced",
        Some(false) => "BROKEN",
        None => "not seen",
    };
    format!(
        "{} domains, {} MiB borrowed, {} lent, {} in the pool (reserve {}, credit {}), policy {}, books {books}",
        snapshot.domains.len(),
        sum(Domain::borrowed_kb),
        sum(Domain::lent_kb),
        size(host.pool_kb),
        size(host.reserve_kb),
        size(host.credit_kb),
        host.policy.as_deref().unwrap_or("-"),
    )
}
