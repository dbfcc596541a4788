// SPDX-License-Identifier: GPL-2.0

//! By what domains are found, so that no event looks at all of them.
//!
//! Each domain has nodes in all tables. Where it is in most of them, its [`Filing`], follows from what is known of it and
//! from what time it is: `Domains` files it anew when it has changed, and when the time has come that it is to be left
//! alone no longer. In the queues of those to be looked at it is until it has had its turn.
//!
//! | table | who is in it | by what |
//! |---|---|---|
//! | `answer` | who has requests that wait | when the first of them must be answered |
//! | `asked` | for whose answer somebody waits | since when, so that none moves when another patience is set |
//! | `untaken` | who was granted or given something | when it must have been taken |
//! | `spare` | who would give now, and has something to spare | how much, for its weight |
//! | `recallable` | who would give now, and borrowed | how much, for its weight |
//! | `reserve` | those of `spare` who have not refused the reserve | likewise |
//! | `shy` | who would be in `spare`, but is left alone | likewise |
//! | `lenders` | who lent, and would have it back now | how much |
//! | `full_spare` | who would be in `spare`, but has no room for a question | who was asked last, first |
//! | `full_recallable` | who would be in `recallable`, likewise | likewise |
//! | `resting` | who is not to be asked for a while | until when |
//! | `declined` | who lent, but would not have it back for a while | until when |
//! | `unserved` | requests that lack pages, and go before others | who came first of each class |
//! | `in_turn` | who has other requests that lack pages | who has had least for its weight |
//! | `crowded` | who has requests for which no donor has room | whose turn it is |
//! | `ready` | whose requests must be looked at | who came first |
//! | `failed` | whose connection has failed in this turn | likewise |
//! | `unfilled` | whose credit is low, and waits for the pool to grow | likewise |

use super::domain::Class;
use super::filing::{latest_first, some, Filing};
use super::tally::Tally;
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
            filing: Filing,
        }

        /// The tables.
        #[derive(Debug, Default)]
        pub(super) struct Tables {
            $(pub(super) $table: $kind,)*
            pub(super) unserved: Queue<Unserved, { Class::COUNT }>,
            /// Counted over all domains.
            pub(super) tally: Tally,
            /// Somebody came to those who would give, or left those who might have.
            pub(super) donors_changed: bool,
        }

        /// All nodes of all domains.
        pub(super) trait AllNodes:
            Nodes<Filing, Filed> + Nodes<Queued, Unserved> $(+ Nodes<$node, $tag>)*
        {
        }

        impl<T> AllNodes for T
        where
            T: Nodes<Filing, Filed> + Nodes<Queued, Unserved> $(+ Nodes<$node, $tag>)*
        {
        }

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
    untaken: Deadlines<Untaken>, Untaken: Due,
    in_turn: Deadlines<InTurn>, InTurn: Due,
    spare: Ranking<Spare>, Spare: Ranked,
    recallable: Ranking<Recallable>, Recallable: Ranked,
    reserve: Ranking<Reserve>, Reserve: Ranked,
    shy: Ranking<Shy>, Shy: Ranked,
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

/// Names where each domain was filed last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filed;

impl Holds<Filing, Filed> for Links {
    fn node(&self, _part: usize) -> Option<&Filing> {
        Some(&self.filing)
    }

    fn node_mut(&mut self, _part: usize) -> Option<&mut Filing> {
        Some(&mut self.filing)
    }
}

impl Tables {
    /// Puts a domain where it belongs now. Only what has changed since it was filed last is looked up.
    pub(super) fn file(&mut self, nodes: &mut impl AllNodes, at: Index, new: &Filing) {
        let Some(filed) = Nodes::<Filing, Filed>::node_mut(nodes, at) else {
            return;
        };
        let old = core::mem::replace(filed, *new);
        let came = |old: u64, new: u64| old == 0 && new > 0;
        self.donors_changed |= old.full_spare != new.full_spare
            || old.full_recallable != new.full_recallable
            || came(old.spare, new.spare)
            || came(old.recallable, new.recallable)
            || new.owed > old.owed;
        macro_rules! set {
            ($($table:ident: $key:ident as $form:expr,)*) => {
                $(if old.$key != new.$key {
                    self.$table.set(nodes, at, $form(new.$key));
                })*
            };
        }
        let key = |key| key;
        set! {
            answer: answer as some,
            asked: asked as some,
            untaken: untaken as some,
            in_turn: in_turn as some,
            spare: spare as key,
            recallable: recallable as key,
            reserve: reserve as key,
            shy: shy as key,
            lenders: lender as key,
            full_spare: full_spare as some,
            full_recallable: full_recallable as some,
            resting: resting as some,
            declined: declined as some,
        }
        if old.tally != new.tally {
            self.tally.remove(old.tally);
            self.tally.add(new.tally);
        }
        if old.unserved != new.unserved {
            self.file_requests(nodes, at, &old, new);
        }
    }

    /// Queues the domain's requests that nobody serves yet, each by its class; the others are in no queue.
    fn file_requests(&mut self, nodes: &mut impl AllNodes, at: Index, old: &Filing, new: &Filing) {
        for (place, (old, new)) in old.unserved.iter().zip(&new.unserved).enumerate() {
            if old == new {
                continue;
            }
            let request = at.part(place, MAX_REQUESTS);
            match new {
                Some(class) => self.unserved.push(nodes, request, *class as usize),
                None => {
                    self.unserved.remove(nodes, request);
                }
            }
        }
    }

    /// Takes a domain out of all tables.
    pub(super) fn remove(&mut self, nodes: &mut impl AllNodes, at: Index) {
        self.file(nodes, at, &Filing::default());
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
        belongs: &Filing,
        now: Nanos,
    ) -> bool {
        let filed: Filing = Nodes::<Filing, Filed>::read(nodes, at);
        let over = |until: Nanos| until > 0 && until <= now;
        filed == self.found(nodes, at, &filed)
            && (over(filed.resting) || over(filed.declined) || filed == *belongs)
    }

    /// Where a domain is found that was filed like this.
    fn found(&self, nodes: &impl AllNodes, at: Index, filed: &Filing) -> Filing {
        let time = |time: Option<Nanos>| time.unwrap_or(0);
        let class = |place| {
            let request = at.part(place, MAX_REQUESTS);
            self.unserved.class(nodes, request).and_then(Class::nth)
        };
        Filing {
            answer: time(self.answer.get(nodes, at)),
            asked: time(self.asked.get(nodes, at)),
            untaken: time(self.untaken.get(nodes, at)),
            in_turn: time(self.in_turn.get(nodes, at)),
            spare: self.spare.key(nodes, at),
            recallable: self.recallable.key(nodes, at),
            reserve: self.reserve.key(nodes, at),
            shy: self.shy.key(nodes, at),
            lender: self.lenders.key(nodes, at),
            full_spare: time(self.full_spare.get(nodes, at)),
            full_recallable: time(self.full_recallable.get(nodes, at)),
            resting: time(self.resting.get(nodes, at)),
            declined: time(self.declined.get(nodes, at)),
            unserved: core::array::from_fn(class),
            ..*filed
        }
    }
}
