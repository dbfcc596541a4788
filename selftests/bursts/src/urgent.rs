// SPDX-License-Identifier: GPL-2.0

//! Running before what is to be watched.

use std::ffi::c_int;

extern "C" {
    fn sched_setscheduler(pid: c_int, policy: c_int, parameter: *const c_int) -> c_int;
}

/// Linux's `SCHED_FIFO`.
const FIFO: c_int = 1;
const LOWEST_PRIORITY: c_int = 1;

/// Has this thread run as soon as it wakes up, whoever else would run. Returns whether it may.
pub fn run_first() -> bool {
    // SAFETY: 0 is the calling thread, and what is pointed to is a `struct sched_param`, which has
    // one number.
    unsafe { sched_setscheduler(0, FIFO, &LOWEST_PRIORITY) == 0 }
}
