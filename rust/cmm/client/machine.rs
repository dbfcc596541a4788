// SPDX-License-Identifier: GPL-2.0

//! The client itself, and its connections.

use super::commitment::Refusal;
use super::connection::{Connection, Refused, Stage};
use super::credit::Credit;
use super::demands::Demands;
use super::largest::Largest;
use super::lookout::Lookout;
use super::news::News;
use super::readahead::Readahead;
use super::recall::Recall;
use super::requests::Requests;
use super::shell::Shell;
use super::wire::Remains;
use crate::protocol::Violation;

/// How things stand between a front-end and Dom0. Outlives connections.
#[derive(Debug)]
pub struct Client<S> {
    pub(super) connection: Connection<S>,
    /// Counts connections, so that what began in one is not ended in a later one.
    epoch: u32,
    pub(super) requests: Requests,
    pub(super) demands: Demands,
    pub(super) credit: Credit,
    pub(super) readahead: Readahead,
    pub(super) news: News,
    pub(super) lookout: Lookout,
    pub(super) recall: Recall,
    /// By its kernel, to have less memory.
    pub(super) refusal: Refusal,
    /// What Dom0 last said this domain's largest size is, in pages.
    pub(super) ceiling: u64,
    pub(super) largest: Largest,
    /// The domain is about to be saved: what it populates now would be in its image.
    pub(super) suspending: bool,
}

impl<S> Client<S> {
    /// There is no connection yet.
    pub const fn new() -> Self {
        Self {
            connection: Connection::Closed,
            epoch: 0,
            requests: Requests::new(),
            demands: Demands::new(),
            credit: Credit::new(),
            readahead: Readahead::by_default(),
            news: News::new(),
            lookout: Lookout::new(),
            recall: Recall::new(),
            refusal: Refusal::none(),
            ceiling: u64::MAX,
            largest: Largest::new(),
            suspending: false,
        }
    }
}

impl<S> Default for Client<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Shell> Client<S> {
    /// Begins a connection over a fresh page. The domain's balance must not change until it has
    /// been read for the claim.
    ///
    /// # Errors
    ///
    /// There is one already.
    pub fn begin(&mut self, shell: S) -> Result<(), Refused> {
        self.connection.begin(shell)?;
        self.recall.go_on();
        self.epoch = self.epoch.wrapping_add(1);
        Ok(())
    }

    /// The back-end shows that it has connected, too.
    ///
    /// # Errors
    ///
    /// There is no connection being made: it may have been broken off already.
    pub fn establish(&mut self) -> Result<(), Refused> {
        self.connection.establish()
    }

    /// Ends the connection. Whoever waits for an answer learns that there is none. What is left of
    /// it is to be dropped without the shell's lock.
    pub fn hang_up(&mut self) -> Option<Remains<S>> {
        let wire = self.connection.hang_up()?;
        self.forget();
        Some(Remains(wire))
    }

    /// Dom0 breaks the protocol: believes it nothing any more. The shell's thread is to report it.
    /// Nothing happens if there is no connection.
    pub fn break_off(&mut self, why: Violation) {
        if let Ok(Some(wire)) = self.connection.break_off(why) {
            self.forget();
            wire.shell().wake_thread();
        }
    }

    /// What Dom0 did wrong, once.
    ///
    /// # Errors
    ///
    /// It did nothing wrong that has not been reported.
    pub fn report_fault(&mut self) -> Result<Violation, Refused> {
        self.connection.report()
    }

    /// Forgets all that belongs to the connection.
    fn forget(&mut self) {
        self.requests.lose_all();
        self.demands = Demands::new();
        self.credit.end();
    }

    /// How the connection stands.
    pub fn stage(&self) -> Stage {
        self.connection.stage()
    }

    /// Whether requests may be sent.
    pub fn is_open(&self) -> bool {
        self.stage() == Stage::Open
    }

    /// Which connection this is. What changes the domain's memory for Dom0 may do so only as long
    /// as it is the same: a later one has made a claim without that change.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The shell's end of the connection, if there is one.
    pub fn shell(&self) -> Option<&S> {
        Some(self.connection.wire()?.shell())
    }

    /// Requests that have not come to their end.
    pub fn open_requests(&self) -> usize {
        self.requests.len()
    }

    /// Demands that have not been answered.
    pub fn open_demands(&self) -> usize {
        self.demands.len()
    }

    /// Pages that may be taken without asking.
    pub fn credit(&self) -> u64 {
        self.credit.left()
    }

    /// Pages taken on credit of which Dom0 does not know.
    pub fn untold(&self) -> u64 {
        self.credit.untold()
    }

    /// The most that is fetched for a request for less, in pages; 0 for never more than it is for.
    pub fn readahead_limit(&self) -> u64 {
        self.readahead.limit()
    }

    /// Sets the [limit](Self::readahead_limit).
    pub fn set_readahead_limit(&mut self, pages: u64) {
        self.readahead.set_limit(pages);
    }

    /// Whether the domain is about to be saved.
    pub fn is_suspending(&self) -> bool {
        self.suspending
    }

    /// The domain is about to be saved, or goes on after all.
    pub fn set_suspending(&mut self, suspending: bool) {
        self.suspending = suspending;
        if !suspending {
            self.recall.go_on();
        }
    }
}
