// SPDX-License-Identifier: GPL-2.0

//! When Dom0 is told how the domain fares.

use super::holdings::Holdings;
use super::machine::Client;
use super::news::News;
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
}

impl<S: Shell> Client<S> {
    /// Says what is due, and lets the shell's thread run if there is something to be done. Returns
    /// whether there is to be another tick after [`INTERVAL`](super::INTERVAL); if not, the next
    /// connection begins with one.
    pub fn tick(&mut self, figures: &Figures, now: Nanos) -> bool {
        if self.wants_to_prepopulate()
            || self.is_untidy(&figures.has, figures.has_leftovers, now)
            || self.largest.is_due(&figures.has, now)
            || figures.has.to_defer(figures.above_target) != 0
        {
            if let Some(wire) = self.connection.wire() {
                wire.shell().wake_thread();
            }
        }
        self.recall(&figures.has, now);
        self.catch_up();
        match self.report(figures, now) {
            Ok(()) | Err(SendError::Full) => true,
            Err(SendError::NotConnected | SendError::Broken) => false,
        }
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
