// SPDX-License-Identifier: GPL-2.0

//! Whom a transfer waits for runs soon.
//!
//! A domain that sleeps is woken by the event that tells it something, and Xen's scheduler lets a domain that was
//! woken go first. One that waits for a CPU already is not woken by anything: it goes on waiting, behind all others
//! that do, for as long as they like to run. So a requester is looked at when it is told something; and it and donors
//! again a while later if they have not answered: they may have begun, and have lost the CPU to somebody who was woken.

use core::ops::DerefMut;

use super::host::{Activity, Host};
use super::slot::{Purpose, Request, Slot};
use super::Coordinator;
use crate::time::{Nanos, MICROSECOND, MILLISECOND};
use crate::DomId;

/// How long a domain may work on what it was told before it is looked at again, besides the time for each page.
const PATIENCE: Nanos = MILLISECOND;
const PATIENCE_PER_PAGE: Nanos = MICROSECOND;

/// How often it is looked at again, after twice as long each time: to be boosted in vain, because it has used up its
/// share of the CPU, puts it behind those who have, too.
const LOOKS: u8 = 6;

/// How many domains are looked at again.
const WATCHED: usize = 16;

/// Domains that transfers wait for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watched([Option<Watch>; WATCHED]);

#[derive(Clone, Copy, Debug)]
struct Watch {
    dom: DomId,
    due: Nanos,
    /// How long after that it is due again.
    patience: Nanos,
    looks: u8,
}

impl Watched {
    /// Begins to watch a domain, or begins anew; if it is one too many, it is not watched.
    fn begin(&mut self, watch: Watch) {
        let known = |place: &Option<Watch>| place.is_some_and(|other| other.dom == watch.dom);
        let place = self.0.iter().position(known);
        let place = place.or_else(|| self.0.iter().position(Option::is_none));
        if let Some(place) = place.and_then(|place| self.0.get_mut(place)) {
            *place = Some(watch);
        }
    }

    /// Takes one out that is due.
    fn take_due(&mut self, now: Nanos) -> Option<Watch> {
        let due = |place: &&mut Option<Watch>| place.is_some_and(|watch| watch.due <= now);
        self.0.iter_mut().find(due)?.take()
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<Nanos> {
        self.0.iter().flatten().map(|watch| watch.due).min()
    }
}

impl<S: DerefMut<Target = [Slot]>> Coordinator<S> {
    /// A donor was asked for so many pages.
    ///
    /// One that waited for a CPU before has work of its own, and has likely used up its share: it is left alone.
    pub(super) fn donor_asked<H: Host>(&mut self, i: usize, pages: u64, now: Nanos, host: &mut H) {
        if !self.waits(i, host) {
            self.look_again(i, pages, now);
        }
    }

    /// A requester was told that it gets so many pages.
    pub(super) fn requester_told<H: Host>(
        &mut self,
        i: usize,
        pages: u64,
        now: Nanos,
        host: &mut H,
    ) {
        self.boost(i, host);
        self.look_again(i, pages, now);
    }

    /// Begins to watch a domain that may work on so many pages.
    fn look_again(&mut self, i: usize, pages: u64, now: Nanos) {
        let Some(slot) = self.slot(i).filter(|_| self.settings.boost) else {
            return;
        };
        let patience = PATIENCE.saturating_add(pages.saturating_mul(PATIENCE_PER_PAGE));
        let watch = Watch {
            dom: slot.dom,
            due: now.saturating_add(patience),
            patience,
            looks: 0,
        };
        self.watched.begin(watch);
        self.wake(watch.due);
    }

    /// Boosts a domain if it waits for a CPU.
    pub(super) fn boost<H: Host>(&self, i: usize, host: &mut H) {
        if let Some(slot) = self.slot(i).filter(|_| self.waits(i, host)) {
            host.boost(slot.dom);
        }
    }

    /// Whether a domain waits for a CPU, if that matters.
    fn waits<H: Host>(&self, i: usize, host: &mut H) -> bool {
        let slot = self.slot(i).filter(|_| self.settings.boost);
        slot.is_some_and(|slot| host.activity(slot.dom) == Some(Activity::Waiting))
    }

    /// Looks again at those that are due.
    pub(super) fn watch<H: Host>(&mut self, now: Nanos, host: &mut H) {
        while let Some(watch) = self.watched.take_due(now) {
            let Some(i) = self.find(watch.dom) else {
                continue;
            };
            if watch.looks >= LOOKS || !self.slot(i).is_some_and(is_waited_for) {
                continue;
            }
            self.boost(i, host);
            let patience = watch.patience.saturating_mul(2);
            self.watched.begin(Watch {
                due: now.saturating_add(patience),
                patience,
                looks: watch.looks.saturating_add(1),
                ..watch
            });
        }
        if let Some(next) = self.watched.next() {
            self.wake(next);
        }
    }
}

/// Whether it has been asked to give for a request, or been granted what it asked for, and has not answered.
fn is_waited_for(slot: &Slot) -> bool {
    let mut asks = slot.asks.iter().flatten();
    let mut requests = slot.requests.iter().flatten();
    slot.connected
        && (asks.any(|ask| matches!(ask.purpose, Purpose::Request { .. }))
            || requests.any(|request| !Request::is_waiting(request)))
}
