// SPDX-License-Identifier: GPL-2.0

//! What the coordinator remembers about one domain.

use super::event::Limits;
use super::host::Reservation;
use super::ledger::{above, signed};
use super::policy::readiness;
use super::record::Record;
use super::view::View;
use crate::protocol::{RequestReason, MAX_ASKS, MAX_REQUESTS};
use crate::time::Nanos;
use crate::DomId;

/// Room for one domain in the coordinator's storage.
// In this order, because choosing donors reads the first cache line of every slot, down to the floor, and no other.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub struct Slot {
    pub(super) dom: DomId,
    pub(super) connected: bool,
    /// A request of this domain must be looked at.
    pub(super) ready: bool,
    /// How many of `requests` wait for an answer.
    pub(super) waiting: u8,
    /// How many of `asks` are in use.
    pub(super) asked: u8,
    /// Not asked to give before this.
    pub(super) shy_until: Nanos,
    /// What it says it could give, less what it gave since.
    pub(super) available: u64,
    /// Pages asked for in a `Reclaim` and not yet answered.
    pub(super) reclaiming: u64,
    /// How readily it is used as a donor: from the weight in its limits, and its penalty.
    pub(super) readiness: u64,
    pub(super) seen: Reservation,
    pub(super) limits: Limits,
    /// Whether `seen.maximum` is a cap that we set or saw, and not a guess.
    pub(super) cap_known: bool,
    /// The limits changed and the front-end has not been told.
    pub(super) limits_due: bool,
    /// How often in a row it was late or short as a donor.
    pub(super) penalty: u8,
    /// How often in a row it did not take what it was given back.
    pub(super) declined: u8,
    /// How often in a row it had less free memory than the reserve wanted of it.
    pub(super) refused: u8,
    /// Pages borrowed (positive) or lent (negative).
    pub(super) balance: i64,
    /// Pages granted or given and not yet said to be taken.
    pub(super) in_flight: u64,
    /// Nothing given back before this.
    pub(super) give_after: Nanos,
    /// Not asked for the reserve before this.
    pub(super) fill_after: Nanos,
    /// The cap as the toolstack last set it, without our part.
    pub(super) toolstack_cap: u64,
    /// What the toolstack last wanted the domain to have.
    pub(super) target: u64,
    /// How far above that the toolstack sets the cap; see [`settle_slack`](Self::settle_slack).
    pub(super) slack: Option<i64>,
    /// The toolstack has set the cap since it last said what it wants, as far as we know.
    pub(super) cap_came_first: bool,
    /// How far the domain may be above its cap, because the toolstack lowered that and the stock balloon takes its
    /// time. It shrinks no more once known, because what the domain has given and not reported cannot be told from
    /// what its balloon gave; a front-end can only abuse it to lend what the toolstack took from it.
    pub(super) excess: u64,
    /// What it was forgiven at the cost of the slack, since the toolstack last set the cap: its cap is lower by it.
    pub(super) forgiven: u64,
    /// Whether its front-end understands credit.
    pub(super) takes_credit: bool,
    /// What it may take without asking, less what it said it took.
    pub(super) credit: u64,
    /// What its credit should be.
    pub(super) credit_goal: u64,
    /// It returned less credit than it was asked for, and has said nothing since: it is about to draw the rest.
    pub(super) is_drawing: bool,
    /// How many claims of its front-end were not believed.
    pub(super) disbelieved: u32,
    /// When the domain's requests so far, and what donors were asked for by them, are paid for, at the allowed rate.
    pub(super) paid_until: Nanos,
    pub(super) asks: [Option<Ask>; MAX_ASKS],
    pub(super) requests: [Option<Request>; MAX_REQUESTS],
}

/// A request that is not finished: it waits, or it was granted and nothing is known to be taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) id: u32,
    /// How many `Reclaim`s for it are unanswered.
    pub(super) asks: u8,
    pub(super) reason: RequestReason,
    /// What the front-end asked for.
    pub(super) pages: u64,
    /// What it may have of that under its ceiling.
    pub(super) want: u64,
    /// What has been put aside for it.
    pub(super) held: u64,
    /// What it was granted; 0 while it waits.
    pub(super) granted: u64,
    pub(super) deadline: Nanos,
    /// Requests are numbered in the order in which they came.
    pub(super) order: u64,
}

impl Request {
    pub(super) fn is_waiting(&self) -> bool {
        self.granted == 0
    }

    /// What it still lacks, in pages.
    pub(super) fn lacks(&self) -> u64 {
        self.want.saturating_sub(self.held)
    }
}

/// A `Reclaim` or `Give` that is not answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) id: u32,
    pub(super) pages: u64,
    pub(super) since: Nanos,
    pub(super) purpose: Purpose,
}

/// What an [`Ask`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// `Reclaim` for a request.
    Request {
        /// Whose.
        dom: DomId,
        /// Which, by [`Request::order`]: ids may be used again.
        order: u64,
    },
    /// `Reclaim` for the reserve.
    Reserve,
    /// `Reclaim` by the administrator.
    TakeByHand,
    /// `Reclaim` that nobody waits for any more.
    Late {
        /// Whether it was for the reserve.
        reserve: bool,
    },
    /// `Revoke` of credit.
    Revoke,
    /// `Give` of what the domain lent.
    Repay,
    /// `Give` by the administrator.
    GiveByHand,
}

impl Purpose {
    pub(super) fn is_give(self) -> bool {
        matches!(self, Self::Repay | Self::GiveByHand)
    }

    pub(super) fn is_reclaim(self) -> bool {
        !self.is_give() && self != Self::Revoke
    }

    pub(super) fn is_late(self) -> bool {
        matches!(self, Self::Late { .. })
    }

    /// Whether only memory that is plainly unused was asked for.
    pub(super) fn is_background(self) -> bool {
        matches!(self, Self::Reserve | Self::Late { reserve: true })
    }
}

impl Slot {
    /// What its balance is when its front-end connects and claims that it is `claim`, or claims nothing.
    ///
    /// The front-end knows best, but is believed only as far as it can be true. If it does not say, Xen's word on the
    /// size of the domain decides what it took, and what was asked for counts as not given.
    pub(super) fn believed(&self, claim: Option<i64>) -> i64 {
        let least = self.least();
        let balance = match claim {
            Some(claim) if claim < least => {
                claim.max(self.balance.saturating_sub(signed(self.reclaiming)))
            }
            // It gave back what it had borrowed or fetched ahead when nobody read what it said, or went away when
            // there was no back-end to settle with, and left that to the stock balloon driver.
            Some(claim) => claim,
            None => signed(self.seen.current)
                .saturating_sub(signed(self.target))
                .max(self.balance),
        };
        let most = match claim {
            Some(claim) if self.is_due_less(claim) => claim,
            _ => self.ours(),
        };
        balance.max(least).min(most)
    }

    /// The least that its balance can be by Xen's word: with any less it would be larger than it can be.
    fn least(&self) -> i64 {
        let unused = self.most().saturating_sub(signed(self.seen.current));
        self.ours().saturating_sub(unused)
    }

    /// Whether a lender claims to be owed less than the ledger says, and has what it says to have already.
    ///
    /// So it is if its stock balloon, which it left its debts to, got memory elsewhere, or if the toolstack meanwhile
    /// made it as small as lending had.
    fn is_due_less(&self, claim: i64) -> bool {
        (self.ours().saturating_add(1)..=0).contains(&claim)
            && signed(self.seen.current) >= signed(self.target).saturating_add(claim)
    }

    /// A lender is owed that much less, because it has the pages. Why it has them cannot be known: it may have had them
    /// all the time. So the most that it can have stays the same, or who lends and is owed nothing, over and over,
    /// would make memory out of nothing.
    pub(super) fn forgive(&mut self, pages: u64) {
        let passed = pages.min(self.excess);
        self.excess = self.excess.saturating_sub(passed);
        self.forgiven = self.forgiven.saturating_add(pages.saturating_sub(passed));
    }

    /// What our hand adds to the toolstack's cap.
    pub(super) fn ours(&self) -> i64 {
        self.certain().saturating_add_unsigned(self.credit)
    }

    /// What our hand adds to its size once it has taken what it was granted and given.
    fn certain(&self) -> i64 {
        self.balance.saturating_add_unsigned(self.in_flight)
    }

    /// What its cap should be; negative if it lent more than the toolstack now lets it have.
    pub(super) fn cap(&self) -> i64 {
        signed(self.toolstack_cap)
            .saturating_sub(signed(self.forgiven))
            .saturating_add(self.ours())
    }

    /// How far above the target the toolstack sets the cap, as far as is known.
    fn slack(&self) -> i64 {
        let seen = signed(self.toolstack_cap).saturating_sub(signed(self.target));
        self.slack.unwrap_or(seen)
    }

    /// Takes what is known of that for certain before it matters: once our part is in the cap, so that one of the
    /// toolstack's could be taken for it, or when there is another. What is known of the target may be older than the
    /// first cap we see.
    pub(super) fn settle_slack(&mut self, maximum: u64) {
        if !self.cap_came_first && (self.ours() != 0 || maximum != self.seen.maximum) {
            self.slack = Some(self.slack());
        }
    }

    /// The cap that the toolstack sets for the target, as far as is known.
    pub(super) fn meant(&self) -> i64 {
        signed(self.target).saturating_add(self.slack())
    }

    /// Whether the toolstack's cap is the one for the target.
    pub(super) fn fits(&self) -> bool {
        self.meant() == signed(self.toolstack_cap)
    }

    /// Takes a cap for the toolstack's word, when the domain has `current` pages.
    pub(super) fn believe_cap(&mut self, cap: u64, current: u64) {
        let most = self.most();
        self.toolstack_cap = cap;
        self.forgiven = 0;
        self.excess = above(most, self.cap());
        // It may have raised the cap and lowered it again while no back-end was loaded.
        if signed(current) > self.cap() {
            let had = signed(current.saturating_add(self.reclaiming));
            self.excess = self.excess.max(above(had, self.cap()));
        }
    }

    /// The most it can have, if it has given back all it says.
    pub(super) fn most(&self) -> i64 {
        self.cap().saturating_add_unsigned(self.excess)
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.set_penalty(self.penalty);
    }

    /// Sets how often in a row it was late or short as a donor. Each time makes it an eighth as ready to be used.
    pub(super) fn set_penalty(&mut self, penalty: u8) {
        self.penalty = penalty;
        let shift = 3 * u32::from(penalty.min(10));
        self.readiness = (readiness(self.limits.weight) >> shift).max(1);
    }

    pub(super) fn is_lender(&self) -> bool {
        self.balance < 0
    }

    /// What the domain has lent, less what is on its way back, in pages.
    pub(super) fn owed(&self) -> u64 {
        self.certain().min(0).unsigned_abs()
    }

    /// How much it may grow under its ceiling if it has `current` pages now.
    pub(super) fn room(&self, current: u64) -> u64 {
        self.limits
            .ceiling
            .saturating_sub(current)
            .saturating_sub(self.in_flight)
            .saturating_sub(self.credit)
    }

    /// What lacks in its credit, if that has run low: not for every page that is drawn, or there would be a message
    /// for each.
    pub(super) fn lacks_credit(&self) -> u64 {
        if self.credit <= self.credit_goal / 2 {
            self.credit_goal - self.credit
        } else {
            0
        }
    }

    /// What its credit should be by what is known of it, if each domain's should be `pages`.
    pub(super) fn credit_due(&self, pages: u64) -> u64 {
        if self.connected && self.takes_credit {
            let room = self.room(self.seen.current).saturating_add(self.credit);
            pages.min(room)
        } else {
            0
        }
    }

    /// What its floor leaves to be asked for, in pages.
    pub(super) fn above_floor(&self) -> u64 {
        self.seen
            .current
            .saturating_sub(self.limits.floor)
            .saturating_sub(self.reclaiming)
    }

    /// What it could give without hurting itself, in pages.
    pub(super) fn spare(&self) -> u64 {
        self.available
            .saturating_sub(self.reclaiming)
            .min(self.above_floor())
    }

    /// What it borrowed and could be made to give, in pages.
    pub(super) fn recallable(&self) -> u64 {
        self.balance
            .max(0)
            .unsigned_abs()
            .saturating_sub(self.reclaiming)
            .min(self.above_floor())
    }

    pub(super) fn has_room_to_ask(&self) -> bool {
        usize::from(self.asked) < MAX_ASKS
    }

    pub(super) fn request_mut(&mut self, id: u32) -> Option<&mut Request> {
        self.requests.iter_mut().flatten().find(|r| r.id == id)
    }

    /// Takes the ask with this id away if `wanted` is true of it.
    pub(super) fn take_ask(&mut self, id: u32, wanted: fn(Purpose) -> bool) -> Option<Ask> {
        let place = self
            .asks
            .iter_mut()
            .find(|ask| ask.is_some_and(|ask| ask.id == id && wanted(ask.purpose)))?;
        self.asked = self.asked.saturating_sub(1);
        place.take()
    }

    pub(super) fn record(&self) -> Record {
        Record {
            balance: self.balance,
            // Credit ends with the connection: what was drawn is as uncertain as what was granted.
            in_flight: self.in_flight.saturating_add(self.credit),
            reclaiming: self.reclaiming,
            maximum: self.seen.maximum,
            toolstack_maximum: self.toolstack_cap,
            target: self.target,
            slack: self.slack(),
            excess: self.excess,
            forgiven: self.forgiven,
            limits: self.limits,
        }
    }

    pub(super) fn view(&self) -> View {
        View {
            dom: self.dom,
            connected: self.connected,
            balance: self.balance,
            in_flight: self.in_flight,
            credit: self.credit,
            reclaiming: self.reclaiming,
            forgiven: self.forgiven,
            available: self.available,
            limits: self.limits,
            seen: self.seen,
            waiting: self.waiting,
            penalty: self.penalty,
            disbelieved: self.disbelieved,
        }
    }
}
