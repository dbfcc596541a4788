// SPDX-License-Identifier: GPL-2.0

//! The coordinator: decides who gives, how much, and what is answered.

mod event;
mod host;
mod policy;
mod record;
mod slot;
mod view;

use core::ops::DerefMut;

pub use event::{Event, Limits, Nanos, Refused, Settings, MICROSECOND, MILLISECOND, SECOND};
pub use host::{Gone, Host, Reservation, SendError};
pub use policy::Policy;
pub use record::Record;
pub use slot::Slot;
pub use view::View;

use crate::DomId;

/// Which rule of the ledger is broken, and at which domain if at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Where, if at one domain.
    pub dom: Option<DomId>,
    /// Which rule.
    pub rule: &'static str,
}

/// The coordinator. Its storage, and thereby how many domains it can serve, is the shell's.
#[derive(Debug)]
pub struct Coordinator<S> {
    slots: S,
    len: usize,
    settings: Settings,
    next: Option<Nanos>,
}

impl<S: DerefMut<Target = [Slot]>> Coordinator<S> {
    /// Starts with no domains.
    pub fn new(storage: S, settings: Settings) -> Self {
        Self {
            slots: storage,
            len: 0,
            settings,
            next: None,
        }
    }

    /// Takes one event in, and acts on it.
    ///
    /// # Errors
    ///
    /// The event makes no sense now; nothing has changed. What a front-end does wrong is not an error here, but ends
    /// in [`Host::disconnect`].
    pub fn handle<H: Host>(
        &mut self,
        event: Event,
        now: Nanos,
        host: &mut H,
    ) -> Result<(), Refused> {
        let _ = (event, now, host);
        Ok(())
    }

    /// Moves into a larger storage and returns the old one; a storage too small for the domains is returned as it is.
    pub fn grow(&mut self, mut storage: S) -> S {
        let Some(old) = self.slots.get(..self.len) else {
            return storage;
        };
        let Some(new) = storage.get_mut(..self.len) else {
            return storage;
        };
        new.copy_from_slice(old);
        core::mem::replace(&mut self.slots, storage)
    }

    /// When a [`Tick`](Event::Tick) is due; perhaps earlier than anything happens, never later.
    pub fn next_deadline(&self) -> Option<Nanos> {
        self.next
    }

    /// What to write down about a domain.
    pub fn record(&self, _dom: DomId) -> Option<Record> {
        None
    }

    /// A domain, for knobs.
    pub fn domain(&self, _dom: DomId) -> Option<View> {
        None
    }

    /// All domains, in the order of their numbers.
    pub fn domains(&self) -> impl Iterator<Item = View> + '_ {
        core::iter::empty()
    }

    /// Pages that donors gave and nobody has taken; to be written down for [`Settings::pool`].
    pub fn pool(&self) -> u64 {
        0
    }

    /// What holds for all domains now.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Checks every rule of the ledger; slow, for tests and debugfs.
    ///
    /// # Errors
    ///
    /// The first rule found broken.
    pub fn check(&self) -> Result<(), Broken> {
        Ok(())
    }
}
