// SPDX-License-Identifier: GPL-2.0

//! Caps: what makes Xen keep to the books.
//!
//! A cap is raised before the domain is told that it may take, and lowered before Xen is asked whether it has given.

use super::books::Place;
use super::domain::Part;
use super::domains::Entry;
use super::fault::Fault;
use super::host::{Gone, Host, Reservation};
use super::turn::Turn;
use crate::pages::{above, signed, MOST_PAGES};
use crate::protocol::Violation;
use crate::tables::{Index, Storage};

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    /// What Xen says about a domain, no number being beyond what a machine can hold.
    fn ask_xen(&mut self, i: Index) -> Result<Reservation, Gone> {
        let dom = self.domain(i)?.dom();
        let found = self.host.reservation(dom).ok_or(Gone)?;
        Ok(Reservation {
            current: found.current.min(MOST_PAGES),
            maximum: found.maximum.min(MOST_PAGES),
        })
    }

    /// Asks Xen about the domain, and sets the cap with our part in it if the toolstack has written another.
    pub(super) fn sync_cap(&mut self, i: Index) -> Result<(), Gone> {
        let found = self.ask_xen(i)?;
        self.move_cap(i, found, 0)
    }

    /// The toolstack wants the domain to have another size, and has set the cap before.
    pub(super) fn retarget(&mut self, i: Index, target: u64) -> Result<(), Gone> {
        let found = self.ask_xen(i)?;
        self.amend(i, |domain| {
            let (ours, uncertain) = (domain.ours(), domain.uncertain());
            let target = target.min(MOST_PAGES);
            if target != domain.cap.target() {
                domain.forget_own();
            }
            domain.cap.retarget(target, found, ours, uncertain);
        })?;
        self.set_cap(i, found, 0)?;
        self.prove(i)
    }

    /// Books what a domain said that it gave, and can have had after all: its toolstack sets its cap first, so that it may
    /// have grown before anybody here heard of it.
    fn prove(&mut self, i: Index) -> Result<(), Gone> {
        let domain = self.domain(i)?;
        if domain.unproven == 0 {
            return Ok(());
        }
        let can = above(domain.cap.most(domain.ours()), signed(domain.current));
        let proven = domain.unproven.min(can);
        self.amend(i, |domain| domain.unproven = 0)?;
        let booked = self.lower(i, Place::Of(i, Part::Balance), Place::Free, proven);
        self.note_fault(i, booked.map(|_| ()));
        Ok(())
    }

    /// Sets the cap to the toolstack's, which may be the one that Xen has, with our part in it, and `by` more.
    fn move_cap(&mut self, i: Index, found: Reservation, by: i64) -> Result<(), Gone> {
        self.hear_cap(i, found)?;
        self.set_cap(i, found, by)
    }

    fn hear_cap(&mut self, i: Index, found: Reservation) -> Result<(), Gone> {
        self.amend(i, |domain| {
            let (ours, uncertain) = (domain.ours(), domain.uncertain());
            domain.cap.heard(found, ours, uncertain);
        })
    }

    fn set_cap(&mut self, i: Index, found: Reservation, by: i64) -> Result<(), Gone> {
        let domain = self.domain(i)?;
        let due = domain.cap.due(domain.ours()) + by;
        let maximum = due.max(0).unsigned_abs();
        if maximum != found.maximum {
            let dom = domain.dom();
            self.host.set_maximum(dom, maximum)?;
        }
        self.amend(i, |domain| {
            domain.cap.set(maximum);
            domain.saw(found.current);
        })?;
        self.set_current(i, found.current)
    }

    fn set_current(&mut self, i: Index, current: u64) -> Result<(), Gone> {
        if self.domain(i)?.current != current {
            self.change(i, |domain| domain.current = current)?;
        }
        Ok(())
    }

    /// How much the domain may grow under its ceiling, by Xen's word.
    pub(super) fn room(&mut self, i: Index) -> Result<u64, Gone> {
        let found = self.ask_xen(i)?;
        self.hear_cap(i, found)?;
        self.room_at(i, found.current)
    }

    /// As [`Self::room`], if it has `current` pages: none if it must not grow.
    fn room_at(&self, i: Index, current: u64) -> Result<u64, Gone> {
        let domain = self.domain(i)?;
        Ok(if domain.cap.is_pinned() {
            0
        } else {
            domain.room(current)
        })
    }

    /// As [`Self::room`], but if `pages` fit by what is known, that is believed: Xen will be asked when it is to grow.
    pub(super) fn room_for(&mut self, i: Index, pages: u64) -> Result<u64, Gone> {
        let known = self.room_at(i, self.domain(i)?.current)?;
        if known < pages {
            self.room(i)
        } else {
            Ok(known)
        }
    }

    /// Makes room in the domain for up to `pages` more, as far as its ceiling allows, and puts them in flight. Returns
    /// how many.
    pub(super) fn raise(&mut self, i: Index, from: Place, pages: u64) -> Result<u64, Gone> {
        let found = self.ask_xen(i)?;
        self.hear_cap(i, found)?;
        let pages = pages.min(self.room_at(i, found.current)?);
        if pages > 0 {
            self.set_cap(i, found, signed(pages))?;
            self.amend(i, |domain| domain.note_own(found.current))?;
            self.transfer(from, Place::Of(i, Part::InFlight), pages);
        }
        Ok(pages)
    }

    /// Lowers the cap by pages that the front-end says it gave back to Xen, or left untaken, and books them where they
    /// are now. The cap goes first, so that the domain cannot take them again while we look. Returns how many of them it
    /// is believed; what it is not may be proven later.
    ///
    /// # Errors
    ///
    /// Xen says otherwise: the cap is as it was.
    pub(super) fn lower(
        &mut self,
        i: Index,
        from: Place,
        to: Place,
        pages: u64,
    ) -> Result<u64, Fault> {
        if pages == 0 {
            return Ok(0);
        }
        let found = self.ask_xen(i)?;
        // If the toolstack has set the cap, nothing is below it any more.
        self.hear_cap(i, found)?;
        let (below, believed) = if from == Place::Of(i, Part::Balance) {
            let domain = self.domain(i)?;
            let believed = pages.min(domain.can_have_given(found.current));
            let below = domain.cap.of_below(believed);
            if believed < pages {
                self.amend(i, |domain| {
                    domain.unproven = domain.unproven.saturating_add(pages - believed);
                })?;
            }
            (below, believed)
        } else {
            (0, pages)
        };
        let pages = believed - below;
        self.set_cap(i, found, -signed(pages))?;
        let current = self.ask_xen(i)?.current;
        let domain = self.domain(i)?;
        let (dom, ours) = (domain.dom(), domain.ours());
        let expected = domain.cap.most(ours) - signed(pages);
        // What it gave back first may be what had ended, and what it has not said that it took.
        if above(signed(current), expected) > domain.doubtful() {
            let cap = domain.cap.due(ours).max(0).unsigned_abs();
            self.host.set_maximum(dom, cap)?;
            self.amend(i, |domain| domain.cap.set(cap))?;
            return Err(Fault::Violation(Violation::Kept {
                said: pages,
                current,
                expected: expected.max(0).unsigned_abs(),
            }));
        }
        self.set_current(i, current)?;
        self.transfer(from, to, pages);
        if below > 0 {
            // The pool has not given that, and does not get it.
            self.change(i, |domain| domain.cap.gave_below(below))?;
            self.transfer(from, Place::Unbooked, below);
        }
        Ok(believed)
    }

    /// Lets the domain grow no more. Returns what it has.
    pub(super) fn pin(&mut self, i: Index) -> Result<u64, Gone> {
        let found = self.ask_xen(i)?;
        self.change(i, |domain| domain.cap.pin())?;
        self.move_cap(i, found, 0)?;
        // It may have grown until then.
        Ok(self.ask_xen(i)?.current)
    }
}
