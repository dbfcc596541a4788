// SPDX-License-Identifier: GPL-2.0

//! Memory: room for the coordinator's domains and for the links, which grows without a copy of what is there.

use cmm::tables::Chunks;
use kernel::prelude::*;

/// For how many domains more room is made at a time.
pub(crate) const CHUNK: usize = 32;

/// Room for as many as there are domains.
pub(crate) type Room<T> = Chunks<KVVec<KVVec<T>>, CHUNK>;

/// Room for one chunk more than `chunks`. Only the last has any: the others are to take the place of those there are.
pub(crate) fn after<T: Default>(chunks: usize) -> Result<Room<T>> {
    let mut room = KVVec::with_capacity(chunks + 1, GFP_KERNEL)?;
    for _ in 0..chunks {
        room.push(KVVec::new(), GFP_KERNEL)?;
    }
    let mut chunk = KVVec::with_capacity(CHUNK, GFP_KERNEL)?;
    for _ in 0..CHUNK {
        chunk.push(T::default(), GFP_KERNEL)?;
    }
    room.push(chunk, GFP_KERNEL)?;
    Ok(Chunks(room))
}

/// Moves the chunks there are into larger room, which was made for so many. Nothing is copied, allocated or freed: the old
/// list comes back.
pub(crate) fn extend<T>(old: &mut Room<T>, mut new: Room<T>) -> Room<T> {
    if new.0.len() > old.0.len() {
        for (old, new) in old.0.iter_mut().zip(new.0.iter_mut()) {
            core::mem::swap(old, new);
        }
        core::mem::swap(old, &mut new);
    }
    new
}
