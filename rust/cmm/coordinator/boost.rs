// SPDX-License-Identifier: GPL-2.0

//! Whom a transfer waits for runs soon.
//!
//! A domain that sleeps is woken by the event that tells it something, and Xen's scheduler lets a domain that was
//! woken go first. One that waits for a CPU already is not woken by anything: it goes on waiting, behind all others
//! that do, for as long as they like to run. So a requester is looked at when it is told something; and it and donors
//! again a while later if they have not answered: they may have begun, and have lost the CPU to somebody who was woken.

use super::domain::Domain;
use super::domains::Entry;
use super::host::{Activity, Host};
use super::turn::Turn;
use crate::tables::{Index, Storage};

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    /// A donor was asked for so many pages.
    ///
    /// One that waited for a CPU before has work of its own, and has likely used up its share: it is left alone.
    pub(super) fn donor_asked(&mut self, i: Index, pages: u64) {
        if !self.waits_for_cpu(i) {
            self.look_again(i, pages);
        }
    }

    /// A requester was told that it gets so many pages.
    pub(super) fn requester_told(&mut self, i: Index, pages: u64) {
        self.boost(i);
        self.look_again(i, pages);
    }

    /// Begins to watch a domain that may work on so many pages.
    fn look_again(&mut self, i: Index, pages: u64) {
        let Ok(dom) = self.domain(i).map(Domain::dom) else {
            return;
        };
        if self.coordinator.settings.boost {
            self.coordinator.watched.begin(dom, pages, self.now);
            self.wake(self.coordinator.watched.next());
        }
    }

    /// Boosts a domain if it waits for a CPU.
    pub(super) fn boost(&mut self, i: Index) {
        if self.waits_for_cpu(i) {
            if let Ok(dom) = self.domain(i).map(Domain::dom) {
                self.host.boost(dom);
            }
        }
    }

    /// Whether a domain waits for a CPU, if that matters.
    fn waits_for_cpu(&mut self, i: Index) -> bool {
        let Ok(dom) = self.domain(i).map(Domain::dom) else {
            return false;
        };
        self.coordinator.settings.boost && self.host.activity(dom) == Some(Activity::Waiting)
    }

    /// Looks again at those that are due.
    pub(super) fn watch(&mut self) {
        while let Some(watch) = self.coordinator.watched.take_due(self.now) {
            let Some(i) = self.coordinator.domains.find(watch.dom) else {
                continue;
            };
            if self.domain(i).is_ok_and(Domain::is_waited_for) {
                self.boost(i);
                self.coordinator.watched.go_on(watch, self.now);
            }
        }
        self.wake(self.coordinator.watched.next());
    }
}
