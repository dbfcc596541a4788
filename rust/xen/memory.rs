// SPDX-License-Identifier: GPL-2.0

//! This domain's own memory reservation: giving pages back to Xen and getting others.
//!
//! [`Workspace::release`] makes allocated pages unpopulated, [`Workspace::populate`] makes
//! unpopulated ones populated. What Xen refuses to take stays as it was if there is memory behind
//! it still; otherwise it is *parked*: nobody has it any more, and it is never used again.
//!
//! C headers: [`include/xen/interface/memory.h`](srctree/include/xen/interface/memory.h),
//! [`include/xen/mem-reservation.h`](srctree/include/xen/mem-reservation.h)

use crate::{
    bindings,
    domain::{
        self,
        DomId, //
    },
    extents::{
        push_run,
        Allocated,
        Extents,
        Populated,
        Present,
        Unpopulated,
        MAX_EXTENT,
        MAX_ORDER, //
    },
    frame_section::FrameSection,
    removal::{
        self,
        Fate, //
    },
    x86::mappings::Mappings, //
};
use core::{
    ops::Range,
    ptr::NonNull, //
};
use kernel::prelude::*;
use pin_init::init_zeroed;

/// How hard to try for a page. [`Extents`] has an example of its use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Take what is free, and wake nobody.
    FreeOnly,
    /// Reclaim a little, if need be: no retries, no reserves, never the OOM killer.
    Reclaim,
}

impl Extents<Allocated> {
    /// Allocates an extent of zeroed pages: whatever they held before is gone.
    ///
    /// Returns whether there was one: there is none of an order above [`MAX_ORDER`]. May sleep.
    pub fn allocate(&mut self, order: u32, effort: Effort) -> bool {
        if order > MAX_ORDER {
            return false;
        }
        // SAFETY: A constant of C's.
        let mut flags = unsafe { bindings::xen_helper_gfp_donate };
        if effort == Effort::Reclaim {
            flags |= bindings::GFP_KERNEL;
        }

        // SAFETY: The flags are those of a context that may sleep, as this is.
        let page = unsafe { bindings::alloc_pages(flags, order) };
        match NonNull::new(page) {
            Some(page) => {
                // SAFETY: The pages have just been allocated for us, as an extent of this order.
                unsafe { self.push(page, order) };
                true
            }
            None => false,
        }
    }
}

/// The pages this domain could give away without harm to itself, in pages, as the kernel estimates
/// it (`MemAvailable`).
pub fn available() -> usize {
    // SAFETY: Reads counters, in any context.
    usize::try_from(unsafe { bindings::si_mem_available() }).unwrap_or(0)
}

/// The pages the kernel manages (`MemTotal`).
pub fn total() -> usize {
    // SAFETY: Reads a counter, in any context.
    unsafe { bindings::xen_helper_total_ram() as usize }
}

/// The pages that are free (`MemFree`). May be called in any context.
pub fn free() -> usize {
    // SAFETY: Reads a counter, in any context.
    unsafe { bindings::xen_helper_free_pages() as usize }
}

/// The free pages of [`available`] that only movable pages can have (`CmaFree`): none that
/// [`Extents::allocate`] could give. May be called in any context, as all that follow up to
/// [`committed`].
pub fn free_movable_only() -> usize {
    // SAFETY: Reads a counter, in any context.
    unsafe { bindings::xen_helper_free_movable_only() as usize }
}

/// The pages of the page cache that could be reclaimed, but for what control groups protect.
pub fn page_cache() -> usize {
    // SAFETY: Reads counters, in any context.
    unsafe { bindings::xen_helper_page_cache() as usize }
}

/// The pages in use, of the page cache or not, that control groups protect from being reclaimed.
pub fn protected() -> usize {
    // SAFETY: Reads counters, in any context, of a control group that is there for ever.
    unsafe { bindings::xen_helper_protected() as usize }
}

/// The pages the kernel has promised its processes (`Committed_AS`).
pub fn committed() -> usize {
    // SAFETY: Reads a counter, in any context.
    unsafe { bindings::xen_helper_committed() as usize }
}

/// Whether the kernel would promise its processes so many pages more. A kernel that promises no more
/// than it has (`vm.overcommit_memory=2`) must not get smaller by more than that: all processes
/// would be refused memory. If it would not, it says so in its log. May sleep.
pub fn may_commit(pages: usize) -> bool {
    // SAFETY: It may sleep here, and takes any number.
    unsafe { bindings::xen_helper_may_commit(pages as c_ulong) }
}

/// What is done with each extent. [`Workspace`] has an example of its use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its mappings are removed.
    Unmap,
    /// Its memory is given back to Xen.
    Release,
    /// Xen puts memory behind it.
    Populate,
    /// It is mapped.
    Map,
}

/// Work space for changing this domain's reservation: an extent at a time.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
/// use xen::{
///     extents::{Allocated, Extents, Populated, Unpopulated},
///     memory::{Step, Workspace},
/// };
///
/// /// Gives memory to Xen. The frames are needed to have some back.
/// fn lend(space: &mut Workspace, mut pages: Extents<Allocated>) -> Extents<Unpopulated> {
///     let mut frames = Extents::new();
///     space.release(&mut pages, &mut frames, &mut |_| ());
///     frames
/// }
///
/// /// Has memory back for some frames, and counts the extents that got some.
/// fn have_back(space: &mut Workspace, frames: &mut Extents<Unpopulated>) -> usize {
///     let mut extents = 0;
///     let mut fresh: Extents<Populated> = Extents::new();
///     space.populate(frames, &mut fresh, &mut |step| {
///         extents += usize::from(step == Step::Map);
///     });
///     // The page allocator gets it.
///     drop(fresh);
///     extents
/// }
/// ```
pub struct Workspace {
    frames: [bindings::xen_pfn_t; MAX_EXTENT],
    mappings: Mappings,
    /// Xen has said of a frame that there is memory behind it, so it says when there is not.
    tells_memory: bool,
}

impl Workspace {
    /// Allocates the work space, which is four pages large: more than a stack has.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> Result<KBox<Self>> {
        KBox::init(
            init!(Self {
                frames <- init_zeroed(),
                mappings <- Mappings::new(),
                tells_memory: false,
            }),
            GFP_KERNEL,
        )
    }

    /// Gives the memory behind `from` back to Xen; the unpopulated pages go to `to`.
    ///
    /// The kernel counts the pages as its own no longer. Returns the number of pages that Xen took.
    /// That is what the domain has less, though Xen counts a page that another domain maps until it
    /// does so no more. Xen refuses a page that is none of this domain's, or if it lacks memory
    /// itself to note that the page is gone. A refused page that is as it was stays in `from`, in
    /// an extent of its own; any other is parked. `done` hears of each step after it; it must not
    /// sleep.
    pub fn release<C: Present>(
        &mut self,
        from: &mut Extents<C>,
        to: &mut Extents<Unpopulated>,
        done: &mut dyn FnMut(Step),
    ) -> usize {
        let mut released = 0;
        let mut kept = Extents::new();

        while let Some((page, order)) = from.pop() {
            // SAFETY: `pop` gave us the pages, in condition `C`, and we give them away.
            let extent = unsafe { self.release_extent(page, order, &mut kept, to, done) };
            if C::COUNTED {
                let gone = extent.taken + extent.parked;
                // SAFETY: As many pages, which are the allocator's no more, and it counts those
                // here.
                unsafe { bindings::adjust_managed_page_count(page.as_ptr(), -(gone as c_long)) };
            }
            released += extent.taken;
            done(Step::Release);
        }
        from.append(&mut kept);
        released
    }

    /// # Safety
    ///
    /// The caller must own the `1 << order` pages at `page`, in condition `C`, and gives them away.
    unsafe fn release_extent<C: Present>(
        &mut self,
        page: NonNull<bindings::page>,
        order: u32,
        kept: &mut Extents<C>,
        to: &mut Extents<Unpopulated>,
        done: &mut dyn FnMut(Step),
    ) -> Released {
        let count = 1 << order;
        let mut released = Released::default();

        let section = FrameSection::begin();
        for (i, frame) in self.frames.iter_mut().take(count).enumerate() {
            // SAFETY: By the safety requirements the page is ours, in a condition in which there is
            // memory behind it.
            *frame = unsafe { bindings::xen_helper_page_to_gfn(page.as_ptr().add(i)) };
        }

        // The mappings go first: of memory that is not ours there must be none.
        //
        // SAFETY: By the safety requirements the pages are ours, so that nobody uses them.
        unsafe { self.mappings.unmap(page, count) };
        // SAFETY: Flushes what is no more mapped, in any context.
        unsafe { bindings::xen_helper_flush_tlb_all() };
        done(Step::Unmap);

        let mut extent = Extent {
            space: self,
            first: page,
            order,
        };
        removal::give(count, &mut extent, &mut |run, fate| {
            // SAFETY: The pages are ours, and each comes here once. Those that Xen took are no more
            // than frames without memory; parked ones are nobody's from now on; those that Xen kept
            // are as they were, for where Xen says so, nothing has been unmapped.
            unsafe {
                match fate {
                    Fate::Taken => {
                        set_unpopulated(page, run.clone());
                        push_run(to, page, run.start, run.end);
                        released.taken += run.len();
                    }
                    Fate::Parked => {
                        set_unpopulated(page, run.clone());
                        released.parked += run.len();
                    }
                    Fate::Kept => {
                        for i in run {
                            let page = page.add(i);
                            bindings::xen_helper_pages_make_single(page.as_ptr(), 0);
                            kept.push(page, 0);
                        }
                    }
                }
            }
        });
        drop(section);

        if released.taken < count {
            pr_warn!(
                "Xen took {} of {} pages from frame {:#x} on; {} of the others cannot be used any more\n",
                released.taken,
                count,
                self.frames[0],
                released.parked,
            );
        }
        released
    }

    /// Gets memory from Xen for the pages of `from`, which go to `to`.
    ///
    /// Stops when Xen has no more for this domain; what is left stays in `from`. Returns the number
    /// of pages that got memory. `done` hears of each step after it; it must not sleep.
    pub fn populate(
        &mut self,
        from: &mut Extents<Unpopulated>,
        to: &mut Extents<Populated>,
        done: &mut dyn FnMut(Step),
    ) -> usize {
        let mut populated = 0;

        while let Some((page, order)) = from.pop() {
            let section = FrameSection::begin();
            let got = self.populate_extent(page, order);
            done(Step::Populate);
            if let Some(frames) = self.frames.get_mut(..got) {
                // SAFETY: The frames are ours, got for these pages, which are ours and mapped
                // nowhere.
                unsafe { self.mappings.map(page, frames) };
            }
            drop(section);
            done(Step::Map);
            populated += got;
            // SAFETY: `pop` gave us the extent, and Xen has put memory behind its first `got`
            // pages.
            unsafe { push_run(to, page, 0, got) };

            if got < 1 << order {
                // SAFETY: `pop` gave us the extent, and this part of it is unpopulated still.
                unsafe { push_run(from, page, got, 1 << order) };
                break;
            }
        }
        populated
    }

    /// Returns how many of the pages, counted from the first, got memory: `self.frames` lists
    /// which.
    fn populate_extent(&mut self, page: NonNull<bindings::page>, order: u32) -> usize {
        let count = 1 << order;
        // SAFETY: The caller has the page from `pop`, so it is valid.
        let pfn = unsafe { bindings::xen_helper_page_to_pfn(page.as_ptr()) };

        // As one extent, if Xen has one of that size ...
        self.frames[0] = pfn;
        if self.memory_op(bindings::XENMEM_populate_physmap, 0..1, order) == 1 {
            let base = self.frames[0];
            for (frame, i) in self.frames[..count].iter_mut().zip(base..) {
                *frame = i;
            }
            return count;
        }
        if order == 0 {
            return 0;
        }

        // ... or else page by page.
        for (frame, i) in self.frames[..count].iter_mut().zip(pfn..) {
            *frame = i;
        }
        self.memory_op(bindings::XENMEM_populate_physmap, 0..count, 0)
    }

    /// Has Xen work on these extents of `self.frames`; returns how many it has done, from the first
    /// on.
    fn memory_op(&mut self, cmd: u32, extents: Range<usize>, order: u32) -> usize {
        let Some(frames) = self.frames.get_mut(extents) else {
            return 0;
        };
        let mut op = bindings::xen_memory_reservation {
            extent_start: frames.as_mut_ptr(),
            nr_extents: frames.len() as bindings::xen_ulong_t,
            extent_order: order,
            address_bits: 0,
            domid: DomId::SELF.0,
        };
        // SAFETY: Both commands take this structure, which is there for the call. Xen reads and
        // writes `nr_extents` numbers at `extent_start`: as many as `frames` has.
        let done = unsafe { bindings::xen_helper_memory_op(cmd, (&raw mut op).cast()) };
        usize::try_from(done).unwrap_or(0)
    }
}

/// What became of an extent's pages, but for those that are as they were.
#[derive(Default)]
struct Released {
    taken: usize,
    parked: usize,
}

/// An extent that is being given to Xen. Its frames are at the beginning of `space.frames`.
struct Extent<'a> {
    space: &'a mut Workspace,
    first: NonNull<bindings::page>,
    order: u32,
}

impl removal::Xen for Extent<'_> {
    /// Whether frames are guest frames, and Xen lets the domain ask for what is behind them.
    fn tells(&mut self) -> bool {
        if !domain::is_pv() && !self.space.tells_memory {
            self.space.tells_memory = self.has_memory(0);
        }
        self.space.tells_memory
    }

    fn take_extent(&mut self) -> bool {
        self.space
            .memory_op(bindings::XENMEM_decrease_reservation, 0..1, self.order)
            == 1
    }

    fn take_frames(&mut self, frames: Range<usize>) -> usize {
        self.space
            .memory_op(bindings::XENMEM_decrease_reservation, frames, 0)
    }

    /// A PV domain is refused only what is not its own.
    fn has_memory(&mut self, frame: usize) -> bool {
        let Some(&frame) = self.space.frames.get(frame) else {
            return false;
        };
        // SAFETY: Asks Xen, in any context, and with any number.
        !domain::is_pv() && unsafe { bindings::xen_helper_has_memory(frame) }
    }

    fn reads_as_nothing(&mut self, frame: usize) -> bool {
        // SAFETY: The extent is ours, so its pages are valid, and `frame` is one of them.
        let page = unsafe { bindings::xen_helper_page_address(self.first.as_ptr().add(frame)) };
        // SAFETY: Only asked where frames are guest frames, and there the kernel's mapping of a
        // page of its own is never removed. Xen lets a domain read what has nothing behind it. The
        // value may be anything, and may change: whoever mapped the page may write to it.
        unsafe { page.cast::<u64>().read_volatile() == u64::MAX }
    }
}

/// Marks pages `run` of an extent as frames without memory, which nobody may touch.
///
/// # Safety
///
/// The caller must own these pages of the extent at `page`.
unsafe fn set_unpopulated(page: NonNull<bindings::page>, run: Range<usize>) {
    // SAFETY: By the safety requirements these pages are the caller's, so that nobody else looks at
    // what is marked on them.
    unsafe {
        bindings::xen_helper_pages_set_unpopulated(
            page.as_ptr().add(run.start),
            run.len() as c_ulong,
        );
    }
}
