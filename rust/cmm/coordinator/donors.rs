// SPDX-License-Identifier: GPL-2.0

//! Donors: who is asked, and what becomes of their answers.

use core::ops::DerefMut;

use super::host::Host;
use super::ledger::{signed, Fault};
use super::policy::{best, ready_first, share_out, Candidate, Need};
use super::slot::{Ask, Purpose, Request, Slot};
use super::Coordinator;
use crate::protocol::{Down, RequestReason, Urgency, Violation, COORDINATOR_ID, MAX_ASKS};
use crate::time::{Nanos, MILLISECOND, SECOND};
use crate::DomId;

/// How long a domain is left alone that was found paused.
const PAUSE: Nanos = 100 * MILLISECOND;

/// How long a domain is left alone after `times` disappointments in a row.
pub(super) fn backoff(times: u8) -> Nanos {
    (100 * MILLISECOND)
        .saturating_mul(1 << times.min(10))
        .min(60 * SECOND)
}

impl<S: DerefMut<Target = [Slot]>> Coordinator<S> {
    /// Asks donors for what a request lacks. `false` if there is none to wait for.
    pub(super) fn ask_donors<H: Host>(
        &mut self,
        i: usize,
        request: &Request,
        now: Nanos,
        host: &mut H,
    ) -> bool {
        let Some(slot) = self.slot(i) else {
            return false;
        };
        let need = Need {
            pages: request.lacks(),
            recall: slot.owed(),
        };
        let urgent = request.reason == RequestReason::Emergency || need.recall > 0;
        let urgency = if urgent {
            Urgency::Urgent
        } else {
            Urgency::Normal
        };
        let purpose = Purpose::Request {
            dom: slot.dom,
            order: request.order,
        };
        let asked = self.ask_several(need, purpose, urgency, now, host);
        self.charge(i, asked.pages, now);
        if let Some(request) = self
            .slot_mut(i)
            .and_then(|slot| slot.request_mut(request.id))
        {
            request.asks = request.asks.saturating_add(asked.asked);
        }
        if asked.asked == 0 && asked.stale > 0 {
            // What we believed about them was old. Now we know better, and others may do.
            self.mark_ready(i);
        }
        if asked.asked > 0 || asked.stale > 0 {
            return true;
        }
        let until = self.crowded_until(i, need, now);
        if let Some(until) = until {
            self.crowded = true;
            self.wake(until);
        }
        until.is_some()
    }

    /// Until when somebody may answer who could give what `i` needs, and is asked for so much already that no further
    /// question has room. An answer that is late may never come, and is not waited for.
    fn crowded_until(&self, i: usize, need: Need, now: Nanos) -> Option<Nanos> {
        let timeout = self.settings.donor_timeout;
        let others = self.live().iter().enumerate().filter(|(j, _)| *j != i);
        let crowded = others.map(|(_, slot)| slot).filter(|slot| {
            let recallable = need.recall > 0 && slot.recallable() > 0;
            is_willing(slot, now) && !slot.has_room_to_ask() && (slot.spare() > 0 || recallable)
        });
        let asks = crowded.flat_map(|slot| slot.asks.iter().flatten());
        asks.filter(|ask| !ask.purpose.is_late())
            .map(|ask| ask.since.saturating_add(timeout))
            .filter(|due| *due > now)
            .max()
    }

    /// Asks those whom the policy picks.
    pub(super) fn ask_several<H: Host>(
        &mut self,
        need: Need,
        purpose: Purpose,
        urgency: Urgency,
        now: Nanos,
        host: &mut H,
    ) -> Asked {
        let requester = match purpose {
            Purpose::Request { dom, .. } => Some(dom),
            _ => None,
        };
        let candidates = self.live().iter().enumerate();
        let candidates = candidates
            .filter(|(_, slot)| may_be_asked(slot, now) && Some(slot.dom) != requester)
            .filter(|(_, slot)| purpose != Purpose::Reserve || slot.fill_after <= now)
            .map(|(index, slot)| Candidate {
                index,
                spare: slot.spare(),
                recallable: if need.recall > 0 {
                    slot.recallable()
                } else {
                    0
                },
                readiness: slot.readiness,
            });
        let policy = self.settings.policy;
        let mut best = best(need, candidates);
        let mut asked = Asked::default();
        if self.settings.ask_ready {
            let (ready, absent) =
                ready_first(policy, need, &best, |i| host.activity(self.slot(i)?.dom));
            for (_, paused) in absent.iter() {
                asked.stale += 1;
                self.leave_alone(paused, now);
            }
            best = ready;
        }
        for (donor, pages) in share_out(policy, need, &best) {
            if pages == 0 {
                continue;
            }
            match self.ask(donor, pages, purpose, urgency, now, host) {
                Ok(0) => asked.stale += 1,
                Ok(pages) => {
                    asked.asked += 1;
                    asked.pages = asked.pages.saturating_add(pages);
                }
                Err(fault) => {
                    asked.stale += 1;
                    self.settle_fault(donor, Err(fault), host);
                }
            }
        }
        asked
    }

    /// Has others asked for a while than a domain that cannot answer now: it would hide them if it has more to spare.
    fn leave_alone(&mut self, i: usize, now: Nanos) {
        if let Some(slot) = self.slot_mut(i) {
            slot.shy_until = slot.shy_until.max(now.saturating_add(PAUSE));
        }
    }

    /// Asks one domain for up to `pages`, as far as its floor allows by Xen's word. Returns how many.
    pub(super) fn ask<H: Host>(
        &mut self,
        i: usize,
        pages: u64,
        purpose: Purpose,
        urgency: Urgency,
        now: Nanos,
        host: &mut H,
    ) -> Result<u64, Fault> {
        self.look(i, host)?;
        let pages = pages.min(self.slot(i).ok_or(Fault::Gone)?.above_floor());
        if pages == 0 {
            return Ok(0);
        }
        let id = self.remember_ask(i, pages, purpose, now)?;
        let slot = self.slot_mut(i).ok_or(Fault::Gone)?;
        slot.reclaiming = slot.reclaiming.saturating_add(pages);
        if purpose == Purpose::Reserve {
            self.filling = self.filling.saturating_add(pages);
        }
        self.wake(now.saturating_add(self.settings.donor_timeout));
        let message = Down::Reclaim { id, pages, urgency };
        if let Err(fault) = self.send(i, &message, host) {
            // It was never asked, so nobody waits for its answer.
            self.forget_ask(i, id);
            return Err(fault);
        }
        if matches!(purpose, Purpose::Request { .. }) {
            self.donor_asked(i, pages, now, host);
        }
        Ok(pages)
    }

    /// Writes a question down; the caller has made sure that there is room for it.
    pub(super) fn remember_ask(
        &mut self,
        i: usize,
        pages: u64,
        purpose: Purpose,
        now: Nanos,
    ) -> Result<u32, Fault> {
        // One more try than there can be ids in use.
        let slot = self.slot(i).ok_or(Fault::Gone)?;
        let mut id = self.last_ask;
        for _ in 0..=MAX_ASKS {
            id = COORDINATOR_ID | id.wrapping_add(1);
            if !slot.asks.iter().flatten().any(|ask| ask.id == id) {
                break;
            }
        }
        self.last_ask = id;
        let slot = self.slot_mut(i).ok_or(Fault::Gone)?;
        let place = slot.asks.iter_mut().find(|place| place.is_none());
        *place.ok_or(Fault::Gone)? = Some(Ask {
            id,
            pages,
            since: now,
            purpose,
        });
        slot.asked = slot.asked.saturating_add(1);
        Ok(id)
    }

    fn forget_ask(&mut self, i: usize, id: u32) {
        let Some(slot) = self.slot_mut(i) else { return };
        if let Some(ask) = slot.take_ask(id, Purpose::is_reclaim) {
            slot.reclaiming = slot.reclaiming.saturating_sub(ask.pages);
            if ask.purpose == Purpose::Reserve {
                self.filling = self.filling.saturating_sub(ask.pages);
            }
        }
    }

    /// A donor answers.
    pub(super) fn offered<H: Host>(
        &mut self,
        i: usize,
        id: u32,
        pages: u64,
        now: Nanos,
        host: &mut H,
    ) -> Result<(), Fault> {
        let slot = self.slot(i).ok_or(Fault::Gone)?;
        let mut asks = slot.asks.iter().flatten();
        let ask = *asks
            .find(|ask| ask.id == id && !ask.purpose.is_give())
            .ok_or(Violation::Unasked(id))?;
        if ask.purpose == Purpose::Revoke {
            return self.returned(i, &ask, pages, host);
        }
        check_answer(id, pages, ask.pages)?;
        self.lower(i, pages, host)?;
        self.forget_ask(i, id);
        self.move_balance(i, signed(pages).saturating_neg());
        self.judge_donor(i, &ask, pages, now);
        match ask.purpose {
            Purpose::TakeByHand => self.set_adrift(pages),
            Purpose::Request { dom, order } => {
                self.put_free(pages);
                self.answered_for(dom, order);
            }
            _ => self.put_free(pages),
        }
        Ok(())
    }

    /// Remembers how well a donor did, so that the next request does not run into the same wall.
    fn judge_donor(&mut self, i: usize, ask: &Ask, pages: u64, now: Nanos) {
        let Some(slot) = self.slot_mut(i) else { return };
        slot.available = slot.available.saturating_sub(pages);
        let background = ask.purpose.is_background();
        if pages == ask.pages {
            slot.set_penalty(0);
            slot.refused = if background { 0 } else { slot.refused };
            return;
        }
        if background {
            // It gave what was free. For a request it would reclaim more, so that is not to be held against it.
            slot.fill_after = now.saturating_add(backoff(slot.refused));
            slot.refused = slot.refused.saturating_add(1);
            return;
        }
        // It gave all it could: believe that until its next statistics.
        slot.available = 0;
        if pages < ask.pages / 2 {
            self.penalise(i, now);
        }
    }

    pub(super) fn penalise(&mut self, i: usize, now: Nanos) {
        let Some(slot) = self.slot_mut(i) else { return };
        slot.shy_until = now.saturating_add(backoff(slot.penalty));
        slot.set_penalty(slot.penalty.saturating_add(1));
    }

    /// One donor less to wait for: what it gave is for this request first.
    pub(super) fn answered_for(&mut self, dom: DomId, order: u64) {
        let Some(i) = self.find(dom) else { return };
        let Some(slot) = self.slot_mut(i) else { return };
        let mut requests = slot.requests.iter_mut().flatten();
        let Some(request) = requests.find(|request| request.order == order) else {
            return;
        };
        request.asks = request.asks.saturating_sub(1);
        let id = request.id;
        self.hold(i, id);
        self.mark_ready(i);
    }

    /// Passes over donors that did not answer in time; what they give later goes to the pool.
    pub(super) fn pass_over(&mut self, i: usize, now: Nanos) {
        for place in 0..MAX_ASKS {
            let timeout = self.settings.donor_timeout;
            let Some(slot) = self.slot_mut(i) else { return };
            let Some(Some(ask)) = slot.asks.get_mut(place) else {
                continue;
            };
            if !ask.purpose.is_reclaim() || ask.purpose.is_late() {
                continue;
            }
            let due = ask.since.saturating_add(timeout);
            if due > now {
                self.wake(due);
                continue;
            }
            let (pages, purpose) = (ask.pages, ask.purpose);
            match purpose {
                // Nobody waits for what is taken by hand, and it must not go to the pool.
                Purpose::TakeByHand => continue,
                Purpose::Reserve => {
                    ask.purpose = Purpose::Late { reserve: true };
                    self.filling = self.filling.saturating_sub(pages);
                }
                _ => ask.purpose = Purpose::Late { reserve: false },
            }
            self.penalise(i, now);
            if let Purpose::Request { dom, order } = purpose {
                self.answered_for(dom, order);
            }
        }
    }
}

/// What came of asking several donors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// How many were asked.
    pub(super) asked: u8,
    /// For how much.
    pub(super) pages: u64,
    /// How many turned out not to be there, to be paused, or to be at their floor.
    pub(super) stale: u8,
}

fn may_be_asked(slot: &Slot, now: Nanos) -> bool {
    is_willing(slot, now) && slot.has_room_to_ask()
}

fn is_willing(slot: &Slot, now: Nanos) -> bool {
    slot.connected && slot.waiting == 0 && slot.shy_until <= now
}

/// An answer may not name more pages than the question.
pub(super) fn check_answer(id: u32, said: u64, allowed: u64) -> Result<(), Fault> {
    if said <= allowed {
        Ok(())
    } else {
        Err(Violation::Excess { id, said, allowed }.into())
    }
}
