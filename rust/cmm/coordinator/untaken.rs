// SPDX-License-Identifier: GPL-2.0

//! What is granted or given has an end: if nobody takes it in time, it is for others.
//!
//! Who is late with one of several is taken not to run at all: all ends that is in flight. Its cap goes first, to nothing,
//! so that it takes no more, whatever it gives meanwhile; then Xen's count of its pages says how much it has taken, and
//! that stays in flight until it says so. So who was paused, and says late what it took in time, finds the books and its
//! cap as if it had not been late. Until then it is granted nothing.

use super::books::Place;
use super::domain::Part;
use super::domains::Entry;
use super::fault::Fault;
use super::host::{Gone, Host};
use super::turn::Turn;
use crate::pages::{above, signed};
use crate::protocol::Violation;
use crate::tables::{Index, Storage};
use crate::time::Nanos;

/// Of how many domains it ends in one event; the others follow in the next. Each takes some hypercalls.
const ENDED_AT_ONCE: usize = 8;

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    /// Ends what was not taken in time, of a limited number of domains.
    pub(super) fn end_untaken(&mut self) {
        for _ in 0..ENDED_AT_ONCE {
            match self.coordinator.domains.first_untaken() {
                Some((due, i)) if due <= self.now => {
                    let ended = self.end_all_of(i);
                    self.note_fault(i, ended.map_err(Fault::from));
                }
                _ => return,
            }
        }
    }

    /// Ends all that is in flight to a domain, but for what it has taken.
    fn end_all_of(&mut self, i: Index) -> Result<(), Gone> {
        let current = self.pin(i)?;
        let now = self.now;
        let domain = self.domain(i)?;
        let (is_expected, by_hand) = (domain.has_open_ends(), domain.asks.given_by_hand());
        let (in_flight, doubtful) = (domain.in_flight(), domain.doubtful());
        let taken = domain.taken_at(current);
        let left = in_flight - taken.map_or(in_flight, |taken| taken.min(in_flight));
        let pool = left.min(in_flight - by_hand.min(in_flight));
        let from = Place::Of(i, Part::InFlight);
        self.transfer(from, Place::Free, pool);
        self.transfer(from, Place::Unbooked, left - pool);
        self.change(i, |domain| {
            domain.declined.fail(now);
            domain.set_doubtful(doubtful + left);
            if !is_expected {
                // Nobody is there to say anything, or to take more.
                domain.cap.unpin();
                domain.expect_until(Nanos::MAX);
            }
        })?;
        self.sync_cap(i)
    }

    /// A domain says late that it took so much. If Xen does not see so much, its cap is what it was: there is nothing to be
    /// gained by being late.
    pub(super) fn took_late(&mut self, i: Index, pages: u64) -> Result<(), Gone> {
        self.sync_cap(i)?;
        let domain = self.domain(i)?;
        let seen = domain.taken_at(domain.current).unwrap_or(pages).min(pages);
        let in_flight = pages.min(domain.in_flight());
        self.transfer(
            Place::Of(i, Part::InFlight),
            Place::Of(i, Part::Balance),
            in_flight,
        );
        self.owe_unseen(i, pages - in_flight, pages - seen)
    }

    /// Lets a domain owe what it says that it has taken of what had ended. So much of that Xen does not see.
    pub(super) fn owe_unseen(&mut self, i: Index, pages: u64, unseen: u64) -> Result<(), Gone> {
        let unseen = self.owe(i, pages)?.min(unseen);
        self.change(i, |domain| domain.cap.took_below(unseen))
    }

    /// Lets a domain owe what it has taken of what had ended: out of the pool, as far as it is there still, or has been
    /// found missing. Returns how much is not.
    fn owe(&mut self, i: Index, pages: u64) -> Result<u64, Gone> {
        let balance = Place::Of(i, Part::Balance);
        let missing = pages.min(self.coordinator.books.missing());
        self.transfer(Place::Missing, balance, missing);
        let pages = pages - missing;
        let pool = pages.min(self.coordinator.books.free());
        self.transfer(Place::Free, balance, pool);
        self.transfer(Place::Unbooked, balance, pages - pool);
        Ok(pages - pool)
    }

    /// What a pinned domain cannot have taken any more, after what it has said, is for others; and when it has said all, it
    /// is unpinned.
    ///
    /// # Errors
    ///
    /// It has more than it says.
    pub(super) fn unpin(&mut self, i: Index) -> Result<(), Fault> {
        let domain = self.domain(i)?;
        if !domain.cap.is_pinned() {
            return Ok(());
        }
        let unsaid = domain.unsaid();
        let left = above(signed(domain.in_flight()), signed(unsaid));
        self.transfer(Place::Of(i, Part::InFlight), Place::Free, left);
        if unsaid > 0 {
            return Ok(());
        }
        self.change(i, |domain| {
            domain.cap.unpin();
            domain.set_doubtful(0);
        })?;
        self.sync_cap(i)?;
        let domain = self.domain(i)?;
        let (current, expected) = (domain.current, domain.cap.most(domain.ours()));
        if signed(current) > expected {
            return Err(Fault::Violation(Violation::Kept {
                said: left,
                current,
                expected: expected.max(0).unsigned_abs(),
            }));
        }
        Ok(())
    }
}
