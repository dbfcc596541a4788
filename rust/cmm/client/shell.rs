// SPDX-License-Identifier: GPL-2.0

//! What the client needs of its shell.

use crate::ring::Memory;

/// The shell's end of one connection.
///
/// The client may be called under a spinlock: no method may sleep.
pub trait Shell {
    /// How the shared page is accessed.
    type Page: Memory;

    /// The shared page, zeroed when the connection began.
    fn page(&self) -> &Self::Page;

    /// Sends Dom0 an event.
    fn notify(&self);

    /// Lets the shell's thread run: it carries out demands, prepopulates, gives back what nobody
    /// wants any more, and reports what Dom0 did wrong.
    fn wake_thread(&self);

    /// Whether the back-end understands that a request is cancelled (`feature-cancel`).
    fn is_told_to_cancel(&self) -> bool;
}
