// SPDX-License-Identifier: GPL-2.0

//! By what domains are found, so that no event looks at all of them.
//!
//! Each domain has nodes in all tables. Where it is in most of them, its [`Filing`], follows from what is known of it, its
//! [`Summary`], and from what time it is: `Domains` files it anew whenever it changes, and when the time has come that it
//! is to be left alone no longer. In the queues of those to be looked at it is until it has had its turn.
//!
//! | table | who is in it | by what |
//! |---|---|---|
//! | `answer` | who has requests that wait | when the first of them must be answered |
//! | `asked` | for whose answer somebody waits | since when, so that none moves when another patience is set |
//! | `spare` | who would give now, and has something to spare | how much, for its weight |
//! | `recallable` | who would give now, and borrowed | how much, for its weight |
//! | `reserve` | those of `spare` who have not refused the reserve | likewise |
//! | `lenders` | who lent, and would have it back now | how much |
//! | `full_spare` | who would be in `spare`, but has no room for a question | who was asked last, first |
//! | `full_recallable` | who would be in `recallable`, likewise | likewise |
//! | `resting` | who is not to be asked for a while | until when |
//! | `declined` | who lent, but would not have it back for a while | until when |
//! | `unserved` | requests that lack pages | whose turn it is |
//! | `crowded` | who has requests for which no donor has room | whose turn it is |
//! | `ready` | whose requests must be looked at | who came first |
//! | `failed` | whose connection has failed in this turn | likewise |
//! | `unfilled` | whose credit is low, and waits for the pool to grow | likewise |

use super::domain::{Class, Summary};
use super::policy::rank;
use crate::protocol::MAX_REQUESTS;
use crate::tables::{Deadlines, Due, Holds, Index, Nodes, Queue, Queued, Ranked, Ranking};
use crate::time::Nanos;

macro_rules! tables {
    ($($table:ident: $kind:ty, $tag:ident: $node:ident,)*) => {
        $(
            #[doc = concat!("Names `", stringify!($table), "`.")]
            #[derive(Clone, Copy, Debug, Default)]
            pub(super) struct $tag;

            impl Holds<$node, $tag> for Links {
                fn node(&self, _part: usize) -> Option<&$node> {
                    Some(&self.$table)
                }

                fn node_mut(&mut self, _part: usize) -> Option<&mut $node> {
                    Some(&mut self.$table)
                }
            }
        )*

        /// The nodes of one domain.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct Links {
            $($table: $node,)*
            unserved: [Queued; MAX_REQUESTS],
        }

        /// The tables.
        #[derive(Debug, Default)]
        pub(super) struct Tables {
            $(pub(super) $table: $kind,)*
            pub(super) unserved: Queue<Unserved, { Class::COUNT }>,
            /// Somebody came to those who would give, or left those who might have.
            pub(super) donors_changed: bool,
        }

        /// All nodes of all domains.
        pub(super) trait AllNodes: Nodes<Queued, Unserved> $(+ Nodes<$node, $tag>)* {}

        impl<T: Nodes<Queued, Unserved> $(+ Nodes<$node, $tag>)*> AllNodes for T {}

        impl Tables {
            /// Proves that the tables hold together. Slow.
            ///
            /// # Errors
            ///
            /// The first rule found broken.
            pub(super) fn check(&self, nodes: &impl AllNodes) -> Result<(), &'static str> {
                $(self.$table.check(nodes)?;)*
                self.unserved.check(nodes)
            }
        }
    };
}

tables! {
    answer: Deadlines<Answer>, Answer: Due,
    asked: Deadlines<Asked>, Asked: Due,
    spare: Ranking<Spare>, Spare: Ranked,
    recallable: Ranking<Recallable>, Recallable: Ranked,
    reserve: Ranking<Reserve>, Reserve: Ranked,
    lenders: Ranking<Lenders>, Lenders: Ranked,
    full_spare: Deadlines<FullSpare>, FullSpare: Due,
    full_recallable: Deadlines<FullRecallable>, FullRecallable: Due,
    resting: Deadlines<Resting>, Resting: Due,
    declined: Deadlines<Declined>, Declined: Due,
    crowded: Queue<Crowded, { Class::COUNT }>, Crowded: Queued,
    ready: Queue<Ready>, Ready: Queued,
    failed: Queue<Failed>, Failed: Queued,
    unfilled: Queue<Unfilled>, Unfilled: Queued,
}

/// Names `unserved`, in which each request has a node of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unserved;

impl Holds<Queued, Unserved> for Links {
    const EACH: usize = MAX_REQUESTS;

    fn node(&self, part: usize) -> Option<&Queued> {
        self.unserved.get(part)
    }

    fn node_mut(&mut self, part: usize) -> Option<&mut Queued> {
        self.unserved.get_mut(part)
    }
}

/// Where a domain belongs in the tables; a key of 0 is none.
#[derive(PartialEq, Eq)]
struct Filing {
    answer: Option<Nanos>,
    asked: Option<Nanos>,
    spare: u64,
    recallable: u64,
    reserve: u64,
    lender: u64,
    full_spare: Option<Nanos>,
    full_recallable: Option<Nanos>,
    resting: Option<Nanos>,
    declined: Option<Nanos>,
}

/// Turns a time into one by which the latest are first, and back.
fn latest_first(time: Nanos) -> Nanos {
    Nanos::MAX - time
}

impl Filing {
    fn of(domain: &Summary, now: Nanos) -> Self {
        let later = |until: Nanos| Some(until).filter(|until| domain.connected && *until > now);
        let would_give = domain.connected && domain.waiting == 0 && domain.shy_until <= now;
        let key = |gives: bool, pages| {
            if gives {
                rank(pages, domain.readiness)
            } else {
                0
            }
        };
        let gives = would_give && domain.has_room;
        let full_since = domain.full_since.filter(|_| would_give).map(latest_first);
        let takes = domain.connected && domain.has_room && domain.owed > 0;
        Self {
            answer: domain.answer_due,
            asked: domain.asked_since,
            spare: key(gives, domain.spare),
            recallable: key(gives, domain.recallable),
            reserve: key(gives && domain.refused_until <= now, domain.spare),
            lender: if takes && domain.declined_until <= now {
                domain.owed
            } else {
                0
            },
            full_spare: full_since.filter(|_| domain.spare > 0),
            full_recallable: full_since.filter(|_| domain.recallable > 0),
            resting: match (later(domain.shy_until), later(domain.refused_until)) {
                (Some(shy), Some(refused)) => Some(shy.min(refused)),
                (shy, refused) => shy.or(refused),
            },
            declined: later(domain.declined_until).filter(|_| takes),
        }
    }
}

impl Tables {
    /// Puts a domain where it belongs by what is known of it now. What is there already costs little.
    pub(super) fn file(
        &mut self,
        nodes: &mut impl AllNodes,
        at: Index,
        domain: &Summary,
        now: Nanos,
    ) {
        let new = Filing::of(domain, now);
        let came = |old: u64, new: u64| old == 0 && new > 0;
        self.donors_changed |= self.full_spare.get(nodes, at) != new.full_spare
            || self.full_recallable.get(nodes, at) != new.full_recallable
            || came(self.spare.key(nodes, at), new.spare)
            || came(self.recallable.key(nodes, at), new.recallable);
        self.answer.set(nodes, at, new.answer);
        self.asked.set(nodes, at, new.asked);
        self.spare.set(nodes, at, new.spare);
        self.recallable.set(nodes, at, new.recallable);
        self.reserve.set(nodes, at, new.reserve);
        self.lenders.set(nodes, at, new.lender);
        self.full_spare.set(nodes, at, new.full_spare);
        self.full_recallable.set(nodes, at, new.full_recallable);
        self.resting.set(nodes, at, new.resting);
        self.declined.set(nodes, at, new.declined);
    }

    /// As [`Self::file`], when what is known was `before` until now: only what that moves is looked up. Who has rested
    /// meanwhile is where it was, until it is filed for that.
    pub(super) fn refile(
        &mut self,
        nodes: &mut impl AllNodes,
        at: Index,
        before: &Summary,
        domain: &Summary,
        now: Nanos,
    ) {
        let (old, new) = (Filing::of(before, now), Filing::of(domain, now));
        let came = |old: u64, new: u64| old == 0 && new > 0;
        self.donors_changed |= old.full_spare != new.full_spare
            || old.full_recallable != new.full_recallable
            || came(old.spare, new.spare)
            || came(old.recallable, new.recallable);
        macro_rules! set {
            ($($table:ident: $key:ident,)*) => {
                $(if old.$key != new.$key {
                    self.$table.set(nodes, at, new.$key);
                })*
            };
        }
        set! {
            answer: answer,
            asked: asked,
            spare: spare,
            recallable: recallable,
            reserve: reserve,
            lenders: lender,
            full_spare: full_spare,
            full_recallable: full_recallable,
            resting: resting,
            declined: declined,
        }
    }

    /// Queues the domain's requests that nobody serves yet, each by its class; the others are in no queue.
    pub(super) fn file_requests(
        &mut self,
        nodes: &mut impl AllNodes,
        at: Index,
        unserved: &[Option<Class>; MAX_REQUESTS],
    ) {
        for (place, new) in unserved.iter().enumerate() {
            let request = at.part(place, MAX_REQUESTS);
            let old = self.unserved.class(nodes, request).and_then(Class::nth);
            match new {
                Some(class) if old != *new => self.unserved.push(nodes, request, *class as usize),
                None if old.is_some() => {
                    self.unserved.remove(nodes, request);
                }
                _ => {}
            }
        }
    }

    /// Takes a domain out of all tables.
    pub(super) fn remove(&mut self, nodes: &mut impl AllNodes, at: Index) {
        self.file(nodes, at, &Summary::default(), 0);
        self.file_requests(nodes, at, &[None; MAX_REQUESTS]);
        self.crowded.remove(nodes, at);
        self.ready.remove(nodes, at);
        self.failed.remove(nodes, at);
        self.unfilled.remove(nodes, at);
    }

    /// One that need not be left alone any longer, and has not been filed since.
    pub(super) fn rested(&self, nodes: &impl AllNodes, now: Nanos) -> Option<Index> {
        let first = [self.resting.first(nodes), self.declined.first(nodes)];
        let over = first.into_iter().flatten().find(|(until, _)| *until <= now);
        Some(over?.1)
    }

    /// Since when at most all who would give have had no room for a question.
    pub(super) fn full_since(&self, nodes: &impl AllNodes, recalls: bool) -> Option<Nanos> {
        let spare = self.full_spare.first(nodes);
        let recallable = self.full_recallable.first(nodes).filter(|_| recalls);
        let first = spare.into_iter().chain(recallable).min();
        Some(latest_first(first?.0))
    }

    /// Whether a domain is where it belongs, or has yet to be filed after it has rested.
    pub(super) fn is_filed(
        &self,
        nodes: &impl AllNodes,
        at: Index,
        domain: &Summary,
        now: Nanos,
    ) -> bool {
        let filing = self.filing(nodes, at);
        let over = |until: Option<Nanos>| until.is_some_and(|until| until <= now);
        let is_queued = |(place, class): (usize, &Option<Class>)| {
            let request = at.part(place, MAX_REQUESTS);
            self.unserved.class(nodes, request).and_then(Class::nth) == *class
        };
        domain.unserved.iter().enumerate().all(is_queued)
            && (over(filing.resting) || over(filing.declined) || filing == Filing::of(domain, now))
    }

    fn filing(&self, nodes: &impl AllNodes, at: Index) -> Filing {
        Filing {
            answer: self.answer.get(nodes, at),
            asked: self.asked.get(nodes, at),
            spare: self.spare.key(nodes, at),
            recallable: self.recallable.key(nodes, at),
            reserve: self.reserve.key(nodes, at),
            lender: self.lenders.key(nodes, at),
            full_spare: self.full_spare.get(nodes, at),
            full_recallable: self.full_recallable.get(nodes, at),
            resting: self.resting.get(nodes, at),
            declined: self.declined.get(nodes, at),
        }
    }
}
