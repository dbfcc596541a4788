// SPDX-License-Identifier: GPL-2.0

//! Entries, one for each domain.
//!
//! They are found by a hash of the domain's number, whose buckets are in the entries as well:
//! bucket `b` begins in place `b`. There are as many buckets as places that have ever been used,
//! and one bucket is split whenever another place is used for the first time (linear hashing,
//! Litwin 1980): nothing is ever hashed anew at once.
//!
//! The hash is the lowest bits of the number. Xen numbers domains one after the other, so that of
//! those that run at the same time hardly two share a bucket. Whoever restarts domains until their
//! numbers suit can make them share one, but not many: there are less than 2^15 numbers, and of `b`
//! buckets, `b` at least `2^k`, each can have 2^15 / 2^k of them at most, and no more than there
//! are entries, `2^(k+1)`. So at worst [`LONGEST_CHAIN`] share one, for any `b`; with 10 000
//! domains, four.

use super::index::Index;
use super::nodes::{Holds, Nodes};
use super::storage::Storage;
use crate::DomId;

/// How many entries can share a bucket at most.
pub const LONGEST_CHAIN: usize = 256;

/// Room for an entry: `T` is what it is about, `L` its nodes in all tables.
///
/// The nodes outlast the entry, because tables keep there what is not the entry's own. Whoever
/// takes an entry out takes it out of the tables before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<L, T> {
    dom: DomId,
    used: bool,
    /// The first of the bucket that has this place's number.
    bucket: Index,
    /// The next in its bucket, or the next free place.
    next: Index,
    links: L,
    value: T,
}

/// Why an entry was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is one for this domain.
    Known,
    /// All places are in use.
    Full,
}

/// Entries, one for each domain, in a storage of [`Place`]s.
#[derive(Clone, Debug)]
pub struct Arena<S> {
    storage: S,
    /// How many places have ever been used, which is also how many buckets there are.
    buckets: usize,
    len: usize,
    /// The first of those of them that are not used now.
    free: Index,
}

impl<L, T, S> Arena<S>
where
    L: Copy + Default + 'static,
    T: Default + 'static,
    S: Storage<Item = Place<L, T>>,
{
    /// Has no entries. What is in the storage is ignored.
    pub fn new(storage: S) -> Self {
        Self {
            storage,
            buckets: 0,
            len: 0,
            free: Index::NOWHERE,
        }
    }

    /// How many entries there are. Costs nothing.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none. Costs nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the entry of a domain is. Costs 1 node and those that share its bucket.
    pub fn find(&self, dom: DomId) -> Option<Index> {
        let mut at = self.storage.place(self.bucket_of(dom)?)?.bucket;
        loop {
            let place = self.storage.place(at.get()?.place())?;
            if place.dom == dom {
                return Some(at);
            }
            at = place.next;
        }
    }

    /// What an entry is about. Costs 1 node.
    pub fn get(&self, at: Index) -> Option<&T> {
        let place = self.storage.place(at.place())?;
        place.used.then_some(&place.value)
    }

    /// What an entry is about, to be changed. Costs 1 node.
    pub fn get_mut(&mut self, at: Index) -> Option<&mut T> {
        let place = self.storage.place_mut(at.place())?;
        place.used.then_some(&mut place.value)
    }

    /// Whose entry it is. Costs 1 node.
    pub fn dom(&self, at: Index) -> Option<DomId> {
        let place = self.storage.place(at.place())?;
        place.used.then_some(place.dom)
    }

    /// Takes an entry in. Costs what [`find`](Self::find) does, and 5 nodes; when a place is used
    /// for the first time also up to 3 for each of a bucket.
    ///
    /// # Errors
    ///
    /// There is one for this domain, or no room.
    pub fn insert(&mut self, dom: DomId, value: T) -> Result<Index, Refusal> {
        if self.find(dom).is_some() {
            return Err(Refusal::Known);
        }
        let at = self.take_place().ok_or(Refusal::Full)?;
        let place = self.storage.place_mut(at.place()).ok_or(Refusal::Full)?;
        place.dom = dom;
        place.used = true;
        place.value = value;
        self.chain(at, dom);
        self.len = self.len.saturating_add(1);
        Ok(at)
    }

    /// Takes an entry out; no other moves. Costs 4 nodes, and 2 for each that shares its bucket.
    pub fn remove(&mut self, at: Index) -> Option<T> {
        let place = self.storage.place(at.place())?;
        if !place.used {
            return None;
        }
        let (dom, next) = (place.dom, place.next);
        let bucket = self.storage.place_mut(self.bucket_of(dom)?)?;
        if bucket.bucket == at {
            bucket.bucket = next;
        } else {
            let mut before = bucket.bucket;
            loop {
                let other = self.storage.place_mut(before.get()?.place())?;
                if other.next == at {
                    other.next = next;
                    break;
                }
                before = other.next;
            }
        }
        let free = core::mem::replace(&mut self.free, at);
        self.len = self.len.saturating_sub(1);
        let place = self.storage.place_mut(at.place())?;
        place.used = false;
        place.next = free;
        Some(core::mem::take(&mut place.value))
    }

    /// A place for an entry, which is in no bucket and not free any more.
    fn take_place(&mut self) -> Option<Index> {
        if let Some(at) = self.free.get() {
            self.free = self.storage.place(at.place())?.next;
            return Some(at);
        }
        let place = self.storage.place_mut(self.buckets)?;
        (place.bucket, place.links) = (Index::NOWHERE, L::default());
        let at = Index::new(self.buckets);
        self.add_bucket();
        Some(at)
    }

    /// Adds a bucket, and moves there what belongs there, out of the one bucket where that may have
    /// been.
    fn add_bucket(&mut self) {
        let added = self.buckets;
        self.buckets = added.saturating_add(1);
        let Some(bits) = added.checked_ilog2() else {
            return;
        };
        let split = added & !(1 << bits);
        let Some(place) = self.storage.place_mut(split) else {
            return;
        };
        let mut rest = core::mem::take(&mut place.bucket);
        while let Some(at) = rest.get() {
            let Some(place) = self.storage.place(at.place()) else {
                return;
            };
            let dom = place.dom;
            rest = place.next;
            self.chain(at, dom);
        }
    }

    /// Puts an entry first in its domain's bucket.
    fn chain(&mut self, at: Index, dom: DomId) {
        let bucket = self.bucket_of(dom);
        let Some(bucket) = bucket.and_then(|bucket| self.storage.place_mut(bucket)) else {
            return;
        };
        let next = core::mem::replace(&mut bucket.bucket, at);
        if let Some(place) = self.storage.place_mut(at.place()) {
            place.next = next;
        }
    }

    /// Which bucket a domain belongs in, if there is any.
    fn bucket_of(&self, dom: DomId) -> Option<usize> {
        let number = usize::from(dom.raw());
        // Buckets beyond the last power of two are there as far as they have been split off.
        let half = 1usize << self.buckets.checked_ilog2()?;
        let wide = number & (half * 2 - 1);
        Some(if wide < self.buckets {
            wide
        } else {
            number & (half - 1)
        })
    }

    /// How many places have ever been used: no entry is at this or a later one. Costs nothing.
    pub fn places(&self) -> usize {
        self.buckets
    }

    /// The entry at a place, if it is used: for walks through all that go on where they stopped.
    /// Costs 1 node.
    pub fn at(&self, place: usize) -> Option<Index> {
        let used = place < self.buckets && self.storage.place(place)?.used;
        used.then_some(Index::new(place))
    }

    /// All entries, in no order. Costs as many nodes as there ever were entries: not for what is
    /// done at every event.
    pub fn iter(&self) -> impl Iterator<Item = (Index, DomId, &T)> + '_ {
        (0..self.buckets).filter_map(|at| {
            let place = self.storage.place(at)?;
            place
                .used
                .then_some((Index::new(at), place.dom, &place.value))
        })
    }

    /// The storage, as a look.
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// The storage, for more places to be added behind those that are there, which must stay as
    /// they are. Then there is nothing to copy.
    pub fn storage_mut(&mut self) -> &mut S {
        &mut self.storage
    }

    /// Proves that every entry is found, and every place is either used or free. Slow.
    ///
    /// # Errors
    ///
    /// The first rule found broken.
    pub fn check(&self) -> Result<(), &'static str> {
        let mut used = 0usize;
        for (at, dom, _) in self.iter() {
            used = used.saturating_add(1);
            if self.find(dom) != Some(at) {
                return Err("every entry is found by its number");
            }
        }
        if used != self.len {
            return Err("entries are counted");
        }
        let (mut free, mut at) = (0usize, self.free);
        while let Some(place) = at.get().and_then(|at| self.storage.place(at.place())) {
            free = free.saturating_add(1);
            if place.used || free > self.buckets {
                return Err("free places are not used, and each is listed once");
            }
            at = place.next;
        }
        if used.saturating_add(free) == self.buckets {
            Ok(())
        } else {
            Err("every place is used or free")
        }
    }
}

impl<N, Tag, L, T, S> Nodes<N, Tag> for Arena<S>
where
    N: Copy + Default,
    L: Holds<N, Tag> + 'static,
    T: 'static,
    S: Storage<Item = Place<L, T>>,
{
    fn node(&self, at: Index) -> Option<&N> {
        let (entry, part) = at.split(L::EACH);
        self.storage.place(entry.place())?.links.node(part)
    }

    fn node_mut(&mut self, at: Index) -> Option<&mut N> {
        let (entry, part) = at.split(L::EACH);
        self.storage.place_mut(entry.place())?.links.node_mut(part)
    }
}
