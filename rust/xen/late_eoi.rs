// SPDX-License-Identifier: GPL-2.0

//! Who tells Linux the end of an interrupt, and when: the handler, or the thread that it leaves
//! work to. Pure, so that every order can be tried in which they run: the words are atomic ones of
//! whoever uses this.
//!
//! Linux masks a channel when an event comes, and unmasks it when it is told the end. The handler
//! runs once at a time, and so does the thread; but both may run at once, and whoever asks for the
//! thread may do so at any time. With `threadirqs` Linux calls the handler for that, too, without
//! an event, and nobody can tell the one call from the other.
//!
//! ===========  ==========================================================================
//! owed         meaning
//! ===========  ==========================================================================
//! ``NOTHING``  the channel is unmasked, or whoever runs for it is about to tell the end
//! ``LEFT``     the end is left to the thread, which has been woken for that
//! ``TAKEN``    the thread is at it
//! ``MUTED``    nobody tells it any more
//! ===========  ==========================================================================
//!
//! Only the handler makes `LEFT` of `NOTHING`, and only the thread goes on from there. Either makes
//! `MUTED` of anything, which stays.

/// What came of an event. [`EventChannel`](crate::event_channel::EventChannel) has an example of
/// its use.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Something was done.
    Handled,
    /// There was nothing to do.
    Spurious,
    /// The rest is left for the handler's thread, and no event is handled before that has
    /// returned: what the thread has not done yet cannot become more. When the thread itself says
    /// so, it is called again.
    WakeThread,
    /// As [`WakeThread`](Self::WakeThread), but events are handled meanwhile. For a peer that
    /// would not drown this domain in them.
    WakeThreadAndListen,
    /// The peer breaks the protocol: the channel stays masked, and no event is handled any more.
    Mute,
}

/// An atomic word.
pub(crate) trait Word {
    /// Reads it, ordered before everything that follows (acquire).
    fn load(&self) -> u32;

    /// Writes it, ordered after everything that precedes (release).
    fn store(&self, value: u32);

    /// Writes it, and returns what it was, ordered after what precedes and before what follows.
    fn swap(&self, value: u32) -> u32;

    /// Writes it if it is `from`, ordered as [`swap`](Self::swap). Returns whether it was.
    fn replace(&self, from: u32, to: u32) -> bool;
}

const NOTHING: u32 = 0;
const LEFT: u32 = 1;
const TAKEN: u32 = 2;
const MUTED: u32 = 3;

/// What is owed to Linux for a channel, and to whoever has asked for its thread.
pub(crate) struct LateEoi<W> {
    owed: W,
    /// Somebody has asked for the thread, other than the handler.
    asked: W,
}

impl<W: Word> LateEoi<W> {
    /// Of words that are 0.
    pub(crate) const fn new(owed: W, asked: W) -> Self {
        Self { owed, asked }
    }

    /// Somebody wants the thread to run, and has Linux wake it after this: it may be the handler
    /// that Linux calls.
    pub(crate) fn ask(&self) {
        // Written by swaps only, of which each knows the one before it.
        self.asked.swap(1);
    }

    /// Linux calls the handler, for an event or because somebody has asked. `end` tells Linux the
    /// end, or that of none, which changes nothing; and whether there was nothing to do. Returns
    /// whether Linux is to wake the thread.
    pub(crate) fn handle(&self, handle: impl FnOnce() -> Outcome, end: impl FnOnce(bool)) -> bool {
        let is_asked = self.asked.swap(0) != 0;
        match self.owed.load() {
            NOTHING => (),
            MUTED => return is_asked,
            // The thread has it all.
            _ => return true,
        }
        let outcome = handle();
        match outcome {
            Outcome::Mute => {
                self.owed.swap(MUTED);
            }
            // Unless the thread has just muted it.
            Outcome::WakeThread => {
                self.owed.replace(NOTHING, LEFT);
            }
            Outcome::Spurious => end(!is_asked),
            Outcome::Handled | Outcome::WakeThreadAndListen => end(false),
        }
        is_asked || matches!(outcome, Outcome::WakeThread | Outcome::WakeThreadAndListen)
    }

    /// Linux has woken the thread, which does its `work` until that is done, and tells the end if
    /// that was left to it.
    pub(crate) fn run(&self, mut work: impl FnMut() -> Outcome, end: impl FnOnce(bool)) {
        // Only what was left when the thread was woken is done when it comes back.
        let owes_end = self.owed.replace(LEFT, TAKEN);
        // Whoever has asked before this has its work done now; whoever asks later has Linux wake
        // somebody. To write it without having read it would be to miss the one between.
        self.asked.swap(0);
        let outcome = loop {
            match work() {
                Outcome::WakeThread | Outcome::WakeThreadAndListen => (),
                outcome => break outcome,
            }
        };
        if outcome == Outcome::Mute {
            self.owed.swap(MUTED);
        } else if owes_end {
            // The next event may come before this returns, and must find nothing owed.
            self.owed.store(NOTHING);
            end(outcome == Outcome::Spurious);
        }
    }
}
