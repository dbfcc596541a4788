// SPDX-License-Identifier: GPL-2.0

//! Trace events of coordinated memory management, which
//! `rust/bindings/trace/events/xen_cmm.h` describes.
//!
//! An event that nobody listens to costs an instruction that does nothing. What its arguments cost
//! comes on top, unless it is asked first whether anybody does.
//!
//! A module must be linked with the C object that defines what it uses: those that begin with
//! `front` and those that begin with `back` are in one each.
//!
//! # Examples
//!
//! ```
//! use xen::trace;
//!
//! fn answered(dom: u16, id: u32, pages: u64) {
//!     trace::back_took(dom.into(), id, pages);
//! }
//!
//! fn shut_out(dom: u16, left: impl FnOnce() -> u64) {
//!     if trace::back_shut_out_is_on() {
//!         trace::back_shut_out(dom.into(), left());
//!     }
//! }
//! ```

use crate::bindings;
use kernel::{
    jump_label::static_branch_unlikely,
    macros::paste, //
};

/// What Dom0 wants of a domain, as events have it.
pub mod kind {
    /// That it gives.
    pub const RECLAIM: u32 = 0;
    /// That it takes.
    pub const GIVE: u32 = 1;
    /// That it returns credit.
    pub const REVOKE: u32 = 2;
}

/// By what a wish was met, as events have it.
pub mod way {
    /// It was not.
    pub const NOTHING: u32 = 0;
    /// By what was read ahead.
    pub const READ_AHEAD: u32 = 1;
    /// By credit.
    pub const CREDIT: u32 = 2;
    /// By Dom0.
    pub const DOM0: u32 = 3;
}

/// What a domain does by itself, as events have it.
pub mod step {
    /// It asks for memory of others.
    pub const ASK: u32 = 0;
    /// It asks for its own, which it has lent.
    pub const ASK_OWN: u32 = 1;
    /// It gives back.
    pub const GIVE_BACK: u32 = 2;
}

/// A function for each event, which takes what the event's `TP_PROTO` has, and one that says whether
/// anybody listens.
macro_rules! events {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $kind:ty),*);)*) => { paste! { $(
        #[doc = concat!("Whether anybody listens to [`", stringify!($name), "`].")]
        #[inline(always)]
        pub fn [<$name _is_on>]() -> bool {
            // SAFETY: It is a tracepoint's static key, which C defines.
            unsafe {
                static_branch_unlikely!(
                    bindings::[<__tracepoint_cmm_ $name>],
                    bindings::tracepoint,
                    key
                )
            }
        }

        $(#[$doc])*
        #[inline(always)]
        pub fn $name($($argument: $kind),*) {
            if [<$name _is_on>]() {
                // SAFETY: The types of its arguments are those that C declares, and any number is
                // allowed. It may be called in any context.
                unsafe { bindings::[<rust_do_trace_cmm_ $name>]($($argument),*) }
            }
        }
    )* } };
}

events! {
    /// Somebody in this domain wishes for memory.
    fn front_request(pages: u64, deadline_us: u64, asker: u32);
    /// What came of that.
    fn front_answer(id: u32, way: u32, pages: u64, got: u64, reason: u32, error: u32, ns: u64);
    /// What was borrowed goes back.
    fn front_release(pages: u64, given: u64);
    /// Dom0 wants something.
    fn front_demand(id: u32, kind: u32, pages: u64, urgency: u32);
    /// It has been done.
    fn front_gave(id: u32, kind: u32, pages: u64, moved: u64, ns: u64);
    /// The kernel was about to kill a process.
    fn front_rescue(got: u64, reason: u32, error: u32, ns: u64);
    /// The domain is about to do something by itself.
    fn front_auto(step: u32, pages: u64, free: u64, available: u64, wanted: u64, rate: u64);
    /// The domain has settled.
    fn front_settle(before: i64, left: i64);

    /// A domain asks.
    fn back_request(dom: u32, id: u32, pages: u64, deadline_us: u64, asker: u32);
    /// It is answered.
    fn back_grant(dom: u32, id: u32, pages: u64, reason: u32);
    /// Dom0 asks a domain for something.
    fn back_ask(dom: u32, id: u32, kind: u32, pages: u64, urgency: u32);
    /// It has answered.
    fn back_answer(dom: u32, id: u32, pages: u64, moved: u64, whom: u32, ns: u64);
    /// A domain took what it was granted.
    fn back_took(dom: u32, id: u32, pages: u64);
    /// A domain took something on credit.
    fn back_drew(dom: u32, id: u32, pages: u64);
    /// A domain gave something back.
    fn back_release(dom: u32, id: u32, pages: u64);
    /// Xen lets a domain have more or less.
    fn back_cap(dom: u32, from: u64, to: u64);
    /// A domain is not listened to.
    fn back_shut_out(dom: u32, ns: u64);
}
