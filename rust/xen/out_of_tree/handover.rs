// SPDX-License-Identifier: GPL-2.0

//! A balance becomes the stock balloon driver's business, and is had back from it.
//!
//! C header: [`include/xen/balloon.h`](srctree/include/xen/balloon.h)

use crate::{
    balloon::{
        above_target,
        adjust_current, //
    },
    extents::{
        Extents,
        Unpopulated, //
    },
    frames::reclaim_from_balloon,
};
use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// How often, and how far apart, to look whether the balloon driver has done its work: for a
/// second.
const TRIES: u32 = 100;
const PAUSE: Delta = Delta::from_millis(10);

/// Makes a domain's balance the balloon driver's business, for a driver that goes away before it
/// could give back what it borrowed and have back what it lent. May sleep.
///
/// What was borrowed (`balance` > 0) counts as the domain's own from now on, and the balloon driver
/// gives it back when it can. What was lent counts as ballooned out: its frames must have been
/// dropped, and the balloon driver gets memory for them when Xen lets it.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
/// use xen::{extents::{Extents, Unpopulated}, out_of_tree::handover};
///
/// /// Leaves; returns what the next driver is to be told.
/// fn leave(balance: i64, frames: Extents<Unpopulated>) -> i64 {
///     drop(frames);
///     handover::hand_over(balance);
///     balance
/// }
///
/// /// Begins with what the last has left.
/// fn begin(left: i64) -> Result<(i64, Extents<Unpopulated>)> {
///     let mut frames = Extents::new();
///     let balance = handover::take_over(left, &mut frames)?;
///     Ok((balance, frames))
/// }
/// ```
pub fn hand_over(balance: i64) {
    adjust_current(balance);
}

/// Takes a balance back that was [handed over](hand_over), as far as it is still there. May sleep.
///
/// Returns what is: frames that lack memory are in `frames`. What was lent is lent again, all of
/// it, for Dom0 may owe it still. As far as the balloon driver has filled the domain up meanwhile,
/// it gives that back to Xen first; what it cannot give back soon is not lent any more.
///
/// # Errors
///
/// `ENOMEM`.
pub fn take_over(balance: i64, frames: &mut Extents<Unpopulated>) -> Result<i64> {
    let above = above_target();
    if balance >= 0 {
        let left = balance.min(above).max(0);
        adjust_current(-left);
        return Ok(left);
    }

    let lacking = balance.max(above).min(0);
    reclaim_from_balloon(lacking.unsigned_abs() as usize, frames)?;
    // These frames count apart from the size: they are no longer missing from it.
    adjust_current(-balance);
    let made_up = lacking - balance;
    if made_up == 0 {
        return Ok(balance);
    }
    let kept = wait_for_balloon().min(made_up);
    adjust_current(-kept);
    Ok(balance + kept)
}

/// Waits until the domain has no more than its toolstack wants, or the balloon driver seems to have
/// no luck. Returns by how many pages it has more.
fn wait_for_balloon() -> i64 {
    for _ in 0..TRIES {
        if above_target() <= 0 {
            break;
        }
        fsleep(PAUSE);
    }
    above_target().max(0)
}
