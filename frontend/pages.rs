// SPDX-License-Identifier: GPL-2.0

//! Memory: what this domain borrows and lends, and how it moves.

use cmm::{
    client::{
        self,
        Holdings, //
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
    /// What was available when it began to borrow; 0 if nobody knows.
    before: u64,
    /// What was available lately; 0 if nobody has looked.
    lately: u64,
}

impl Pages {
    /// Begins with what an earlier driver has handed over to the balloon driver.
    pub(crate) fn new(handed_over: i64) -> Result<Self> {
        let workspace = Workspace::new()?;
        let mut frames = Extents::new();
        let balance = handover::take_over(handed_over, &mut frames)?;
        Ok(Self {
            workspace,
            prepopulated: Extents::new(),
            readahead: Extents::new(),
            frames,
            stock: BorrowedFrames::new(),
            balance,
            before: 0,
            lately: 0,
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
        }
    }

    /// What was read ahead and nobody has asked for yet, in pages.
    pub(crate) fn readahead(&self) -> u64 {
        self.readahead.pages() as u64
    }

    /// Takes `granted` pages from Xen, as Dom0 allows; returns how many it got. Those beyond `wanted`
    /// are readahead.
    pub(crate) fn take(&mut self, granted: u64, wanted: u64, stopwatch: &mut Stopwatch) -> u64 {
        let granted = usize::try_from(granted).unwrap_or(usize::MAX);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        self.remember_before();
        let mut fresh = self.populate(granted, stopwatch);
        let taken = fresh.pages();
        self.balance += taken as i64;
        self.readahead
            .append(&mut fresh.take(taken.saturating_sub(wanted)));
        free(fresh, stopwatch);
        taken as u64
    }

    /// Takes `wanted` of the pages that were read ahead, and count as borrowed already; none if
    /// there are not as many. Returns how many.
    pub(crate) fn take_readahead(&mut self, wanted: u64, stopwatch: &mut Stopwatch) -> u64 {
        if wanted > self.readahead() {
            return 0;
        }
        free(self.readahead.take(wanted as usize), stopwatch)
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
        free(drawn, stopwatch)
    }

    /// Somebody has found `available` pages lately, or nobody has if that is 0.
    pub(crate) fn found_available(&mut self, available: u64) {
        self.lately = available;
    }

    /// To look now would take longer than to free a page does.
    fn remember_before(&mut self) {
        if self.balance <= 0 {
            self.before = match self.lately {
                0 => memory::available() as u64,
                lately => lately,
            };
        }
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
        self.give_within(spare, wanted, urgency, stopwatch)
    }

    /// As [`Pages::give`], of what was borrowed: the domain keeps what it had before, not what a
    /// donor does. The size that the toolstack wants it to have does not matter.
    pub(crate) fn give_borrowed(&mut self, wanted: u64) -> u64 {
        let spare = self.spare_borrowed();
        self.give_within(spare, wanted, Urgency::Urgent, &mut Stopwatch::default())
    }

    fn spare_borrowed(&self) -> impl Fn() -> usize + use<> {
        let before = self.before;
        move || {
            let (available, total) = (memory::available() as u64, memory::total() as u64);
            client::spare_borrowed(available, total, before) as usize
        }
    }

    /// Brings the domain down to the size that its toolstack wants, as far as it can spare that. The
    /// stock balloon driver does not try again for an hour once it has failed some times.
    pub(crate) fn shrink_to_target(&mut self) {
        let spare = self.spare_borrowed();
        loop {
            let above = usize::try_from(balloon::above_target()).unwrap_or(0);
            let mut pages = allocate(above.min(BATCH).min(spare()), Urgency::Urgent);
            if pages.is_empty() {
                return;
            }
            let mut frames = Extents::new();
            let released = self.workspace.release(&mut pages, &mut frames, &mut |_| ());
            // Frames without memory become the balloon driver's when dropped, and now it knows.
            drop(frames);
            handover::hand_over(-(released as i64));
            if !pages.is_empty() {
                return;
            }
        }
    }

    /// As [`Pages::give`], in a domain whose processes are all frozen: nobody can be hurt.
    pub(crate) fn give_frozen(&mut self, wanted: u64) -> u64 {
        // They may not be for ever.
        let spare = || {
            if freezer::is_freezing() {
                client::spare_frozen(memory::available() as u64) as usize
            } else {
                0
            }
        };
        self.give_within(spare, wanted, Urgency::Urgent, &mut Stopwatch::default())
    }

    fn give_within(
        &mut self,
        spare: impl Fn() -> usize,
        wanted: u64,
        urgency: Urgency,
        stopwatch: &mut Stopwatch,
    ) -> u64 {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let mut given = 0;

        while given < wanted {
            let batch = (wanted - given).min(BATCH).min(spare());
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
            given += released;
            // Xen refused some: others would fare no better.
            if !pages.is_empty() {
                break;
            }
        }
        self.return_idle_frames(MAX_EXTENT);
        given as u64
    }

    /// Frames that lending does not account for: left over from a release, good for the next request.
    fn idle_frames(&self) -> usize {
        let lent = self.holdings().lent() as usize;
        self.frames.pages().saturating_sub(lent)
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

    /// Leaves all to the balloon driver; returns the balance that becomes its business.
    pub(crate) fn hand_over(&mut self) -> i64 {
        let balance = core::mem::take(&mut self.balance);
        drop(core::mem::take(&mut self.readahead));
        self.stock.return_all(&mut self.frames);
        drop(core::mem::take(&mut self.frames));
        handover::hand_over(balance);
        balance
    }
}

impl Drop for Pages {
    /// A driver that fails to begin leaves all as it found it.
    fn drop(&mut self) {
        self.hand_over();
    }
}

/// Gives pages to the page allocator; returns how many.
fn free(fresh: Extents<Populated>, stopwatch: &mut Stopwatch) -> u64 {
    let pages = fresh.pages();
    drop(fresh);
    stopwatch.split(Phase::Free, now());
    pages as u64
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
fn spare() -> usize {
    spare_of(memory::available() as u64) as usize
}

/// As [`spare`], if so many are available.
pub(crate) fn spare_of(available: u64) -> u64 {
    if balloon::is_at_target() {
        client::spare(available, memory::total() as u64)
    } else {
        0
    }
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
