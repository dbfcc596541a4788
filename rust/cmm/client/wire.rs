// SPDX-License-Identifier: GPL-2.0

//! This end of a connection: the shared page, with both lanes, and the event channel.

use super::shell::Shell;
use crate::protocol::layout::{DOWN, UP};
use crate::protocol::{Down, Up, Violation};
use crate::ring::{Consumer, Producer, PushError};

/// This end of a connection.
#[derive(Debug)]
pub(super) struct Wire<S> {
    shell: S,
    up: Producer,
    down: Consumer,
    /// Dom0 has not been woken for the last message.
    unheard: bool,
}

impl<S: Shell> Wire<S> {
    /// Over a fresh page.
    pub(super) fn new(shell: S) -> Self {
        Self {
            shell,
            up: Producer::new(UP),
            down: Consumer::new(DOWN),
            unheard: false,
        }
    }

    pub(super) fn shell(&self) -> &S {
        &self.shell
    }

    /// Puts a message in the lane up, leaving free what its kind must leave.
    pub(super) fn push(&mut self, message: &Up) -> Result<(), PushError> {
        let (page, free) = (self.shell.page(), message.leaves_free());
        self.up.push_leaving(page, &message.encode(), free)?;
        self.unheard = true;
        Ok(())
    }

    /// Takes the next message out of the lane down, if there is one.
    pub(super) fn pop(&mut self) -> Result<Option<Down>, Violation> {
        match self.down.pop(self.shell.page())? {
            Some(bytes) => Down::decode(&bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Wakes Dom0 if there is a message that it has not been woken for.
    pub(super) fn be_heard(&mut self) {
        if core::mem::take(&mut self.unheard) {
            self.shell.notify();
        }
    }
}

/// A connection that is over. What it told Dom0 may still have to be acted on.
#[derive(Debug)]
pub struct Remains<S>(pub(super) Wire<S>);

impl<S: Shell> Remains<S> {
    /// Whether there is nothing that Dom0 has yet to act on.
    pub fn is_drained(&mut self) -> bool {
        // What Dom0 makes of an index that it cannot have written is its own business now.
        let wire = &mut self.0;
        wire.up.is_drained(wire.shell.page()).unwrap_or(true)
    }
}
