// SPDX-License-Identifier: GPL-2.0

//! Reads numbers off the front of the fuzzer's bytes; zeroes after their end.

/// What is left of them.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl Input<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        let (head, rest) = self.0.split_at(N.min(self.0.len()));
        taken[..head.len()].copy_from_slice(head);
        self.0 = rest;
        taken
    }

    pub(crate) fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.take())
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    /// A number that is small, or at an edge, more often than by chance.
    pub(crate) fn number(&mut self) -> u64 {
        match self.u8() {
            small @ 0..=199 => small.into(),
            200..=239 => self.u16().into(),
            240..=250 => self.u32().into(),
            251 => 1 << 28,
            252 => (1 << 28) + 1,
            253 => u64::MAX,
            _ => self.u64(),
        }
    }
}
