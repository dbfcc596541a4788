// SPDX-License-Identifier: GPL-2.0

//! What a program uses: taken from the kernel a MiB at a time, as programs do, so that what it may use is counted as
//! committed only when it is about to be used; and touched page by page.

use std::io;

use cmm_bursts::touched::Touched;

/// Pages that are asked for at once.
const CHUNK: usize = 256;

/// What is used.
#[derive(Debug, Default)]
pub struct Memory {
    chunks: Vec<Touched>,
}

impl Memory {
    /// Nothing yet, and room for the books of so many pages.
    pub fn new(most: u64) -> Self {
        Self {
            chunks: Vec::with_capacity(most as usize / CHUNK + 1),
        }
    }

    /// Pages in use.
    pub fn used(&self) -> u64 {
        let last = self.chunks.last().map_or(CHUNK, Touched::used);
        (self.chunks.len() * CHUNK + last - CHUNK) as u64
    }

    /// Uses a page more.
    ///
    /// # Errors
    ///
    /// The kernel promises no more.
    pub fn touch(&mut self) -> io::Result<()> {
        if self.chunks.last().is_none_or(|last| last.used() == CHUNK) {
            self.chunks.push(Touched::committed(CHUNK)?);
        }
        if let Some(last) = self.chunks.last_mut() {
            last.touch();
        }
        Ok(())
    }

    /// Uses no more than so many pages.
    pub fn shrink(&mut self, pages: u64) {
        let pages = pages as usize;
        self.chunks.truncate(pages.div_ceil(CHUNK));
        if let Some(last) = self.chunks.last_mut().filter(|_| pages % CHUNK > 0) {
            last.shrink(pages % CHUNK);
        }
    }
}
