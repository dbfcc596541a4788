// SPDX-License-Identifier: GPL-2.0

//! Memory: what goes back to Xen because nobody here wants it.

use crate::{
    errors::refused,
    pages::Pages,
    session::Session, //
};
use cmm::{
    client::{
        SendError,
        Ticket, //
    },
    timing::Stopwatch, //
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed,
    time::delay::fsleep,
    time::Delta, //
};
use xen::{
    timer::now,
    trace, //
};

impl Session {
    /// Gives back `pages` of what was borrowed.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: that is more than was borrowed;
    /// - `ENODEV`: there is no connection;
    /// - `EAGAIN`: the kernel cannot spare that much now; what it could spare has been given back.
    pub(crate) fn release(&self, pages: u64) -> Result {
        self.give_back(pages).and_then(|given| all(given, pages))
    }

    /// As [`Session::release`], for what the domain got by itself. Returns how many went back: what
    /// the kernel needs after all is kept.
    pub(crate) fn give_back(&self, pages: u64) -> Result<u64> {
        self.release_by(pages, |memory, pages| {
            memory.give_borrowed(pages, || !self.is_leaving())
        })
    }

    /// As [`Session::give_back`], no longer than until then.
    pub(crate) fn give_back_until(&self, until: u64, pages: u64) -> Result<u64> {
        self.release_by(pages, |memory, pages| {
            memory.give_borrowed(pages, || now() < until)
        })
    }

    /// Gives back what the domain has borrowed too much, for it is larger with that than its toolstack
    /// lets it be.
    pub(crate) fn return_above_largest(&self) {
        let pages = self.client.lock().above_largest(&self.holdings());
        if pages > 0 {
            let given = self.give_back(pages).unwrap_or(0);
            self.client.lock().returned_above_largest(given, now());
        }
    }

    /// As [`Session::release`], in a domain whose processes are all frozen.
    pub(crate) fn release_frozen(&self, pages: u64) -> Result {
        self.release_by(pages, Pages::give_frozen)
            .and_then(|given| all(given, pages))
    }

    fn release_by(&self, pages: u64, give: impl FnOnce(&mut Pages, u64) -> u64) -> Result<u64> {
        if self.is_orphan() {
            return Err(ENODEV);
        }
        let has = self.holdings();
        let ticket = self.client.lock().release(pages, &has).map_err(refused)?;
        let given = self.change_in(ticket.epoch, |memory| {
            // Another may have been quicker.
            let has = memory.holdings();
            let pages = pages.min(has.borrowed());
            let given = give(memory, pages.min(has.in_use()));
            // What was read ahead is not what somebody is done with, but it is borrowed, too.
            given + memory.give_readahead(pages - given, &mut Stopwatch::default())
        })?;
        trace::front_release(pages, given);
        self.tell_released(ticket, given);
        Ok(given)
    }

    /// Gives back what is kept for a next request once there has been none for a while.
    pub(crate) fn tidy_up(&self) {
        let (has, leftovers) = (self.holdings(), self.has_leftovers.load(Relaxed));
        let is_untidy = self.client.lock().is_untidy(&has, leftovers, now());
        if is_untidy {
            self.give_up_readahead();
        }
    }

    /// Gives back what is kept for a next request.
    pub(crate) fn give_up_readahead(&self) {
        let ticket = self.client.lock().release_readahead();
        if let Ok(pages) = self.change_in(ticket.epoch, Pages::tidy_up) {
            if pages > 0 {
                trace::front_release(pages, pages);
            }
            self.tell_released(ticket, pages);
        }
    }

    /// Tells Dom0 what went back, if anything did, and waits for room if there is none. If none comes,
    /// the connection is over: what Dom0 has not been told, the next one's claim tells it.
    fn tell_released(&self, ticket: Ticket, pages: u64) {
        if pages == 0 {
            return;
        }
        let mut tried = 0;
        while !self.has_tried(tried) {
            let sent = self.client.lock().released(ticket, pages);
            if sent != Err(SendError::Full) {
                return;
            }
            tried += 1;
            fsleep(Delta::from_millis(1));
        }
        self.client.lock().stalled(ticket);
    }
}

/// Whether all that was to be given has been.
fn all(given: u64, pages: u64) -> Result {
    if given < pages {
        return Err(EAGAIN);
    }
    Ok(())
}
