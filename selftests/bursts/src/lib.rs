// SPDX-License-Identifier: GPL-2.0

//! What memory programs need, moment by moment: recorded, kept in small files, and looked at.
//!
//! Sizes are in pages of 4 KiB, times in microseconds of a clock that never goes back.

pub mod group;
pub mod notice;
pub mod numbers;
pub mod player;
pub mod random;
pub mod recorder;
pub mod recording;
pub mod rise;
pub mod series;
pub mod shapes;
pub mod sharing;
pub mod touched;
pub mod urgent;
pub mod varint;
pub mod watched;
