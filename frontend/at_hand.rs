// SPDX-License-Identifier: GPL-2.0

//! What is at hand for a next request: got on credit before anybody asks, or fetched together with
//! what somebody asked for.

use crate::{
    pages::Pages,
    session::Session,
    state::{
        State,
        AT_HAND, //
    }, //
};
use cmm::protocol::Up;
use kernel::sync::atomic::Relaxed;
use xen::timer::now;

impl Session {
    /// Gets memory on credit before anybody asks for it, so that a small request need not even
    /// trouble Xen.
    pub(crate) fn stock_up(&self) {
        self.change(|memory| {
            let wanted = {
                let mut state = self.state.lock();
                if !state.wants_stock() {
                    return;
                }
                let wanted = state.credit.min(AT_HAND) - state.at_hand;
                state.at_hand += wanted;
                wanted
            };
            let got = memory.stock_up(wanted as usize) as u64;
            if got < wanted {
                let mut state = self.state.lock();
                state.at_hand = state.at_hand.saturating_sub(wanted - got);
            }
        });
    }

    /// Gives back what is kept for a next request once there has been none for a while.
    pub(crate) fn tidy_up(&self) {
        if self.is_untidy(&self.state.lock()) {
            self.give_up_ahead();
        }
    }

    /// Gives back what is kept for a next request.
    pub(crate) fn give_up_ahead(&self) {
        let (id, epoch) = {
            let mut state = self.state.lock();
            (state.requests.next_id(), state.epoch)
        };
        if let Ok(pages @ 1..) = self.change_in(epoch, Pages::tidy_up) {
            // If Dom0 is gone, the next connection's claim tells it.
            let _ = self.send(epoch, &Up::Release { id, pages });
        }
    }

    /// Whether something is kept for a next request that does not come.
    pub(crate) fn is_untidy(&self, state: &State) -> bool {
        let unwanted = state.ahead.limit() == 0 && self.fetched_ahead.load(Relaxed) > 0;
        unwanted || (self.leftovers.load(Relaxed) && state.ahead.is_idle(now()))
    }

    /// Gives up `pages` of the credit, if there are as many; returns how many.
    pub(crate) fn revoke(&self, memory: &mut Pages, pages: u64) -> u64 {
        let (unused, excess) = {
            let mut state = self.state.lock();
            let unused = state.credit.min(pages);
            state.credit -= unused;
            let excess = state.at_hand.saturating_sub(state.credit);
            state.at_hand -= excess;
            (unused, excess)
        };
        memory.put_away(excess as usize);
        unused
    }

    /// Has nothing at hand any more.
    pub(crate) fn put_away(&self) {
        self.change(|memory| {
            self.state.lock().at_hand = 0;
            memory.put_away(usize::MAX);
        });
    }
}
