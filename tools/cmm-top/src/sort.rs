// SPDX-License-Identifier: GPL-2.0

//! In which order domains are shown.

use crate::model::Domain;
use std::cmp::Ordering;

/// By what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Key {
    /// The domain's id.
    #[default]
    Id,
    /// Its name.
    Name,
    /// Its size.
    Size,
    /// What it has borrowed.
    Borrowed,
    /// What it has lent.
    Lent,
    /// What it could give.
    Available,
    /// Which part of its memory it needs.
    Pressure,
    /// How many of its requests wait.
    Waiting,
    /// How long its last request took.
    Latency,
}

impl Key {
    /// All, with what they are called and the key that selects them.
    pub const ALL: [(Self, &'static str, char); 9] = [
        (Self::Id, "id", 'i'),
        (Self::Name, "name", 'n'),
        (Self::Size, "size", 's'),
        (Self::Borrowed, "borrowed", 'b'),
        (Self::Lent, "lent", 'l'),
        (Self::Available, "available", 'a'),
        (Self::Pressure, "pressure", 'p'),
        (Self::Waiting, "waiting", 'w'),
        (Self::Latency, "latency", 't'),
    ];

    /// The one that is called so.
    pub fn from_name(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, called, _)| *called == name);
        found.map(|(key, _, _)| *key)
    }

    /// The one that a key selects.
    pub fn from_char(pressed: char) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, _, key)| *key == pressed);
        found.map(|(key, _, _)| *key)
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(key, _, _)| *key == self);
        found.map_or("?", |(_, name, _)| name)
    }
}

/// By what, and whether the other way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub key: Key,
    /// The other way round.
    pub reverse: bool,
}

/// Sorts: ids and names upwards, figures the largest first. Domains of which a figure is not known come last in any
/// case, and those of which it is the same by their ids.
pub fn sort(domains: &mut [Domain], order: Order) {
    domains.sort_by(|a, b| compare(a, b, order).then(a.id.cmp(&b.id)));
}

fn compare(a: &Domain, b: &Domain, Order { key, reverse }: Order) -> Ordering {
    let turned = |ordering: Ordering| {
        if reverse {
            ordering.reverse()
        } else {
            ordering
        }
    };
    let figure = |domain: &Domain| match key {
        Key::Id | Key::Name => None,
        Key::Size => domain.books.size_kb,
        Key::Borrowed => domain.borrowed_kb(),
        Key::Lent => domain.lent_kb(),
        Key::Available => domain.books.available_kb,
        Key::Pressure => domain.pressure(),
        Key::Waiting => domain.books.waiting,
        Key::Latency => domain.latency_ns(),
    };
    match (key, figure(a), figure(b)) {
        (Key::Id, ..) => turned(a.id.cmp(&b.id)),
        (Key::Name, ..) => turned(a.name.cmp(&b.name)),
        (_, Some(a), Some(b)) => turned(b.cmp(&a)),
        (_, a, b) => b.is_some().cmp(&a.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Books;

    fn sorted(key: Key, reverse: bool) -> Vec<u32> {
        let domain = |id, name: &str, size_kb| Domain {
            id,
            name: name.into(),
            books: Books {
                size_kb,
                ..Books::default()
            },
            ..Domain::default()
        };
        let mut domains = [
            domain(4, "d", Some(5)),
            domain(3, "a", None),
            domain(2, "c", Some(5)),
            domain(1, "b", Some(9)),
        ];
        sort(&mut domains, Order { key, reverse });
        domains.iter().map(|domain| domain.id).collect()
    }

    #[test]
    fn the_largest_comes_first_and_what_is_not_known_last() {
        assert_eq!(sorted(Key::Size, false), [1, 2, 4, 3]);
        assert_eq!(sorted(Key::Size, true), [2, 4, 1, 3]);
    }

    #[test]
    fn words_go_upwards() {
        assert_eq!(sorted(Key::Id, false), [1, 2, 3, 4]);
        assert_eq!(sorted(Key::Name, false), [3, 1, 2, 4]);
        assert_eq!(sorted(Key::Name, true), [4, 2, 1, 3]);
    }

    #[test]
    fn each_has_a_name_and_a_key_of_its_own() {
        for (key, name, pressed) in Key::ALL {
            assert_eq!(Key::from_name(name), Some(key));
            assert_eq!(Key::from_char(pressed), Some(key));
            assert_eq!(key.name(), name);
        }
    }
}
