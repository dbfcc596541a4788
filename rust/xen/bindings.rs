// SPDX-License-Identifier: GPL-2.0

//! Bindings of the Xen headers.
//!
//! Generated from `rust/bindings/bindings_helper.h` without the types those headers refer to: they
//! are the `kernel` crate's own, so that a `struct device` here is a `struct device` there.

#![allow(
    clippy::all,
    clippy::as_ptr_cast_mut,
    clippy::as_underscore,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unsafe_op_in_unsafe_fn,
    unreachable_pub
)]

pub(crate) use kernel::bindings::*;
use kernel::ffi;

include!(env!("XEN_BINDINGS"));
