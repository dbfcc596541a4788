// SPDX-License-Identifier: GPL-2.0

//! What became of each frame of an extent, wherever in it Xen stops.

#[path = "../../../rust/xen/removal.rs"]
mod removal;

use proptest::prelude::*;
use removal::{give, Fate};
use std::ops::Range;

/// What is behind a frame at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Memory,
    /// That happens to contain what one reads where nothing is.
    AllOnes,
    /// That another domain maps.
    Mapped,
    /// That Xen cannot take, and says so each time, or only the first.
    Starved,
    StarvedOnce,
    /// Nothing.
    Hole,
    /// Another domain's.
    Foreign,
}

use Kind::*;

#[derive(Clone, Copy)]
struct Frame {
    kind: Kind,
    tried: bool,
    taken: bool,
}

/// One extent, in a domain for which Xen translates or not.
struct Model {
    frames: Vec<Frame>,
    translates: bool,
    whole: usize,
}

impl Model {
    fn new(kinds: &[Kind], translates: bool) -> Self {
        let frame = |&kind| Frame {
            kind,
            tried: false,
            taken: false,
        };
        Self {
            frames: kinds.iter().map(frame).collect(),
            translates,
            whole: 0,
        }
    }

    fn take(&mut self, i: usize) -> bool {
        let translates = self.translates;
        let frame = &mut self.frames[i];
        let again = core::mem::replace(&mut frame.tried, true);
        if frame.taken {
            // A machine frame may be somebody else's by now.
            assert!(translates, "frame {i} is given again");
            return false;
        }
        frame.taken = match frame.kind {
            Memory | AllOnes | Mapped => true,
            StarvedOnce => again,
            Starved | Hole | Foreign => false,
        };
        frame.taken
    }

    fn is_ours(&self, i: usize) -> bool {
        !self.frames[i].taken && !matches!(self.frames[i].kind, Hole | Foreign)
    }
}

impl removal::Xen for Model {
    fn tells(&mut self) -> bool {
        self.translates
    }

    fn take_extent(&mut self) -> bool {
        self.whole += 1;
        (0..self.frames.len()).all(|i| self.take(i))
    }

    fn take_frames(&mut self, mut frames: Range<usize>) -> usize {
        let first = frames.start;
        let stop = frames.find(|&i| !self.take(i));
        stop.unwrap_or(frames.end) - first
    }

    fn has_memory(&mut self, i: usize) -> bool {
        self.translates && self.is_ours(i)
    }

    fn reads_as_nothing(&mut self, i: usize) -> bool {
        assert!(self.translates, "no mapping to read frame {i} by");
        self.frames[i].taken || matches!(self.frames[i].kind, Hole | AllOnes)
    }
}

/// Gives an extent; returns each frame's fate, having compared it with the truth.
fn fates(model: &mut Model) -> Vec<Fate> {
    let mut fates = Vec::new();
    give(model.frames.len(), model, &mut |run, fate| {
        assert_eq!(run.start, fates.len(), "each frame once, in order");
        assert!(!run.is_empty());
        fates.resize(run.end, fate);
    });
    assert_eq!(fates.len(), model.frames.len(), "no frame is lost");
    for (i, fate) in fates.iter().enumerate() {
        let truth = if model.frames[i].taken {
            Fate::Taken
        } else if model.translates && model.is_ours(i) {
            Fate::Kept
        } else {
            Fate::Parked
        };
        assert_eq!(*fate, truth, "frame {i}, {:?}", model.frames[i].kind);
    }
    fates
}

fn all_of(kinds: &[Kind], translates: bool) -> Vec<Fate> {
    fates(&mut Model::new(kinds, translates))
}

#[test]
fn an_extent_is_given_as_one_where_that_tells_all() {
    let mut pvh = Model::new(&[Memory; 512], true);
    assert_eq!(fates(&mut pvh), [Fate::Taken; 512]);
    assert_eq!(pvh.whole, 1);
    let mut pv = Model::new(&[Memory; 512], false);
    assert_eq!(fates(&mut pv), [Fate::Taken; 512]);
    assert_eq!(pv.whole, 0);
}

#[test]
fn a_page_that_is_mapped_elsewhere_is_taken() {
    for i in 0..8 {
        let mut kinds = [Memory; 8];
        kinds[i] = Mapped;
        assert_eq!(all_of(&kinds, true), [Fate::Taken; 8]);
        assert_eq!(all_of(&kinds, false), [Fate::Taken; 8]);
    }
}

#[test]
fn one_refused_page_costs_no_other() {
    for (kind, refused) in [
        (Starved, Fate::Kept),
        (Hole, Fate::Parked),
        (Foreign, Fate::Parked),
    ] {
        for i in 0..8 {
            let mut kinds = [Mapped; 8];
            kinds[i] = kind;
            let mut wanted = [Fate::Taken; 8];
            wanted[i] = refused;
            assert_eq!(all_of(&kinds, true), wanted);
        }
    }
}

#[test]
fn what_was_not_there_is_not_counted() {
    assert_eq!(all_of(&[Hole; 4], true), [Fate::Parked; 4]);
    assert_eq!(all_of(&[Hole; 4], false), [Fate::Parked; 4]);
    assert_eq!(
        all_of(&[Hole, Starved, Memory, Hole], true),
        [Fate::Parked, Fate::Kept, Fate::Taken, Fate::Parked]
    );
}

fn kinds(of: &'static [Kind]) -> impl Strategy<Value = Vec<Kind>> {
    (0u32..=9).prop_flat_map(move |order| {
        let common = prop_oneof![30 => Just(Memory), 1 => prop::sample::select(of)];
        let rare = prop::sample::select(of);
        let len = 1 << order;
        prop_oneof![
            prop::collection::vec(common, len),
            prop::collection::vec(rare, len)
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4096, ..Default::default() })]

    #[test]
    fn fates_are_true_where_xen_translates(
        kinds in kinds(&[Memory, AllOnes, Mapped, Starved, StarvedOnce, Hole, Foreign])
    ) {
        all_of(&kinds, true);
    }

    /// There Xen needs no memory to take a frame.
    #[test]
    fn fates_are_true_of_machine_frames(kinds in kinds(&[Memory, AllOnes, Mapped, Hole, Foreign])) {
        all_of(&kinds, false);
    }
}
