// SPDX-License-Identifier: GPL-2.0

//! Settling: the domain gives back what it borrowed, and takes back what it lent.
//!
//! It does before its front-end goes, and before it is saved. Nothing at all is done for a domain
//! that would be too large to be restored even then: it goes on as it was.

use super::connection::Stage;
use super::holdings::Holdings;
use super::image::{is_restorable, least_left};

/// What to do to settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Release so many pages, and tell Dom0.
    Release(u64),
    /// Have so many pages back from Dom0, after what was read ahead has been given back.
    TakeBack(u64),
    /// Give so many pages back to Xen without a word: nobody is there, and the next connection's
    /// claim tells. What was read ahead goes first.
    GiveUnheard(u64),
}

/// What a domain does that has a connection, and goes on running; `None` if there is nothing to do.
pub fn plan(has: &Holdings) -> Option<Step> {
    match has.balance {
        0 => None,
        1.. => Some(Step::Release(has.borrowed())),
        _ => Some(Step::TakeBack(has.lent())),
    }
}

/// What a domain does whose processes are all frozen, with `available` pages left in its kernel.
///
/// # Errors
///
/// The balance that would be left at best, with which it could not be restored: nothing is to be
/// done.
pub fn plan_frozen(has: &Holdings, available: u64, stage: Stage) -> Result<Option<Step>, i64> {
    let least = least_left(has.balance, has.readahead, available);
    if !is_restorable(least) {
        return Err(least);
    }
    Ok(match stage {
        Stage::Open => plan(has),
        // Dom0 knows of the balance already, and cannot be told of any change yet.
        Stage::Opening => None,
        Stage::Closed | Stage::Broken => Some(Step::GiveUnheard(has.borrowed())),
    })
}

/// How much a frozen domain takes again that had the balance `before` and could come down to `left`
/// only, when its kernel could spare less than it said: all that it gave, if it cannot be restored.
pub fn take_again(before: i64, left: i64) -> u64 {
    if is_restorable(left) {
        return 0;
    }
    u64::try_from(before.saturating_sub(left)).unwrap_or(0)
}
