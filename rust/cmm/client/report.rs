// SPDX-License-Identifier: GPL-2.0

//! When Dom0 is told how the domain fares.

use super::holdings::Holdings;
use super::lookout::Next;
use super::machine::Client;
use super::news::{News, INTERVAL};
use super::say::SendError;
use super::shell::Shell;
use crate::protocol::{Up, MAX_PAGES};
use crate::time::Nanos;

/// How the domain fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// What it has.
    pub has: Holdings,
    /// What its kernel could give without hurting itself, in pages, besides what was read ahead.
    pub spare: u64,
    /// What its kernel has promised its processes, in pages.
    pub committed: u64,
    /// By how much it is larger than its toolstack wants, by its balloon's books.
    pub above_target: i64,
    /// What its kernel manages, in pages.
    pub total_ram: u64,
    /// How often the balance has changed; it may wrap.
    pub moves: u32,
    /// Something is kept for a next request that could go back.
    pub has_leftovers: bool,
    /// For how long its CPUs have worked since it began, all together.
    pub busy: Nanos,
}

impl<S: Shell> Client<S> {
    /// In how many ns a [tick](Self::tick) is due, if anything runs then.
    pub fn tick_is_due_in(&self, now: Nanos) -> Nanos {
        self.lookout.due_in(now)
    }

    /// Says what is due, and lets the shell's thread run if there is something to be done. Returns
    /// when there is to be another tick; `None` if there is no connection, for the next begins with
    /// one.
    pub fn tick(&mut self, figures: &Figures, now: Nanos) -> Option<Next> {
        let wakes_thread = self.has_work_for_thread(figures, now);
        if let Some(wire) = self.connection.wire().filter(|_| wakes_thread) {
            wire.shell().wake_thread();
        }
        self.recall(&figures.has, now);
        self.catch_up();
        let told = self.report(figures, now);
        if matches!(told, Err(SendError::NotConnected | SendError::Broken)) {
            return None;
        }
        let mut next = self.lookout.look(figures.busy, now);
        if wakes_thread || told.is_err() || self.credit.untold() > 0 {
            // There is something left to be done, or to be said.
            next.within(INTERVAL);
        }
        if let Some(at) = self.due_at(figures, now) {
            next.within(at.saturating_sub(now).max(INTERVAL));
        }
        Some(next)
    }

    fn has_work_for_thread(&self, figures: &Figures, now: Nanos) -> bool {
        self.wants_to_prepopulate()
            || self.is_untidy(&figures.has, figures.has_leftovers, now)
            || self.largest.is_due(&figures.has, now)
            || figures.has.to_defer(figures.above_target) != 0
    }

    /// When something is due though nothing happens; `None` if nothing is.
    fn due_at(&self, figures: &Figures, now: Nanos) -> Option<Nanos> {
        let untidy = figures.has_leftovers.then(|| self.readahead.idle_at());
        let above = self.largest.due_at(&figures.has);
        let recall = self.recall_due_at(&figures.has);
        // Until then Dom0 is told less than there is.
        let refusal = self.refusal.ends_at(now);
        [untidy, above, recall, refusal].into_iter().flatten().min()
    }

    fn report(&mut self, figures: &Figures, now: Nanos) -> Result<(), SendError> {
        if !self.stage().has_claimed() {
            return Err(SendError::NotConnected);
        }
        let (moves, epoch) = (figures.moves, self.epoch());
        let room = self.refusal.room(figures.committed, now);
        let available = figures
            .spare
            .min(room)
            .saturating_add(figures.has.readahead);
        if !self.news.is_any(available, moves, epoch) {
            return Ok(());
        }
        // Of a domain beyond what a message can name, Dom0 hears as much as one can.
        self.say(&Up::Stats {
            available: available.min(MAX_PAGES),
            size: figures.has.size().min(MAX_PAGES),
            total_ram: figures.total_ram.min(MAX_PAGES),
        })?;
        self.news = News::told(available, moves, epoch);
        Ok(())
    }

    /// Whether something is kept for a next request that does not come, or may not be kept.
    pub fn is_untidy(&self, has: &Holdings, has_leftovers: bool, now: Nanos) -> bool {
        let unwanted = self.readahead.limit() == 0 && has.readahead > 0;
        unwanted || (has_leftovers && self.readahead.is_idle(now))
    }
}
