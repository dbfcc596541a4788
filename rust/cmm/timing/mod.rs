// SPDX-License-Identifier: GPL-2.0

//! Where the time of transfers goes: of the last in [`Stopwatch`], of all in [`Histograms`].

mod histogram;
mod stopwatch;

pub use histogram::Histograms;
pub use stopwatch::{Phase, Span, Stopwatch};
