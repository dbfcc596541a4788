// SPDX-License-Identifier: GPL-2.0

//! What a domain asked for.

use crate::protocol::{Violation, MAX_REQUESTS};
use crate::time::Nanos;

/// A request that is not finished: it waits, or it was granted and nothing is known to be taken.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Request {
    pub(in super::super) id: u32,
    /// It wants back what its domain lent when it was asked to.
    pub(in super::super) recalls: bool,
    /// Its domain says that it is an emergency, and may.
    pub(in super::super) urgent: bool,
    /// What the front-end asked for.
    pub(in super::super) pages: u64,
    /// What it may have of that under its ceiling.
    pub(in super::super) want: u64,
    /// When it must be answered; once it is granted, when that must have been taken.
    pub(in super::super) deadline: Nanos,
    /// Until when it may wait for its turn of what others have donors asked for, if there is none for it to ask.
    pub(in super::super) may_share_until: Nanos,
    /// It does so.
    pub(in super::super) shares: bool,
    /// Requests of all domains are numbered in the order in which they came.
    pub(in super::super) serial: u64,
    /// How many `Reclaim`s for it are unanswered.
    pub(in super::super) asks: u8,
    /// What they ask for, in pages.
    pub(in super::super) coming: u64,
    /// What has been put aside for it.
    pub(in super::super) held: u64,
    /// What it was granted; 0 while it waits.
    pub(in super::super) granted: u64,
}

impl Request {
    pub(in super::super) fn is_waiting(&self) -> bool {
        self.granted == 0
    }

    /// What it still lacks, in pages.
    pub(in super::super) fn lacks(&self) -> u64 {
        self.want.saturating_sub(self.held)
    }

    /// When it must be looked at, at the latest.
    fn due(&self) -> Nanos {
        if self.shares {
            self.deadline.min(self.may_share_until)
        } else {
            self.deadline
        }
    }

    /// What it lacks and nobody has been asked for, in pages.
    pub(in super::super) fn unasked(&self) -> u64 {
        self.lacks().saturating_sub(self.coming)
    }
}

/// Which go before others of the requests that lack pages: the first, first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Class {
    /// It wants back what its domain lent when it was asked to.
    Recall,
    /// Its domain is protected.
    Protected,
    /// Its domain says that it is one, and may.
    Emergency,
    /// By what each domain has had for its weight.
    Other,
}

impl Class {
    pub(in super::super) const COUNT: usize = 4;

    pub(in super::super) fn nth(n: usize) -> Option<Self> {
        let all = [Self::Recall, Self::Protected, Self::Emergency, Self::Other];
        all.get(n).copied()
    }
}

/// The table of requests, and what there is of them.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Requests {
    table: [Option<Request>; MAX_REQUESTS],
    waiting: u8,
    /// What has been put aside for all of them.
    held: u64,
}

impl Requests {
    /// How many wait for an answer.
    pub(in super::super) fn waiting(&self) -> u8 {
        self.waiting
    }

    pub(in super::super) fn held(&self) -> u64 {
        self.held
    }

    pub(in super::super) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.table.iter().flatten()
    }

    pub(in super::super) fn iter_waiting(&self) -> impl Iterator<Item = &Request> {
        self.iter().filter(|request| request.is_waiting())
    }

    /// In which class each waits that lacks pages, if its domain is `owed` so many, and protected or not.
    pub(in super::super) fn unserved(
        &self,
        mut owed: u64,
        protected: bool,
    ) -> [Option<Class>; MAX_REQUESTS] {
        let mut classes = [None; MAX_REQUESTS];
        if self.waiting == 0 {
            return classes;
        }
        for (class, request) in classes.iter_mut().zip(&self.table) {
            let Some(request) = request.filter(Request::is_waiting) else {
                continue;
            };
            // It may have been given back what it lent, meanwhile.
            let recalls = request.recalls && request.want <= owed;
            if recalls {
                owed -= request.want;
            }
            *class = (request.lacks() > 0).then_some(if recalls {
                Class::Recall
            } else if protected {
                Class::Protected
            } else if request.urgent {
                Class::Emergency
            } else {
                Class::Other
            });
        }
        classes
    }

    /// The one at a place, of [`MAX_REQUESTS`], if it waits.
    pub(in super::super) fn waiting_at(&self, place: usize) -> Option<Request> {
        let request = self.table.get(place)?.as_ref();
        request.filter(|request| request.is_waiting()).copied()
    }

    /// The place of the first that waits, from this place on.
    pub(in super::super) fn next_waiting(&self, from: usize) -> Option<usize> {
        if self.waiting == 0 {
            return None;
        }
        let mut places = self.table.iter().enumerate().skip(from);
        let is_waiting = |place: &Option<Request>| place.as_ref().is_some_and(Request::is_waiting);
        Some(places.find(|(_, place)| is_waiting(place))?.0)
    }

    pub(in super::super) fn get(&self, id: u32) -> Option<Request> {
        self.iter().find(|request| request.id == id).copied()
    }

    /// What the one of this id lacks, if it waits.
    pub(in super::super) fn lacks(&self, id: u32) -> Option<u64> {
        let mut waiting = self.iter_waiting();
        Some(waiting.find(|request| request.id == id)?.lacks())
    }

    /// What was granted by this id, if it was and nothing is known to be taken.
    pub(in super::super) fn granted(&self, id: u32) -> Option<u64> {
        let mut granted = self.iter().filter(|request| !request.is_waiting());
        Some(granted.find(|request| request.id == id)?.granted)
    }

    /// All that was granted, and is not known to be taken.
    pub(in super::super) fn all_granted(&self) -> u64 {
        self.iter().map(|request| request.granted).sum()
    }

    /// When what was granted must have been taken.
    pub(in super::super) fn take_by(&self) -> Option<Nanos> {
        let granted = self.iter().filter(|request| !request.is_waiting());
        granted.map(|request| request.deadline).min()
    }

    /// What those that wait may get, in pages.
    pub(in super::super) fn wanted(&self) -> u64 {
        if self.waiting == 0 {
            return 0;
        }
        // Each within what a message can name.
        self.iter_waiting().map(|request| request.want).sum()
    }

    /// What those that wait are to have back of what the domain has lent, in pages.
    pub(in super::super) fn recalled(&self) -> u64 {
        if self.waiting == 0 {
            return 0;
        }
        let recalls = self.iter_waiting().filter(|request| request.recalls);
        recalls.map(|request| request.want).sum()
    }

    /// Says whether one goes before others.
    pub(in super::super) fn classify(&mut self, id: u32, recalls: bool, urgent: bool) {
        if let Some(request) = self.get_mut(id) {
            (request.recalls, request.urgent) = (recalls, urgent);
        }
    }

    /// When the first of those that wait must be answered.
    pub(in super::super) fn next_deadline(&self) -> Option<Nanos> {
        if self.waiting == 0 {
            return None;
        }
        self.iter_waiting().map(Request::due).min()
    }

    /// Says whether one waits for its turn of what others have donors asked for.
    pub(in super::super) fn share(&mut self, id: u32, shares: bool) {
        if let Some(request) = self.get_mut(id) {
            request.shares = shares;
        }
    }

    fn get_mut(&mut self, id: u32) -> Option<&mut Request> {
        self.table.iter_mut().flatten().find(|r| r.id == id)
    }

    /// Adds one that waits.
    pub(in super::super) fn add(&mut self, request: Request) -> Result<(), Violation> {
        if self.iter().any(|other| other.id == request.id) {
            return Err(Violation::Repeated(request.id));
        }
        let place = self.table.iter_mut().find(|place| place.is_none());
        *place.ok_or(Violation::TooManyRequests)? = Some(request);
        self.waiting += 1;
        Ok(())
    }

    /// So many more donors were asked for it, for so much together.
    pub(in super::super) fn asked(&mut self, id: u32, donors: u8, pages: u64) {
        if let Some(request) = self.get_mut(id) {
            request.shares &= donors == 0;
            request.asks = request.asks.saturating_add(donors);
            request.coming = request.coming.saturating_add(pages);
        }
    }

    /// A donor has answered that was asked for so much, or will not. Returns the request's id if it is still there.
    pub(in super::super) fn answered(&mut self, serial: u64, pages: u64) -> Option<u32> {
        let mut requests = self.table.iter_mut().flatten();
        let request = requests.find(|request| request.serial == serial)?;
        request.asks = request.asks.saturating_sub(1);
        request.coming = request.coming.saturating_sub(pages);
        Some(request.id)
    }

    /// One that waited, and for which nothing is held any more, is granted so many pages, which must be taken by then,
    /// or denied if that is 0.
    pub(in super::super) fn grant(&mut self, id: u32, pages: u64, take_by: Nanos) {
        let Some(request) = self.get_mut(id).filter(|request| request.is_waiting()) else {
            return;
        };
        request.granted = pages;
        request.deadline = take_by;
        self.waiting -= 1;
        if pages == 0 {
            self.remove(id);
        }
    }

    /// What was granted has been taken or left.
    pub(in super::super) fn finish(&mut self, id: u32) {
        if self.granted(id).is_some() {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: u32) {
        for place in &mut self.table {
            if place.is_some_and(|request| request.id == id) {
                *place = None;
            }
        }
    }

    /// Its front-end is gone, and nothing is held for it any more.
    pub(in super::super) fn clear(&mut self) {
        self.table = Default::default();
        self.waiting = 0;
    }

    pub(super) fn put(&mut self, id: u32, pages: u64) -> bool {
        let Some(request) = self.get_mut(id) else {
            return false;
        };
        request.held += pages;
        self.held += pages;
        true
    }

    pub(super) fn take(&mut self, id: u32, pages: u64) -> u64 {
        let Some(request) = self.get_mut(id) else {
            return 0;
        };
        let taken = pages.min(request.held);
        request.held -= taken;
        self.held -= taken;
        taken
    }
}
