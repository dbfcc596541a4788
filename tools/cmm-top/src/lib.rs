// SPDX-License-Identifier: GPL-2.0

//! Who has borrowed and lent memory on this host, as Dom0 sees it.
//!
//! `reader` reads what there is into the `model`; all others show that: on a screen (`keys`, `view`), as text
//! (`batch`), in files (`csv`, `prometheus`), and as a picture of what was put in a file (`draw`).

#![forbid(unsafe_code)]

pub mod arguments;
pub mod batch;
pub mod csv;
pub mod draw;
pub mod keys;
pub mod knobs;
pub mod ledger;
pub mod model;
pub mod prometheus;
pub mod reader;
pub mod screen;
pub mod sort;
pub mod table;
pub mod text;
pub mod transfer;
pub mod view;
pub mod xenstore;
