// SPDX-License-Identifier: GPL-2.0

//! What becomes of each frame of an extent that Xen is to take. Pure, so that it can be tried
//! anywhere: hypercalls are [`Xen`]'s.
//!
//! `XENMEM_decrease_reservation` works through the extents it is given, and through the frames of
//! each extent, and stops at the first frame that it cannot take. It returns how many *extents* it
//! has done. Of a list of single frames that says everything. Of a larger extent it says nothing
//! but that it is not done: the frames before the one refused are gone, and those behind it were
//! never tried.
//!
//! # How far it came
//!
//! Xen's count of the domain's pages does not tell. The balloon driver moves pages meanwhile, and a
//! frame that another domain still maps is taken, but counted until it is unmapped there. Nor does
//! trying again: a frame that is gone is refused just as one that Xen keeps. And where frames are
//! machine frames (PV), trying again is wrong: one that is gone may have become another page's of
//! the same domain meanwhile, and one that is gone but still mapped elsewhere is taken a second
//! time. There is nothing else to ask in such a domain, so it gives lists. They cost it little: Xen
//! reads their numbers as they lie, where it walks a PVH guest's page tables for each of them.
//!
//! Where Xen translates (PVH, HVM), frames are guest frames. Those of our pages nobody but us takes
//! out or puts in, so that what is true of one stays true: Xen has an entry for it or not, and a
//! frame that it took has none, whoever maps the memory that was there. Two things tell whether
//! there is one:
//!
//! - Xen's word that it is memory ([`Xen::has_memory`]), a hypercall. A frame of which Xen says so
//!   is not gone. (It says so of another domain's page, too, that is mapped there by a grant.) One
//!   of which it does not is gone, or is no memory: a device's, say.
//! - Reading it ([`Xen::reads_as_nothing`]), which costs next to nothing as long as there is
//!   something there. What has no entry reads as all ones. (So may memory, for that is what it may
//!   contain.)
//!
//! An extent is given as one only if none of its frames reads as nothing *before*. So each has an
//! entry, and afterwards those without one are exactly those that Xen took: the frames up to the
//! first that has one. From there on the extent is a list of single frames.

use core::ops::Range;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Xen took it. The domain has less by this page, at the latest when no other domain maps it.
    Taken,
    /// Xen refused it, and says that it is memory: it is as it was. (Xen had no memory itself, most
    /// likely, to note its absence.)
    Kept,
    /// Xen refused it, and it is no memory of this domain's, or nobody can tell: nobody may use it,
    /// and nothing may be put there.
    Parked,
}

/// Xen, as far as it concerns one extent.
pub(crate) trait Xen {
    /// Whether an extent whose frames all read as something may be given as one: whether what
    /// [`Xen::has_memory`] and [`Xen::reads_as_nothing`] say tells how far Xen came.
    fn tells(&mut self) -> bool;

    /// Gives the extent as one. Returns whether Xen took all of it.
    fn take_extent(&mut self) -> bool;

    /// Gives these frames one after the other. Returns how many Xen took before it stopped.
    fn take_frames(&mut self, frames: Range<usize>) -> usize;

    /// Whether Xen says that there is memory behind the frame.
    fn has_memory(&mut self, frame: usize) -> bool;

    /// Whether the frame reads as one without anything behind it.
    fn reads_as_nothing(&mut self, frame: usize) -> bool;
}

/// Has Xen take the `frames` frames of an extent. `fate` hears of each of them once, in ascending
/// order.
pub(crate) fn give(frames: usize, xen: &mut impl Xen, fate: &mut impl FnMut(Range<usize>, Fate)) {
    let mut next = give_extent(frames, xen);
    if next > 0 {
        fate(0..next, Fate::Taken);
    }
    while next < frames {
        let stop = next + xen.take_frames(next..frames).min(frames - next);
        if stop > next {
            fate(next..stop, Fate::Taken);
        }
        next = stop;
        if next < frames {
            let refused = if xen.has_memory(next) {
                Fate::Kept
            } else {
                Fate::Parked
            };
            fate(next..next + 1, refused);
            next += 1;
        }
    }
}

/// Gives the extent as one, if that can be told; returns how many frames Xen took, from the first
/// on.
fn give_extent(frames: usize, xen: &mut impl Xen) -> usize {
    let alone = frames == 1;
    if alone || !xen.tells() || (0..frames).any(|frame| xen.reads_as_nothing(frame)) {
        return 0;
    }
    if xen.take_extent() {
        return frames;
    }
    (0..frames)
        .find(|&frame| xen.has_memory(frame) || !xen.reads_as_nothing(frame))
        .unwrap_or(frames)
}
