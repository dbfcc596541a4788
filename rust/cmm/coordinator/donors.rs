// SPDX-License-Identifier: GPL-2.0

//! Donors: who is asked, and what becomes of their answers.

use super::books::Place;
use super::domain::{Ask, Domain, Part, Purpose, Request};
use super::domains::Entry;
use super::fault::Fault;
use super::host::{Activity, Host};
use super::policy::{ready_first, share_out, Best, Need};
use super::turn::Turn;
use crate::protocol::{Down, Urgency, Violation, EXTENT_PAGES};
use crate::tables::{Index, Storage};
use crate::time::{Nanos, MILLISECOND};
use crate::DomId;

/// How long a domain is left alone that was found paused: nobody tells us when it goes on, and to ask Xen about it ten
/// times a second costs nothing.
pub(super) const PAUSE: Nanos = 100 * MILLISECOND;

/// How long a domain is left alone at most that gave too little, however often: unlike one that is late, it answers, and it
/// has to give again as soon as a burst of its own is over. Likewise one that is late for want of a CPU.
const SHORT: Nanos = 50 * MILLISECOND;

/// How many answers that are late are given up in one event; the others follow in the next.
const PASSED_OVER_AT_ONCE: usize = 16;

/// The most that one question is for: 16 MiB. A larger need is met by several questions, one after the other to each
/// donor, so that who is fast gives more of it than who is slow, and a small need waits behind one of them at most.
const PORTION: u64 = 8 * EXTENT_PAGES;

impl<S: Storage<Item = Entry>, H: Host> Turn<'_, S, H> {
    /// Asks donors for what a request lacks and nobody has been asked for. `false` if there is none to wait for besides
    /// those that have been asked already.
    pub(super) fn ask_donors(&mut self, i: Index, request: &Request) -> bool {
        if self.has_to_wait() {
            return self.crowd(i, request, false);
        }
        let Ok(domain) = self.domain(i) else {
            return false;
        };
        let dom = domain.dom();
        let need = Need {
            pages: request.unasked(),
            // What came back already, or is coming, is not to be had a second time.
            recall: domain
                .owed()
                .saturating_sub(domain.requests.held() + request.coming),
        };
        let urgency = if request.urgent || need.recall > 0 {
            Urgency::Urgent
        } else {
            Urgency::Normal
        };
        let serial = request.serial;
        let purpose = Purpose::Request { dom, serial };
        let cannot_wait = request.urgent || domain.limits().protected;
        let mut asked = self.ask_several(need, purpose, urgency);
        if cannot_wait && asked.donors == 0 && asked.stale == 0 {
            // Who disappointed may do so again, but there is nobody else. From who borrowed and said that it has none,
            // nothing is recalled again so soon.
            let need = Need { recall: 0, ..need };
            let shy = self.coordinator.domains.best_shy(need);
            asked = self.ask_these(need, shy, purpose, urgency);
            // Of these there are no more, and they stay where they are.
            asked.stale = 0;
        }
        self.charge(i, asked.donors, asked.pages);
        let count =
            |domain: &mut Domain| domain.requests.asked(request.id, asked.donors, asked.pages);
        let counted = if request.shares {
            self.change(i, count)
        } else {
            self.amend(i, count)
        };
        if asked.donors == 0 && asked.stale > 0 {
            // What we believed about them was old. Now we know better, and others may do.
            self.mark_ready(i);
        }
        self.asks_first &= asked.donors == 0;
        if asked.donors > 0 || asked.stale > 0 {
            return counted.is_ok();
        }
        if request.asks > 0 {
            return false;
        }
        let may_give = self.coordinator.may_give_until(need.recall > 0) > self.now;
        let may_share = !may_give && self.may_share(request);
        (may_give || may_share) && self.crowd(i, request, may_share)
    }

    /// Lets a request wait until a donor has room for a question, or, if it `shares`, for its turn of what others have
    /// donors asked for. `false` if it cannot.
    fn crowd(&mut self, i: Index, request: &Request, shares: bool) -> bool {
        self.coordinator.domains.push_crowded(i);
        let share = |domain: &mut Domain| domain.requests.share(request.id, shares);
        request.shares == shares || self.change(i, share).is_ok()
    }

    /// Whether others have waited until a donor has room, and one has. Then who comes now, or asks for another request after
    /// it had its turn, asks after them: or who asks in many requests would leave them no donor to ask.
    fn has_to_wait(&mut self) -> bool {
        let coordinator = &mut *self.coordinator;
        let is_of_use = !self.asks_first && coordinator.domains.is_any_donor();
        let has_to = is_of_use && coordinator.rouse_crowd(self.now);
        coordinator.retries += usize::from(has_to);
        has_to
    }

    /// Whether a request may wait for its turn of what others have donors asked for: if any have been, and it has not
    /// waited as long as for a donor of its own.
    fn may_share(&mut self, request: &Request) -> bool {
        request.may_share_until > self.now && self.coordinator.may_share()
    }

    /// Asks those whom the policy picks.
    pub(super) fn ask_several(&mut self, need: Need, purpose: Purpose, urgency: Urgency) -> Asked {
        let domains = &mut self.coordinator.domains;
        let best = match purpose {
            Purpose::Reserve => domains.best_for_reserve(need),
            // Who asks does not give, and is not among them.
            _ => domains.best_donors(need),
        };
        self.ask_these(need, best, purpose, urgency)
    }

    /// Asks those of these whom the policy picks.
    fn ask_these(
        &mut self,
        need: Need,
        mut best: Best,
        purpose: Purpose,
        urgency: Urgency,
    ) -> Asked {
        let mut asked = Asked::default();
        self.keep_present(need, &mut best, &mut asked);
        let picks = share_out(self.coordinator.settings.policy, need, &best);
        for ((donor, pages), _) in picks.into_iter().zip(best.iter()) {
            let portion = pages.min(PORTION);
            let is_asked = self.domain(donor).is_ok_and(|d| d.asks.is_any(purpose));
            asked.in_portions |= is_asked || portion < pages;
            if is_asked || portion == 0 {
                continue;
            }
            match self.ask(donor, portion, purpose, urgency) {
                Ok(0) => asked.stale += 1,
                Ok(pages) => {
                    asked.donors += 1;
                    asked.pages += pages;
                }
                Err(fault) => {
                    asked.stale += 1;
                    self.note_fault(donor, Err(fault));
                }
            }
        }
        asked
    }

    /// Keeps those of the best donors who can answer, if that matters. The others are left alone for a while: they would
    /// hide those with less to spare.
    fn keep_present(&mut self, need: Need, best: &mut Best, asked: &mut Asked) {
        let settings = &self.coordinator.settings;
        if !settings.ask_ready {
            return;
        }
        let (domains, host) = (&self.coordinator.domains, &mut *self.host);
        let activity = |i| host.activity(domains.get(i)?.dom());
        let absent = ready_first(settings.policy, need, best, activity);
        let until = self.now.saturating_add(PAUSE);
        for (_, paused) in absent.iter() {
            asked.stale += 1;
            // It was found a moment ago.
            let _ = self.change(paused, |domain| domain.shy.wait_until(until));
        }
    }

    /// Asks one domain for up to `pages`, as far as its floor allows by Xen's word. Returns how many.
    pub(super) fn ask(
        &mut self,
        i: Index,
        pages: u64,
        purpose: Purpose,
        urgency: Urgency,
    ) -> Result<u64, Fault> {
        self.sync_cap(i)?;
        let pages = pages.min(self.domain(i)?.above_floor());
        if pages == 0 {
            return Ok(0);
        }
        let Some(id) = self.open_ask(i, pages, purpose) else {
            return Ok(0);
        };
        if let Err(fault) = self.send(i, &Down::Reclaim { id, pages, urgency }) {
            // It was never asked, so nobody waits for its answer.
            self.change(i, |domain| domain.asks.close(id))?;
            return Err(fault);
        }
        if matches!(purpose, Purpose::Request { .. }) {
            self.donor_asked(i, pages);
        }
        Ok(pages)
    }

    /// A donor answers.
    pub(super) fn offered(&mut self, i: Index, ask: &Ask, pages: u64) -> Result<(), Fault> {
        check_answer(ask.id, pages, ask.pages)?;
        let to = match ask.purpose {
            Purpose::TakeByHand => Place::Unbooked,
            _ => Place::Free,
        };
        let pages = self.lower(i, Place::Of(i, Part::Balance), to, pages)?;
        let now = self.now;
        self.change(i, |domain| {
            domain.asks.close(ask.id);
            domain.account.earn(pages, domain.owed());
            judge(domain, ask, pages, now);
        })?;
        if let Purpose::Request { dom, serial } = ask.purpose {
            self.answered_for(dom, serial, ask.pages, pages);
        }
        Ok(())
    }

    /// One donor less to wait for, which was asked for so much and gave so much of it: that is for this request, if
    /// no others wait.
    pub(super) fn answered_for(&mut self, dom: DomId, serial: u64, asked: u64, given: u64) {
        let Some(i) = self.coordinator.domains.find(dom) else {
            return;
        };
        self.refund(i, asked, given);
        let answered = self.amend(i, |domain| domain.requests.answered(serial, asked));
        if let Ok(Some(id)) = answered {
            // If others wait, too, they have their turns.
            if self.coordinator.domains.is_contended(i) || self.hold(i, id).is_ok() {
                self.mark_ready(i);
            }
        }
    }

    /// Passes over a donor that did not answer in time; what it gives later goes to the pool.
    fn pass_over(&mut self, i: Index) {
        let timeout = self.coordinator.settings.donor_timeout;
        let now = self.now;
        let has_no_cpu = self.has_no_cpu(i);
        let late = self.change(i, |domain| {
            if has_no_cpu {
                domain.shy.fail_within(SHORT, now);
            } else {
                domain.shy.fail(now);
            }
            domain.asks.give_up(timeout, now)
        });
        if let Ok(Some(ask)) = late {
            if let Purpose::Request { dom, serial } = ask.purpose {
                self.answered_for(dom, serial, ask.pages, 0);
            }
        }
    }

    /// Whether a domain would run, and waits until it may: then it is no fault of its own that it has not answered.
    fn has_no_cpu(&mut self, i: Index) -> bool {
        let dom = self.domain(i).map(|domain| domain.dom());
        dom.is_ok_and(|dom| self.host.activity(dom) == Some(Activity::Waiting))
    }

    /// Passes over those that are late, a limited number of them.
    pub(super) fn pass_over_late(&mut self) {
        for _ in 0..PASSED_OVER_AT_ONCE {
            match self.coordinator.domains.first_asked() {
                Some((since, i)) if self.late_after(since) <= self.now => self.pass_over(i),
                _ => return,
            }
        }
    }

    /// Who was asked then is late from this time on.
    pub(super) fn late_after(&self, since: Nanos) -> Nanos {
        since.saturating_add(self.coordinator.settings.donor_timeout)
    }
}

/// Remembers how well a donor did, so that the next request does not run into the same wall.
fn judge(donor: &mut Domain, ask: &Ask, pages: u64, now: Nanos) {
    donor.available = donor.available.saturating_sub(pages);
    let background = ask.purpose.is_background();
    donor.pace.learn(pages, now.saturating_sub(ask.since));
    if pages == ask.pages {
        donor.shy.succeed();
        if background {
            donor.refused.succeed();
        }
        return;
    }
    if background {
        // It gave what was free. For a request it would reclaim more, so that is not to be held against it.
        donor.refused.fail(now);
        return;
    }
    // It gave all it could: believe that until its next statistics.
    donor.available = 0;
    // Half of one page is none.
    if 2 * pages < ask.pages {
        donor.shy.fail_within(SHORT, now);
    }
}

/// What came of asking several donors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// How many were asked.
    pub(super) donors: u8,
    /// For how much.
    pub(super) pages: u64,
    /// Some are to be asked for more when they have answered, or answered what they were asked before.
    pub(super) in_portions: bool,
    /// How many turned out not to be there, to be paused, or to be at their floor.
    pub(super) stale: u8,
}

/// An answer may not name more pages than the question.
pub(super) fn check_answer(id: u32, said: u64, allowed: u64) -> Result<(), Violation> {
    if said <= allowed {
        Ok(())
    } else {
        Err(Violation::Excess { id, said, allowed })
    }
}
