// SPDX-License-Identifier: GPL-2.0

//! The states of a connection.
//!
//! ===========  ==========  ===============  ===========  ============  ==========
//! from         ``Begin``   ``Establish``    ``HangUp``   ``BreakOff``  ``Report``
//! ===========  ==========  ===============  ===========  ============  ==========
//! ``Closed``   Opening     -                Closed       -             -
//! ``Opening``  -           Open             Closed       Broken        -
//! ``Open``     -           -                Closed       Broken        -
//! ``Broken``   Opening     -                Broken       -             Closed
//! ===========  ==========  ===============  ===========  ============  ==========
//!
//! What is not in the table (-) is refused, and changes nothing. `HangUp` may come at any time,
//! because xenbus says more than once that the other side is gone. It leaves `Broken` what it is,
//! since nobody has been told of the fault; only the first fault of a connection is kept.

use super::shell::Shell;
use super::wire::Wire;
use crate::protocol::Violation;

/// How a front-end stands with Dom0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is no connection.
    Closed,
    /// Dom0 is being told of the balance, and of where the ring is. It may ask for something, and
    /// be answered, before it shows that it has connected.
    Opening,
    /// Both sides have connected: requests may be sent.
    Open,
    /// Dom0 has broken the protocol and is believed nothing any more, and nobody has been told so.
    Broken,
}

/// What may happen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The shell begins a connection.
    Begin,
    /// The back-end shows that it has connected.
    Establish,
    /// It is over: one side goes.
    HangUp,
    /// Dom0 breaks the protocol.
    BreakOff,
    /// The shell reports what Dom0 did.
    Report,
}

impl Stage {
    /// All.
    pub const ALL: [Self; 4] = [Self::Closed, Self::Opening, Self::Open, Self::Broken];

    /// Where a change leads; `None` if it makes no sense in this stage.
    pub const fn after(self, change: Change) -> Option<Self> {
        match (self, change) {
            (Self::Closed | Self::Broken, Change::Begin) => Some(Self::Opening),
            (Self::Opening, Change::Establish) => Some(Self::Open),
            (Self::Closed | Self::Opening | Self::Open, Change::HangUp) => Some(Self::Closed),
            (Self::Broken, Change::HangUp) => Some(Self::Broken),
            (Self::Opening | Self::Open, Change::BreakOff) => Some(Self::Broken),
            (Self::Broken, Change::Report) => Some(Self::Closed),
            (Self::Opening | Self::Open, Change::Begin)
            | (Self::Closed | Self::Open | Self::Broken, Change::Establish)
            | (Self::Closed | Self::Broken, Change::BreakOff)
            | (Self::Closed | Self::Opening | Self::Open, Change::Report) => None,
        }
    }

    /// Whether there is a connection, or one being made: Dom0 has been told of the balance, or is
    /// about to be.
    pub const fn has_claimed(self) -> bool {
        matches!(self, Self::Opening | Self::Open)
    }
}

impl Change {
    /// All.
    pub const ALL: [Self; 5] = [
        Self::Begin,
        Self::Establish,
        Self::HangUp,
        Self::BreakOff,
        Self::Report,
    ];
}

/// The change makes no sense in this stage. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub Stage, pub Change);

/// A connection, in its stage.
#[derive(Debug)]
pub(super) enum Connection<S> {
    Closed,
    Opening(Wire<S>),
    Open(Wire<S>),
    Broken(Violation),
}

impl<S: Shell> Connection<S> {
    pub(super) fn stage(&self) -> Stage {
        match self {
            Self::Closed => Stage::Closed,
            Self::Opening(_) => Stage::Opening,
            Self::Open(_) => Stage::Open,
            Self::Broken(_) => Stage::Broken,
        }
    }

    /// This end, if there is a connection.
    pub(super) fn wire(&self) -> Option<&Wire<S>> {
        match self {
            Self::Opening(wire) | Self::Open(wire) => Some(wire),
            Self::Closed | Self::Broken(_) => None,
        }
    }

    pub(super) fn wire_mut(&mut self) -> Option<&mut Wire<S>> {
        match self {
            Self::Opening(wire) | Self::Open(wire) => Some(wire),
            Self::Closed | Self::Broken(_) => None,
        }
    }

    fn check(&self, change: Change) -> Result<(), Refused> {
        match self.stage().after(change) {
            Some(_) => Ok(()),
            None => Err(Refused(self.stage(), change)),
        }
    }

    pub(super) fn begin(&mut self, shell: S) -> Result<(), Refused> {
        self.check(Change::Begin)?;
        *self = Self::Opening(Wire::new(shell));
        Ok(())
    }

    pub(super) fn establish(&mut self) -> Result<(), Refused> {
        self.check(Change::Establish)?;
        if let Some(wire) = self.close() {
            *self = Self::Open(wire);
        }
        Ok(())
    }

    /// Returns what is left of the connection, if there was one.
    pub(super) fn hang_up(&mut self) -> Option<Wire<S>> {
        match self.stage() {
            Stage::Broken => None,
            Stage::Closed | Stage::Opening | Stage::Open => self.close(),
        }
    }

    /// Returns what is left of the connection.
    pub(super) fn break_off(&mut self, why: Violation) -> Result<Option<Wire<S>>, Refused> {
        self.check(Change::BreakOff)?;
        let wire = self.close();
        *self = Self::Broken(why);
        Ok(wire)
    }

    pub(super) fn report(&mut self) -> Result<Violation, Refused> {
        match *self {
            Self::Broken(why) => {
                *self = Self::Closed;
                Ok(why)
            }
            Self::Closed | Self::Opening(_) | Self::Open(_) => {
                Err(Refused(self.stage(), Change::Report))
            }
        }
    }

    fn close(&mut self) -> Option<Wire<S>> {
        match core::mem::replace(self, Self::Closed) {
            Self::Opening(wire) | Self::Open(wire) => Some(wire),
            Self::Closed | Self::Broken(_) => None,
        }
    }
}
