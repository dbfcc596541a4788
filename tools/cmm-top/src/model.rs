// SPDX-License-Identifier: GPL-2.0

//! What was seen in one look. Each figure may be missing: then nobody said it.

use crate::{text, transfer::Request};

/// All that was seen at once.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When, in ms since 1970.
    pub unix_ms: u64,
    /// The domains, by their ids.
    pub domains: Vec<Domain>,
    /// What is so for all.
    pub host: Host,
    /// What could not be read, and what to do about that.
    pub notes: Vec<String>,
}

/// What is so for all domains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// What donors gave and nobody has taken.
    pub pool_kb: Option<u64>,
    /// What is to be kept ready of that.
    pub reserve_kb: Option<u64>,
    /// What each domain may take without asking.
    pub credit_kb: Option<u64>,
    /// How donors are picked.
    pub policy: Option<String>,
    /// Whether the books balance.
    pub balanced: Option<bool>,
}

/// A domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domain {
    /// Its id.
    pub id: u32,
    /// Its name, as it may be shown.
    pub name: String,
    /// How far its front-end is.
    pub state: State,
    /// What Dom0's books say of it.
    pub books: Books,
    /// Its last request, if Dom0 remembers one.
    pub request: Option<Request>,
    /// How that was answered.
    pub answer: Option<Answer>,
}

/// How a request was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// With how much.
    pub granted_kb: u64,
    /// Why not with more.
    pub reason: String,
}

/// How far a domain's front-end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is served.
    Connected,
    /// It was, and is in the books still.
    Away,
    /// There is a device, and no front-end has ever come.
    Waiting,
    /// There is no device.
    #[default]
    None,
}

impl State {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Away => "away",
            Self::Waiting => "waiting",
            Self::None => "none",
        }
    }
}

/// What Dom0's books say of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// What it has, by Xen's word.
    pub size_kb: Option<u64>,
    /// What it has borrowed, or, negative, lent.
    pub balance_kb: Option<i64>,
    /// What it may take without asking.
    pub credit_kb: Option<u64>,
    /// What it was granted or given, and has not taken yet.
    pub in_flight_kb: Option<u64>,
    /// What it was asked for, and has not given yet.
    pub asked_kb: Option<u64>,
    /// What it could give, by its own word.
    pub available_kb: Option<u64>,
    /// Never smaller than this ...
    pub floor_kb: Option<u64>,
    /// ... nor larger than this.
    pub ceiling_kb: Option<u64>,
    /// How reluctantly it is a donor.
    pub weight: Option<u64>,
    /// Whether it is never one.
    pub protected: Option<bool>,
    /// How many of its requests wait.
    pub waiting: Option<u64>,
}

impl Domain {
    /// What it has borrowed.
    pub fn borrowed_kb(&self) -> Option<u64> {
        self.books.balance_kb.map(|it| it.max(0).unsigned_abs())
    }

    /// What it has lent.
    pub fn lent_kb(&self) -> Option<u64> {
        self.books.balance_kb.map(|it| it.min(0).unsigned_abs())
    }

    /// Which part of its memory it needs, in %: all but what it says it could give.
    pub fn pressure(&self) -> Option<u64> {
        let size = self.books.size_kb.filter(|size| *size > 0)?;
        let available = self.books.available_kb?.min(size);
        let part = u128::from(size - available) * 100 / u128::from(size);
        u64::try_from(part).ok()
    }

    /// How long its last request took.
    pub fn latency_ns(&self) -> Option<u64> {
        self.request.map(|request| request.nanos)
    }

    /// Why it has what it has: what goes on, else how its last request went, else what keeps it as it is.
    pub fn why(&self) -> String {
        match self.state {
            State::None => return "has no device".into(),
            State::Waiting => return "no front-end has come".into(),
            State::Away => return "its front-end is away".into(),
            State::Connected => {}
        }
        self.going_on()
            .or_else(|| self.last())
            .or_else(|| self.limit().map(Into::into))
            .unwrap_or_default()
    }

    fn going_on(&self) -> Option<String> {
        let books = &self.books;
        if books.waiting.unwrap_or(0) > 0 {
            return Some("waits for memory".into());
        }
        let some = |kib: Option<u64>| kib.filter(|kib| *kib > 0).map(text::mib);
        if let Some(mib) = some(books.asked_kb) {
            return Some(format!("is asked for {mib} MiB"));
        }
        some(books.in_flight_kb).map(|mib| format!("takes {mib} MiB"))
    }

    fn last(&self) -> Option<String> {
        let answer = self.answer.as_ref()?;
        Some(format!(
            "got {} MiB: {}",
            text::mib(answer.granted_kb),
            answer.reason
        ))
    }

    fn limit(&self) -> Option<&'static str> {
        let books = &self.books;
        let size = books.size_kb?;
        if books.ceiling_kb.is_some_and(|ceiling| size >= ceiling) {
            return Some("is at its ceiling");
        }
        if books.floor_kb.is_some_and(|floor| size <= floor) {
            return Some("is at its floor");
        }
        (books.protected == Some(true)).then_some("is protected")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected(books: Books) -> Domain {
        Domain {
            state: State::Connected,
            books,
            ..Domain::default()
        }
    }

    #[test]
    fn a_balance_is_one_or_the_other() {
        let lender = connected(Books {
            balance_kb: Some(-8),
            ..Books::default()
        });
        assert_eq!((lender.borrowed_kb(), lender.lent_kb()), (Some(0), Some(8)));
        assert_eq!(connected(Books::default()).borrowed_kb(), None);
        let worst = connected(Books {
            balance_kb: Some(i64::MIN),
            ..Books::default()
        });
        assert_eq!(worst.lent_kb(), Some(1 << 63));
    }

    #[test]
    fn a_domain_that_lies_has_no_pressure_below_0() {
        let pressure = |size, available| {
            connected(Books {
                size_kb: Some(size),
                available_kb: Some(available),
                ..Books::default()
            })
            .pressure()
        };
        assert_eq!(pressure(100, 25), Some(75));
        assert_eq!(pressure(100, u64::MAX), Some(0));
        assert_eq!(pressure(u64::MAX, 0), Some(100));
        assert_eq!(pressure(0, 0), None);
    }

    #[test]
    fn what_goes_on_comes_first() {
        let mut domain = connected(Books {
            size_kb: Some(2048),
            ceiling_kb: Some(2048),
            asked_kb: Some(1024),
            ..Books::default()
        });
        assert_eq!(domain.why(), "is asked for 1 MiB");
        domain.books.waiting = Some(1);
        assert_eq!(domain.why(), "waits for memory");
        domain.books.waiting = None;
        domain.books.asked_kb = Some(0);
        assert_eq!(domain.why(), "is at its ceiling");
        domain.answer = Some(Answer {
            granted_kb: 0,
            reason: "no-donor".into(),
        });
        assert_eq!(domain.why(), "got 0 MiB: no-donor");
        domain.state = State::Away;
        assert_eq!(domain.why(), "its front-end is away");
    }
}
