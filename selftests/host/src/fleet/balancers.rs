// SPDX-License-Identifier: GPL-2.0

//! What other balancers would have each domain have: their rules, as pure functions of what domains
//! use and have. All in pages.

use super::demand::MIB;

/// What is known of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// What it uses.
    pub used: u64,
    /// What it has.
    pub size: u64,
    /// What it may have at least, and at most.
    pub floor: u64,
    /// As `floor`.
    pub ceiling: u64,
}

/// qmemman's way: each is to have 1.3 times what it uses, and what is left is shared in that proportion.
/// If there is too little, those that have more than that give the rest of it up for those that have
/// less, in that proportion. Small changes are not worth making.
pub fn qmemman(all: &[Known], free: u64) -> Vec<u64> {
    /// What is kept free for whoever is started.
    const SAFETY: u64 = 50 * MIB;
    /// Who has so much more than it should have is left alone.
    const FEW: u64 = 10 * MIB;
    /// Nothing is done for less, unless somebody lacks some.
    const TRANSFER: u64 = 150 * MIB;
    const LACKS: u64 = 15 * MIB;
    let prefers = |known: &Known| (known.used * 13 / 10).clamp(known.floor, known.ceiling);
    let wanted: u64 = all.iter().map(prefers).sum();
    let have: u64 = all.iter().map(|known| known.size).sum::<u64>() + free.saturating_sub(SAFETY);
    let targets: Vec<u64> = if have > wanted {
        let left = u128::from(have - wanted);
        let share =
            |known: &Known| (left * u128::from(prefers(known)) / u128::from(wanted.max(1))) as u64;
        let target = |known: &Known| (prefers(known) + share(known)).min(known.ceiling);
        all.iter().map(target).collect()
    } else {
        short(all, free.saturating_sub(SAFETY), FEW, prefers)
    };
    let change = |(known, target): (&Known, &u64)| target.abs_diff(known.size);
    let moved: u64 = all.iter().zip(&targets).map(change).sum();
    let lacks = all.iter().zip(&targets).any(|(known, target)| {
        known.size < prefers(known) && target.saturating_sub(known.size) > LACKS
    });
    if lacks || moved >= TRANSFER {
        targets
    } else {
        all.iter().map(|known| known.size).collect()
    }
}

/// Those who have `few` more than they prefer give it up, for those who have less.
fn short(all: &[Known], free: u64, few: u64, prefers: impl Fn(&Known) -> u64) -> Vec<u64> {
    let gives = |known: &Known| {
        let more = known.size.saturating_sub(prefers(known));
        if more > few {
            more
        } else {
            0
        }
    };
    let given: u64 = all.iter().map(gives).sum::<u64>() + free;
    let is_short = |known: &&Known| known.size < prefers(known);
    let all_short: u64 = all.iter().filter(is_short).map(&prefers).sum();
    let target = |known: &Known| {
        if !is_short(&known) {
            return known.size - gives(known);
        }
        let part = u128::from(given) * u128::from(prefers(known)) / u128::from(all_short.max(1));
        (known.size + part as u64).min(known.ceiling)
    };
    all.iter().map(target).collect()
}

/// squeezed's way: each has its floor, and the same part of what is between that and what it would
/// have at most, which is what it uses and a tenth, so that all memory is used.
pub fn squeezed(all: &[Known], free: u64) -> Vec<u64> {
    let most = |known: &Known| (known.used * 11 / 10).clamp(known.floor, known.ceiling);
    let have: u64 = all.iter().map(|known| known.size).sum::<u64>() + free;
    let floors: u64 = all.iter().map(|known| known.floor).sum();
    let between: u64 = all.iter().map(|known| most(known) - known.floor).sum();
    let above = u128::from(have.saturating_sub(floors));
    let target = |known: &Known| {
        let part = above * u128::from(most(known) - known.floor) / u128::from(between.max(1));
        (known.floor + part as u64).min(known.ceiling)
    };
    all.iter().map(target).collect()
}

/// What a guest that balloons by itself would have: what it uses and a tenth. It goes up to that at
/// once, and down by an eighth of the way each time.
pub fn self_balloon(known: &Known) -> u64 {
    const DOWN: u64 = 8;
    let goal = (known.used * 11 / 10).clamp(known.floor, known.ceiling);
    if goal >= known.size {
        goal
    } else {
        known.size - (known.size - goal) / DOWN
    }
}
