// SPDX-License-Identifier: GPL-2.0

//! Room for entries.

use core::ops::DerefMut;

/// Room for entries: places that are numbered from 0 on, and stay where they are.
///
/// Every access of every table goes through [`place`](Self::place) or
/// [`place_mut`](Self::place_mut), so that a storage that counts them knows what an event costs.
pub trait Storage {
    /// What a place holds.
    type Item: 'static;

    /// How many places there are.
    fn places(&self) -> usize;

    /// One of them, if it is there.
    fn place(&self, at: usize) -> Option<&Self::Item>;

    /// One of them, to be changed.
    fn place_mut(&mut self, at: usize) -> Option<&mut Self::Item>;
}

impl<P: 'static, S: DerefMut<Target = [P]>> Storage for S {
    type Item = P;

    fn places(&self) -> usize {
        self.len()
    }

    fn place(&self, at: usize) -> Option<&P> {
        self.get(at)
    }

    fn place_mut(&mut self, at: usize) -> Option<&mut P> {
        self.get_mut(at)
    }
}

/// Storage in chunks of `N` places each, so that it grows without a copy of what is there.
///
/// `S` is a list of chunks, each of which derefs to exactly `N` places: what is in a shorter one is
/// not found.
#[derive(Clone, Debug)]
pub struct Chunks<S, const N: usize>(pub S);

impl<P, C, S, const N: usize> Storage for Chunks<S, N>
where
    P: 'static,
    C: DerefMut<Target = [P]> + 'static,
    S: DerefMut<Target = [C]>,
{
    type Item = P;

    fn places(&self) -> usize {
        self.0.len().saturating_mul(N)
    }

    fn place(&self, at: usize) -> Option<&P> {
        self.0.get(at.checked_div(N)?)?.get(at.checked_rem(N)?)
    }

    fn place_mut(&mut self, at: usize) -> Option<&mut P> {
        let chunk = self.0.get_mut(at.checked_div(N)?)?;
        chunk.get_mut(at.checked_rem(N)?)
    }
}
