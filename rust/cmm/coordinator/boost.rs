// SPDX-License-Identifier: GPL-2.0

//! Whom a transfer waits for runs soon.
//!
//! A domain that sleeps is woken by the event that tells it something, and Xen's scheduler lets a domain that was
//! woken go first. One that waits for a CPU already is not woken by anything: it goes on waiting, behind all others
//! that do, for as long as they like to run.

use core::ops::DerefMut;

use super::host::{Activity, Host};
use super::slot::Slot;
use super::Coordinator;

impl<S: DerefMut<Target = [Slot]>> Coordinator<S> {
    /// Boosts a domain that has just been told something, or has told it, while somebody waits for it.
    pub(super) fn boost<H: Host>(&self, i: usize, host: &mut H) {
        let Some(slot) = self.slot(i).filter(|_| self.settings.boost) else {
            return;
        };
        if host.activity(slot.dom) == Some(Activity::Waiting) {
            host.boost(slot.dom);
        }
    }
}
