// SPDX-License-Identifier: GPL-2.0

//! All domains that are known, and every search among them.
//!
//! What domains are found by, and what is counted over all of them, changes through [`Domains::change`] only. Who has
//! changed is filed anew when somebody searches, or wants to know what is counted.

use super::domain::{Class, Domain, Part};
use super::filing::Filing;
use super::index::{Links, Tables};
use super::policy::{best, Best, Candidate, Need, MAX_DONORS};
use super::refused::Refused;
use super::tally::Tally;
use super::unfiled::Unfiled;
use crate::protocol::MAX_REQUESTS;
use crate::tables::{Arena, Index, Place, Storage};
use crate::time::Nanos;
use crate::DomId;

/// How many lenders are paid back in one event; the others follow in the next. Half as many as are served, for it is
/// less urgent, and each takes two hypercalls as well.
const REPAID_AT_ONCE: usize = 8;

/// Of how many the best are taken, when there are more. They differ little from the best of all, and others have their
/// turn.
const LOOKED_AT: usize = 32;

/// How many that have rested are filed anew in one event; the others follow in the next.
const RESTED_AT_ONCE: usize = 16;

/// Room for one domain in the coordinator's storage.
pub type Entry = Place<Links, Domain>;

/// The known domains. A domain's index is good as long as it is known.
#[derive(Debug)]
pub(super) struct Domains<S> {
    entries: Arena<S>,
    tables: Tables,
    unfiled: Unfiled,
    /// When this turn is.
    now: Nanos,
}

impl<S: Storage<Item = Entry>> Domains<S> {
    pub(super) fn new(storage: S) -> Self {
        Self {
            entries: Arena::new(storage),
            tables: Tables::default(),
            unfiled: Unfiled::default(),
            now: 0,
        }
    }

    pub(super) fn storage(&self) -> &S {
        self.entries.storage()
    }

    pub(super) fn storage_mut(&mut self) -> &mut S {
        self.entries.storage_mut()
    }

    /// All domains, in no order: for tests and debugfs.
    pub(super) fn all(&self) -> impl Iterator<Item = (Index, &Domain)> {
        self.entries.iter().map(|(at, _, domain)| (at, domain))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What is counted over all domains.
    pub(super) fn tally(&mut self) -> &Tally {
        self.file_changed();
        &self.tables.tally
    }

    /// What was counted at the end of the last turn.
    pub(super) fn last_tally(&self) -> &Tally {
        &self.tables.tally
    }

    pub(super) fn get(&self, i: Index) -> Option<&Domain> {
        self.entries.get(i)
    }

    pub(super) fn find(&self, dom: DomId) -> Option<Index> {
        self.entries.find(dom)
    }

    /// Changes a domain. `None` if there is none at this place.
    pub(super) fn change<R>(
        &mut self,
        i: Index,
        change: impl FnOnce(&mut Domain) -> R,
    ) -> Option<R> {
        let result = change(self.entries.get_mut(i)?);
        if !self.unfiled.add(i) {
            self.file_changed();
            self.unfiled.add(i);
        }
        Some(result)
    }

    /// Files who has changed: each search begins with this.
    #[inline]
    fn file_changed(&mut self) {
        while let Some(i) = self.unfiled.pop() {
            self.file(i);
        }
    }

    fn file(&mut self, i: Index) {
        if let Some(domain) = self.entries.get(i) {
            let filing = Filing::of(domain, self.now);
            self.tables.file(&mut self.entries, i, &filing);
        }
    }

    /// Changes what no domain is found by and nothing counts, which most of a domain is. `None` if there is none at
    /// this place.
    pub(super) fn amend<R>(
        &mut self,
        i: Index,
        change: impl FnOnce(&mut Domain) -> R,
    ) -> Option<R> {
        let domain = self.entries.get_mut(i)?;
        #[cfg(debug_assertions)]
        let before = Filing::of(domain, self.now);
        let result = change(domain);
        #[cfg(debug_assertions)]
        assert_eq!(
            Filing::of(domain, self.now),
            before,
            "this is found by nothing"
        );
        Some(result)
    }

    /// Adds a domain that is not known yet. Returns its place.
    pub(super) fn insert(&mut self, domain: Domain) -> Result<Index, Refused> {
        let place = self.entries.insert(domain.dom(), domain);
        let place = place.map_err(|_| Refused::StorageFull)?;
        self.file(place);
        Ok(place)
    }

    /// Forgets a domain.
    pub(super) fn remove(&mut self, i: Index) {
        self.file_changed();
        self.tables.remove(&mut self.entries, i);
        self.entries.remove(i);
    }

    /// Whose answer is due first, and when.
    pub(super) fn first_to_answer(&mut self) -> Option<(Nanos, Index)> {
        self.file_changed();
        self.tables.answer.first(&self.entries)
    }

    /// Who was asked first of those who have not answered somebody who waits for it, and when.
    pub(super) fn first_asked(&mut self) -> Option<(Nanos, Index)> {
        self.file_changed();
        self.tables.asked.first(&self.entries)
    }

    /// Who must have taken what is in flight first, and when.
    pub(super) fn first_untaken(&mut self) -> Option<(Nanos, Index)> {
        self.file_changed();
        self.tables.untaken.first(&self.entries)
    }

    /// A request of this domain must be looked at.
    pub(super) fn push_ready(&mut self, i: Index) {
        self.tables.ready.push(&mut self.entries, i, 0);
    }

    /// A domain whose requests must be looked at, which it is now.
    pub(super) fn pop_ready(&mut self) -> Option<Index> {
        self.tables.ready.pop(&mut self.entries)
    }

    pub(super) fn is_any_ready(&self) -> bool {
        !self.tables.ready.is_empty()
    }

    /// The connection to this domain has failed.
    pub(super) fn push_failed(&mut self, i: Index) {
        self.tables.failed.push(&mut self.entries, i, 0);
    }

    pub(super) fn pop_failed(&mut self) -> Option<Index> {
        self.tables.failed.pop(&mut self.entries)
    }

    /// The credit of this domain waits for the pool to grow.
    pub(super) fn push_unfilled(&mut self, i: Index) {
        self.tables.unfilled.push(&mut self.entries, i, 0);
    }

    pub(super) fn pop_unfilled(&mut self) -> Option<Index> {
        self.tables.unfilled.pop(&mut self.entries)
    }

    pub(super) fn is_any_unfilled(&self) -> bool {
        !self.tables.unfilled.is_empty()
    }

    /// How many places there are to look at for [`at`](Self::at).
    pub(super) fn places(&self) -> usize {
        self.entries.places()
    }

    /// The domain in a place, for walks that go on where they stopped.
    pub(super) fn at(&self, place: usize) -> Option<Index> {
        self.entries.at(place)
    }

    /// Whether each domain is where it belongs, and is found there.
    ///
    /// # Errors
    ///
    /// The first rule found broken.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        self.entries.check()?;
        if !self.unfiled.is_empty() {
            return Err("who has changed in a turn is filed by its end");
        }
        self.tables.check(&self.entries)?;
        let is_filed = |(i, domain)| {
            let belongs = Filing::of(domain, self.now);
            self.tables.is_filed(&self.entries, i, &belongs, self.now)
        };
        if self.all().all(is_filed) {
            Ok(())
        } else {
            Err("each domain is where it belongs in each table")
        }
    }

    /// The best donors for a request.
    pub(super) fn best_donors(&mut self, need: Need) -> Best {
        self.file_changed();
        let recalled = match need.recall {
            0 => [None; MAX_DONORS],
            _ => self.tables.recallable.best(&self.entries, LOOKED_AT),
        };
        let spare = self.tables.spare.best(&self.entries, LOOKED_AT);
        let recalls = need.recall > 0;
        best(
            need,
            self.candidates(&recalled, recalls),
            self.candidates(&spare, recalls),
        )
    }

    /// The best donors for the reserve.
    pub(super) fn best_for_reserve(&mut self, need: Need) -> Best {
        self.file_changed();
        let spare = self.tables.reserve.best(&self.entries, LOOKED_AT);
        self.best_of(need, &spare)
    }

    /// The best donors of those who are left alone for a while.
    pub(super) fn best_shy(&mut self, need: Need) -> Best {
        self.file_changed();
        let shy = self.tables.shy.best(&self.entries, LOOKED_AT);
        self.best_of(need, &shy)
    }

    /// The best of these, from whom nothing is recalled.
    fn best_of(&self, need: Need, spare: &[Option<(u64, Index)>; MAX_DONORS]) -> Best {
        let nobody = [None; MAX_DONORS];
        best(
            need,
            self.candidates(&nobody, false),
            self.candidates(spare, false),
        )
    }

    fn candidates<'a>(
        &'a self,
        found: &'a [Option<(u64, Index)>; MAX_DONORS],
        recalls: bool,
    ) -> impl Iterator<Item = (u64, Candidate)> + 'a {
        // None is found behind a place where none is.
        let found = found.iter().map_while(|found| *found);
        found.filter_map(move |(key, i)| {
            let domain = self.get(i)?;
            let candidate = Candidate {
                index: i,
                spare: domain.spare(),
                recallable: if recalls { domain.recallable() } else { 0 },
            };
            Some((key, candidate))
        })
    }

    /// When the last question was asked of those who could give, and are asked for so much already that they have no
    /// room for another.
    pub(super) fn full_since(&mut self, recalls: bool) -> Option<Nanos> {
        self.file_changed();
        self.tables.full_since(&self.entries, recalls)
    }

    /// Requests of this domain wait until a donor has room.
    pub(super) fn push_crowded(&mut self, i: Index) {
        let Some(domain) = self.entries.get(i) else {
            return;
        };
        let class = domain.unserved().into_iter().flatten().min();
        let class = class.unwrap_or(Class::Other);
        self.tables
            .crowded
            .push(&mut self.entries, i, class as usize);
    }

    pub(super) fn pop_crowded(&mut self) -> Option<Index> {
        self.tables.crowded.pop(&mut self.entries)
    }

    pub(super) fn crowd(&self) -> usize {
        self.tables.crowded.len()
    }

    /// Whether a domain came to those who would give, or left those who might have, since this was last asked.
    pub(super) fn have_donors_changed(&mut self) -> bool {
        self.file_changed();
        core::mem::take(&mut self.tables.donors_changed)
    }

    /// Nobody waits for such a change. Who has changed and is not filed yet may be reported later.
    pub(super) fn forget_donors_changed(&mut self) {
        self.tables.donors_changed = false;
    }

    /// Whether any donor has room for a question.
    pub(super) fn is_any_donor(&mut self) -> bool {
        self.file_changed();
        !self.tables.spare.is_empty() || !self.tables.recallable.is_empty()
    }

    /// Whose turn it is of the requests that lack pages: first those that go before others, by their classes, then by
    /// what each domain has had for its weight. Returns the domain, and the request's place in its table.
    pub(super) fn next_unserved(&mut self) -> Option<(Index, usize)> {
        self.file_changed();
        if let Some(first) = self.tables.unserved.first() {
            return Some(first.split(MAX_REQUESTS));
        }
        let (_, i) = self.tables.in_turn.first(&self.entries)?;
        Some((i, self.get(i)?.next_in_turn()?))
    }

    /// Whether others than this domain wait, too.
    pub(super) fn is_contended(&mut self, i: Index) -> bool {
        let own = self.get(i).map_or(0, |domain| domain.requests.waiting());
        self.tally().waiting > u32::from(own)
    }

    /// To whom most is owed of those who can be given it back now, with what is owed.
    pub(super) fn next_to_repay(&mut self) -> [Option<(u64, Index)>; REPAID_AT_ONCE] {
        self.file_changed();
        self.tables.lenders.best(&self.entries, LOOKED_AT)
    }

    /// When another can be given back what it is owed.
    pub(super) fn next_lender_due(&mut self) -> Option<Nanos> {
        self.file_changed();
        let (until, _) = self.tables.declined.first(&self.entries)?;
        Some(until)
    }

    /// It is `now`: those who have rested are asked again, a limited number of them. Returns whether that were all.
    pub(super) fn begin(&mut self, now: Nanos) -> bool {
        self.now = now;
        for _ in 0..RESTED_AT_ONCE {
            let Some(i) = self.tables.rested(&self.entries, now) else {
                return true;
            };
            self.file(i);
        }
        self.tables.rested(&self.entries, now).is_none()
    }

    /// Moves pages from one part of a domain's to another, as many as there are. Returns how many.
    pub(super) fn shift(&mut self, i: Index, from: Part, to: Part, pages: u64) -> u64 {
        let shifted = self.change(i, |domain| {
            let taken = domain.take(from, pages);
            if domain.put(to, taken) {
                return taken;
            }
            domain.put(from, taken);
            0
        });
        shifted.unwrap_or(0)
    }

    /// Puts pages into a part of a domain's. `false` if there is no such part.
    pub(super) fn put(&mut self, i: Index, part: Part, pages: u64) -> bool {
        self.change(i, |domain| domain.put(part, pages))
            .unwrap_or(false)
    }

    /// Takes pages out of a part of a domain's, as many as there are. Returns how many.
    pub(super) fn take(&mut self, i: Index, part: Part, pages: u64) -> u64 {
        self.change(i, |domain| domain.take(part, pages))
            .unwrap_or(0)
    }
}
