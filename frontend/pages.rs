// SPDX-License-Identifier: GPL-2.0

//! Memory: what this domain borrows and lends, and how it moves.

use cmm::{
    client::{
        self,
        Bound,
        Givable,
        HandedOver,
        Holdings,
        Memory,
        Promise, //
    },
    protocol::Urgency,
    timing::{
        Phase,
        Stopwatch, //
    },
};
use kernel::prelude::*;
use xen::{
    balloon,
    extents::{
        Allocated,
        Extents,
        Populated,
        Unpopulated,
        MAX_EXTENT,
        MAX_ORDER, //
    },
    frames::BorrowedFrames,
    held::Held,
    memory::{
        self,
        Effort,
        Step,
        Workspace, //
    },
    out_of_tree::{
        freezer,
        handover, //
    },
    timer::now, //
};

/// Pages moved in one go, so that what is on its way is neither here nor there only for a short
/// time, and nobody waits long who wants to move others: 8 MiB.
pub(crate) const BATCH: usize = 2048;

/// The memory this domain borrows and lends.
///
/// Borrowing uses page frames up, lending leaves some.
pub(crate) struct Pages {
    workspace: KBox<Workspace>,
    /// Memory got on credit before anybody asked for it. It counts as credit still.
    prepopulated: Extents<Populated>,
    /// Memory read ahead of what somebody asked for. It counts as borrowed.
    readahead: Extents<Populated>,
    /// Page frames without memory.
    frames: Extents<Unpopulated>,
    /// Where further frames come from.
    stock: BorrowedFrames,
    /// Borrowed (positive) or lent (negative), in pages.
    balance: i64,
    /// What of that it has lent its toolstack does not want it to have back: the balloon driver counts
    /// it as given already.
    deferred: u64,
    /// What it could have given when it began to borrow.
    givable: Givable,
    /// What processes had been promised when the kernel refused to have less, until that is told.
    refused_at: Option<u64>,
    /// What the kernel would promise processes.
    promise: Promise,
}

impl Pages {
    /// Begins with what an earlier driver has handed over to the balloon driver.
    pub(crate) fn new(handed_over: HandedOver) -> Result<Self> {
        let spare = client::spare(&kernel_memory());
        let HandedOver { balance, deferred } = handed_over.bounded(balloon::above_target(), spare);
        let workspace = Workspace::new()?;
        let mut frames = Extents::new();
        let balance = handover::take_over(balance, &mut frames)? - deferred as i64;
        Ok(Self {
            workspace,
            prepopulated: Extents::new(),
            readahead: Extents::new(),
            frames,
            stock: BorrowedFrames::new(),
            balance,
            deferred,
            givable: Givable::new(),
            refused_at: None,
            promise: Promise::default(),
        })
    }

    /// Borrowed (positive) or lent (negative), in pages.
    pub(crate) fn balance(&self) -> i64 {
        self.balance
    }

    /// What it has borrowed or lent; without a baseline, which nobody here knows.
    pub(crate) fn holdings(&self) -> Holdings {
        Holdings {
            baseline: 0,
            balance: self.balance,
            readahead: self.readahead(),
            deferred: self.deferred,
        }
    }

    /// What was read ahead and nobody has asked for yet, in pages.
    pub(crate) fn readahead(&self) -> u64 {
        self.readahead.pages() as u64
    }

    /// Takes `granted` pages from Xen, as Dom0 allows; returns how many it got. Those beyond `wanted`
    /// are readahead. What is deferred is not the domain's: the first are left to Xen for that.
    pub(crate) fn take(&mut self, granted: u64, wanted: u64, stopwatch: &mut Stopwatch) -> u64 {
        let granted = usize::try_from(granted).unwrap_or(usize::MAX);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let cancelled = self.cancel(granted);
        let granted = granted - cancelled;
        let wanted = wanted.saturating_sub(cancelled);
        self.remember_before();
        let mut fresh = self.populate(granted, stopwatch);
        let taken = fresh.pages();
        self.balance += taken as i64;
        self.readahead
            .append(&mut fresh.take(taken.saturating_sub(wanted)));
        self.free(fresh, stopwatch);
        (cancelled + taken) as u64
    }

    /// Takes `wanted` of the pages that were read ahead, and count as borrowed already; none if
    /// there are not as many. Returns how many.
    pub(crate) fn take_readahead(&mut self, wanted: u64, stopwatch: &mut Stopwatch) -> u64 {
        if wanted > self.readahead() {
            return 0;
        }
        let fresh = self.readahead.take(wanted as usize);
        self.free(fresh, stopwatch)
    }

    /// As [`Pages::take`], on credit: what is prepopulated first.
    pub(crate) fn draw(&mut self, wanted: u64, stopwatch: &mut Stopwatch) -> u64 {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        self.remember_before();
        let mut drawn = self.prepopulated.take(wanted);
        if drawn.pages() < wanted {
            drawn.append(&mut self.populate(wanted - drawn.pages(), stopwatch));
        }
        self.balance += drawn.pages() as i64;
        self.free(drawn, stopwatch)
    }

    /// It could give `givable` pages `then`, of `total`; or nobody looks any more, if that is 0. The balance is what it was.
    pub(crate) fn found_givable(&mut self, givable: u64, total: u64, then: u64) {
        let own = self.own_of(total);
        self.givable.found(givable, own, then);
    }

    fn remember_before(&mut self) {
        if self.balance <= 0 {
            let own = self.own();
            self.givable.begin(own, now(), || kernel_memory().givable());
        }
    }

    /// What the kernel manages without what is borrowed, in pages.
    fn own(&self) -> u64 {
        self.own_of(memory::total() as u64)
    }

    /// As [`Self::own`], if it manages so many.
    fn own_of(&self, total: u64) -> u64 {
        let borrowed = self.balance - self.readahead() as i64;
        total.saturating_add_signed(-borrowed)
    }

    /// Gives pages to the page allocator; returns how many.
    fn free(&mut self, fresh: Extents<Populated>, stopwatch: &mut Stopwatch) -> u64 {
        let pages = fresh.pages();
        drop(fresh);
        self.givable.moved(pages as i64);
        stopwatch.split(Phase::Free, now());
        pages as u64
    }

    /// Gets `wanted` pages on credit before anybody asks; returns how many it got.
    pub(crate) fn prepopulate(&mut self, wanted: usize) -> usize {
        let mut fresh = self.populate(wanted, &mut Stopwatch::default());
        let got = fresh.pages();
        self.prepopulated.append(&mut fresh);
        got
    }

    /// Gives `pages` of those prepopulated back to Xen.
    pub(crate) fn put_away(&mut self, pages: usize) {
        let mut fresh = self.prepopulated.take(pages);
        self.workspace
            .release(&mut fresh, &mut self.frames, &mut |_| ());
        self.prepopulated.append(&mut fresh);
    }

    fn populate(&mut self, wanted: usize, stopwatch: &mut Stopwatch) -> Extents<Populated> {
        self.fetch_frames(wanted);

        let mut fresh = Extents::new();
        let mut frames = self.frames.take(wanted);
        stopwatch.split(Phase::Frames, now());
        self.workspace
            .populate(&mut frames, &mut fresh, &mut |step| note(stopwatch, step));
        self.frames.append(&mut frames);
        fresh
    }

    /// Borrows frames from the balloon driver if there are fewer than `wanted`.
    fn fetch_frames(&mut self, wanted: usize) {
        let lacking = wanted.saturating_sub(self.frames.pages());
        if lacking == 0 {
            return;
        }
        // Whole extents: the frames lie in order, and a piece of an extent spoils it.
        let wanted = lacking.next_multiple_of(MAX_EXTENT);
        if let Err(err) = self.stock.borrow_frames(wanted, &mut self.frames) {
            pr_warn!("cannot get page frames for memory: {:?}\n", err);
        }
    }

    /// Gives up to `wanted` of the pages that were read ahead back to Xen; returns how many.
    pub(crate) fn give_readahead(&mut self, wanted: u64, stopwatch: &mut Stopwatch) -> u64 {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let mut fresh = self.readahead.take(wanted);
        let released = self
            .workspace
            .release(&mut fresh, &mut self.frames, &mut |step| {
                note(stopwatch, step)
            });
        self.readahead.append(&mut fresh);
        self.balance -= released as i64;
        self.return_idle_frames(MAX_EXTENT);
        released as u64
    }

    /// Gives up to `wanted` pages back to Xen, without hurting the domain; returns how many.
    pub(crate) fn give(&mut self, wanted: u64, urgency: Urgency, stopwatch: &mut Stopwatch) -> u64 {
        let bound =
            |memory: &Memory, borrowed| if_at_target(client::on_demand(memory, borrowed, urgency));
        self.give_within(bound, wanted, urgency, stopwatch)
    }

    /// What processes had been promised when the kernel refused to have less memory, if it did since
    /// this was last asked.
    pub(crate) fn refused_at(&mut self) -> Option<u64> {
        self.refused_at.take()
    }

    /// As [`Pages::give`], of what was borrowed: the domain keeps what it had before, not what a
    /// donor does. The size that the toolstack wants it to have does not matter. Goes on as long as
    /// `goes_on` says.
    pub(crate) fn give_borrowed(&mut self, wanted: u64, goes_on: impl Fn() -> bool) -> u64 {
        let before = self.givable.before(self.own());
        let bound = |memory: &Memory, _| Bound {
            spare: if goes_on() {
                client::spare_borrowed(memory, before)
            } else {
                0
            },
            keeps: client::keeps_borrowed(memory, before),
        };
        self.give_within(bound, wanted, Urgency::Urgent, &mut Stopwatch::default())
    }

    /// Brings the domain down to the size that its toolstack wants, as far as it can spare that. The
    /// stock balloon driver does not try again for an hour once it has failed some times.
    pub(crate) fn shrink_to_target(&mut self) {
        let mut held = Held::default();
        loop {
            let above = usize::try_from(balloon::above_target()).unwrap_or(0);
            let memory = kernel_memory_with(&held);
            let before = self.givable.before(self.own());
            let spare = client::spare_borrowed(&memory, before) as usize;
            let batch = above.min(BATCH).min(spare);
            let kept = client::keeps_borrowed(&memory, before);
            if batch == 0 || !hold(&mut held, &memory, batch, kept) {
                return;
            }
            let mut pages = allocate(batch, Urgency::Urgent);
            if pages.is_empty() {
                return;
            }
            let mut frames = Extents::new();
            let released = self.workspace.release(&mut pages, &mut frames, &mut |_| ());
            // Frames without memory become the balloon driver's when dropped, and now it knows.
            drop(frames);
            handover::hand_over(-(released as i64));
            self.givable.moved(-(released as i64));
            if !pages.is_empty() {
                return;
            }
        }
    }

    /// As [`Pages::give`], in a domain whose processes are all frozen: nobody can be hurt.
    pub(crate) fn give_frozen(&mut self, wanted: u64) -> u64 {
        // They may not be for ever.
        let bound = |memory: &Memory, _| Bound {
            spare: if freezer::is_freezing() {
                client::spare_frozen(memory.givable())
            } else {
                0
            },
            keeps: 0,
        };
        self.give_within(bound, wanted, Urgency::Urgent, &mut Stopwatch::default())
    }

    /// Gives as long as what `bound` says of the kernel's memory, and of what is borrowed, allows it.
    fn give_within(
        &mut self,
        bound: impl Fn(&Memory, u64) -> Bound,
        wanted: u64,
        urgency: Urgency,
        stopwatch: &mut Stopwatch,
    ) -> u64 {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let mut given = 0;
        let mut held = Held::default();
        self.refused_at = None;

        while given < wanted {
            let memory = kernel_memory_with(&held);
            let borrowed = u64::try_from(self.balance).unwrap_or(0);
            let bound = bound(&memory, borrowed);
            let spare = usize::try_from(bound.spare).unwrap_or(usize::MAX);
            let batch = (wanted - given).min(BATCH).min(spare);
            let kept = bound.keeps;
            if batch == 0
                || !hold(&mut held, &memory, batch, kept)
                || !self.may_give(batch as u64, kept)
            {
                break;
            }
            let mut pages = allocate(batch, urgency);
            if pages.is_empty() {
                break;
            }
            stopwatch.split(Phase::Allocate, now());
            let released = self
                .workspace
                .release(&mut pages, &mut self.frames, &mut |step| {
                    note(stopwatch, step)
                });
            self.balance -= released as i64;
            self.givable.moved(-(released as i64));
            self.promise.gave(released as u64);
            given += released;
            // Xen refused some: others would fare no better.
            if !pages.is_empty() {
                break;
            }
        }
        self.return_idle_frames(MAX_EXTENT);
        given as u64
    }

    /// Whether the kernel can have `pages` less, and promise processes as many as are kept.
    fn may_give(&mut self, pages: u64, kept: u64) -> bool {
        let (committed, now) = (memory::committed() as u64, now());
        if self.promise.covers(pages + kept, committed, now) {
            return true;
        }
        // One answer does for many small requests.
        let asked = pages.max(BATCH as u64) + kept;
        if !memory::may_commit(usize::try_from(asked).unwrap_or(usize::MAX)) {
            self.refused_at = Some(committed);
            return false;
        }
        self.promise = Promise::new(asked, committed, now);
        true
    }

    /// Frames that lending does not account for: left over from a release, good for the next request.
    fn idle_frames(&self) -> usize {
        let due_back = self.holdings().due_back() as usize;
        self.frames.pages().saturating_sub(due_back)
    }

    /// Returns idle frames but for `keep` of them to where they came from.
    fn return_idle_frames(&mut self, keep: usize) {
        let idle = self.idle_frames().saturating_sub(keep);
        self.stock.return_to_balloon(idle, &mut self.frames);
    }

    /// Whether there is anything to tidy up. Frames of the kernel's are kept: nobody misses them.
    pub(crate) fn has_leftovers(&self) -> bool {
        self.readahead() > 0 || (self.idle_frames() > 0 && self.stock.has_of_balloon())
    }

    /// Keeps nothing for a next request; returns how many pages went back to Xen.
    pub(crate) fn tidy_up(&mut self) -> u64 {
        let given = self.give_readahead(u64::MAX, &mut Stopwatch::default());
        self.return_idle_frames(0);
        given
    }

    /// Defers as much of what is lent as the domain is to be smaller, or less than before.
    pub(crate) fn defer(&mut self) {
        let more = self.holdings().to_defer(balloon::above_target());
        if more == 0 {
            return;
        }
        self.deferred = self.deferred.saturating_add_signed(more);
        // Frames without memory become the balloon driver's when dropped, and now it knows.
        drop(self.frames.take(usize::try_from(more).unwrap_or(0)));
        handover::hand_over(-more);
    }

    /// Cancels up to `pages` of the debt that are deferred: what comes back is Xen's. Returns how many.
    pub(crate) fn cancel(&mut self, pages: usize) -> usize {
        let cancelled = (pages as u64).min(self.deferred);
        self.deferred -= cancelled;
        self.balance += cancelled as i64;
        cancelled as usize
    }

    /// Leaves all to the balloon driver; returns the balance that becomes its business, and what of a
    /// debt is not.
    pub(crate) fn hand_over(&mut self) -> HandedOver {
        let deferred = core::mem::take(&mut self.deferred);
        let balance = core::mem::take(&mut self.balance) + deferred as i64;
        drop(core::mem::take(&mut self.readahead));
        self.stock.return_all(&mut self.frames);
        drop(core::mem::take(&mut self.frames));
        handover::hand_over(balance);
        HandedOver { balance, deferred }
    }
}

impl Drop for Pages {
    /// A driver that fails to begin leaves all as it found it.
    fn drop(&mut self) {
        self.hand_over();
    }
}

/// Puts the time since the last split down to a step.
fn note(stopwatch: &mut Stopwatch, step: Step) {
    let phase = match step {
        Step::Unmap => Phase::Unmap,
        Step::Release => Phase::Release,
        Step::Populate => Phase::Populate,
        Step::Map => Phase::Map,
    };
    stopwatch.split(phase, now());
}

/// The pages the domain could give without hurting itself.
pub(crate) fn spare(memory: &Memory) -> u64 {
    if_at_target(client::on_demand(memory, 0, Urgency::Normal)).spare
}

/// Nothing is given by a domain that is not as large as its toolstack wants.
fn if_at_target(bound: Bound) -> Bound {
    if balloon::is_at_target() {
        bound
    } else {
        Bound { spare: 0, ..bound }
    }
}

/// What the kernel says of its memory.
pub(crate) fn kernel_memory() -> Memory {
    Memory {
        total: memory::total() as u64,
        available: memory::available() as u64,
        free: memory::free() as u64,
        movable_only: memory::free_movable_only() as u64,
        cache: memory::page_cache() as u64,
        protected: memory::protected() as u64,
    }
}

/// As [`kernel_memory`], had it what is held.
fn kernel_memory_with(held: &Held) -> Memory {
    let mut memory = kernel_memory();
    memory.available += held.pages() as u64;
    memory
}

/// Holds what a domain that `keeps` so much holds while it gives `pages`. Returns whether it could.
fn hold(held: &mut Held, memory: &Memory, pages: usize, keeps: u64) -> bool {
    if held.pages() > 0 {
        return true;
    }
    let holds = client::holds(memory, pages as u64, keeps) as usize;
    if holds > 0 {
        // Some more, or the next who wants little would have to wait for as much again.
        *held = Held::reclaim(holds + BATCH);
    }
    let could = held.pages() >= holds;
    held.shrink_to(holds);
    could
}

/// Allocates up to `wanted` zeroed pages, the largest extents first.
fn allocate(wanted: usize, urgency: Urgency) -> Extents<Allocated> {
    let mut pages = Extents::new();
    let mut order = MAX_ORDER;

    while pages.pages() < wanted {
        order = order.min((wanted - pages.pages()).ilog2());
        // Only single pages are worth reclaiming for, and not for the mere reserve.
        let effort = if order == 0 && urgency != Urgency::Background {
            Effort::Reclaim
        } else {
            Effort::FreeOnly
        };
        if !pages.allocate(order, effort) {
            if order == 0 {
                break;
            }
            order -= 1;
        }
    }
    pages
}
