// SPDX-License-Identifier: GPL-2.0

//! What the client hears from Dom0.

use super::demands::Demand;
use super::machine::Client;
use super::requests::Answer;
use super::shell::Shell;
use crate::protocol::{Down, Up, Violation};
use crate::time::Nanos;

impl<S: Shell> Client<S> {
    /// Takes all messages out of the lane down. Returns how many there were: whoever waits may have
    /// an [outcome](Self::outcome) now. If Dom0 breaks the protocol, the connection is over.
    pub fn drain(&mut self, now: Nanos) -> usize {
        let mut count = 0;
        loop {
            let Some(wire) = self.connection.wire_mut() else {
                return count;
            };
            let heard = match wire.pop() {
                Ok(None) => return count,
                Ok(Some(message)) => self.hear(message, now),
                Err(why) => Err(why),
            };
            count += 1;
            if let Err(why) = heard {
                self.break_off(why);
            }
        }
    }

    fn hear(&mut self, message: Down, now: Nanos) -> Result<(), Violation> {
        match message {
            Down::Grant { id, pages, reason } => {
                let at = now;
                let answer = Answer { pages, reason, at };
                let unwanted = self.requests.answer(id, answer)?;
                if unwanted && pages > 0 {
                    // If the connection is over, the next one's claim tells.
                    let _ = self.answer_with(&Up::Took { id, pages: 0 }, true);
                }
            }
            Down::Reclaim { id, pages, urgency } => self.demands.push(Demand::Reclaim {
                serial: id,
                pages,
                urgency,
                at: now,
            })?,
            Down::Give { id, pages } => self.demands.push(Demand::Give { serial: id, pages })?,
            Down::Revoke { id, pages } => {
                self.demands.push(Demand::Revoke { serial: id, pages })?;
            }
            Down::Credit { pages } => self.credit.extend(pages),
            Down::Limits { ceiling, .. } => self.ceiling = ceiling,
        }
        Ok(())
    }
}
