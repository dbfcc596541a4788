// SPDX-License-Identifier: GPL-2.0

//! The states that the halves of a device show each other.

use crate::bindings;

/// The state one half of a device shows the other (`enum xenbus_state`).
///
/// # Examples
///
/// A front-end that uses its device only while both halves are connected. All states are named, so
/// that none is forgotten.
///
/// ```
/// use xen::xenbus::XenbusState;
///
/// fn is_usable(other_half: XenbusState) -> bool {
///     match other_half {
///         XenbusState::Connected => true,
///         XenbusState::Unknown
///         | XenbusState::Initialising
///         | XenbusState::InitWait
///         | XenbusState::Initialised
///         | XenbusState::Closing
///         | XenbusState::Closed
///         | XenbusState::Reconfiguring
///         | XenbusState::Reconfigured => false,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XenbusState {
    /// The directory of the other half is gone, or its state cannot be read.
    Unknown,
    /// Just created by the toolstack.
    Initialising,
    /// The back-end waits for the front-end's details.
    InitWait,
    /// The front-end has published its details.
    Initialised,
    /// In use.
    Connected,
    /// The device is being taken down.
    Closing,
    /// The device has been taken down.
    Closed,
    /// Hot-plug states, of PCI only.
    Reconfiguring,
    /// Hot-plug states, of PCI only.
    Reconfigured,
}

impl XenbusState {
    /// The other half's state is a number that it wrote: whatever is no state is `Unknown`.
    pub(super) fn from_raw(state: bindings::xenbus_state) -> Self {
        match state {
            bindings::xenbus_state_XenbusStateInitialising => Self::Initialising,
            bindings::xenbus_state_XenbusStateInitWait => Self::InitWait,
            bindings::xenbus_state_XenbusStateInitialised => Self::Initialised,
            bindings::xenbus_state_XenbusStateConnected => Self::Connected,
            bindings::xenbus_state_XenbusStateClosing => Self::Closing,
            bindings::xenbus_state_XenbusStateClosed => Self::Closed,
            bindings::xenbus_state_XenbusStateReconfiguring => Self::Reconfiguring,
            bindings::xenbus_state_XenbusStateReconfigured => Self::Reconfigured,
            _ => Self::Unknown,
        }
    }

    pub(super) fn into_raw(self) -> bindings::xenbus_state {
        match self {
            Self::Unknown => bindings::xenbus_state_XenbusStateUnknown,
            Self::Initialising => bindings::xenbus_state_XenbusStateInitialising,
            Self::InitWait => bindings::xenbus_state_XenbusStateInitWait,
            Self::Initialised => bindings::xenbus_state_XenbusStateInitialised,
            Self::Connected => bindings::xenbus_state_XenbusStateConnected,
            Self::Closing => bindings::xenbus_state_XenbusStateClosing,
            Self::Closed => bindings::xenbus_state_XenbusStateClosed,
            Self::Reconfiguring => bindings::xenbus_state_XenbusStateReconfiguring,
            Self::Reconfigured => bindings::xenbus_state_XenbusStateReconfigured,
        }
    }
}
