// SPDX-License-Identifier: GPL-2.0

//! What Dom0 may ask and change of when other domains run. Asking tells their memory, too.
//!
//! Xen header: `public/domctl.h`

use super::domain_control::DomainControl;
use crate::domain::DomId;
use kernel::prelude::*;

const XEN_DOMCTL_PAUSEDOMAIN: u32 = 3;
const XEN_DOMCTL_UNPAUSEDOMAIN: u32 = 4;
const XEN_DOMCTL_GETDOMAININFO: u32 = 5;

const XEN_DOMCTL_SCHEDULER_OP: u32 = 16;

const XEN_DOMCTL_SCHEDOP_GETINFO: u64 = 1;
const XEN_SCHEDULER_CREDIT: u64 = 5;

const XEN_DOMINF_PAUSED: u32 = 1 << 3;
const XEN_DOMINF_BLOCKED: u32 = 1 << 4;
const XEN_DOMINF_RUNNING: u32 = 1 << 5;

/// What a domain is doing. [`DomainInfo`] has an example of its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// At least one of its virtual CPUs runs.
    Running,
    /// All of them sleep until an event comes.
    Blocked,
    /// Some would run, and none does: it waits for a CPU.
    Waiting,
    /// Its toolstack does not let it run.
    Paused,
}

impl Activity {
    fn from_flags(flags: u32) -> Self {
        if flags & XEN_DOMINF_PAUSED != 0 {
            Self::Paused
        } else if flags & XEN_DOMINF_RUNNING != 0 {
            Self::Running
        } else if flags & XEN_DOMINF_BLOCKED != 0 {
            Self::Blocked
        } else {
            Self::Waiting
        }
    }
}

/// What Xen says of a domain (`struct xen_domctl_getdomaininfo`): its memory, and what it is doing,
/// for the price of one.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
/// use xen::{
///     domain::DomId,
///     out_of_tree::{domain_control::DomainControl, scheduling::Activity},
/// };
///
/// /// Lets a domain that has room go before others that wait for a CPU.
/// fn hurry(control: &DomainControl, dom: DomId) -> Result {
///     let info = control.domain_info(dom)?;
///     match info.activity {
///         Activity::Waiting if info.current < info.maximum => control.boost(dom),
///         Activity::Waiting | Activity::Running | Activity::Blocked | Activity::Paused => Ok(()),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainInfo {
    /// The pages that it has (`tot_pages`).
    pub current: u64,
    /// The pages that it may have (`max_pages`).
    pub maximum: u64,
    /// What it is doing.
    pub activity: Activity,
}

impl DomainControl {
    /// What Xen says of `dom`.
    ///
    /// May be called in any context.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such domain, or it is being destroyed and has been taken out of Xen's
    /// list.
    pub fn domain_info(&self, dom: DomId) -> Result<DomainInfo> {
        // `struct xen_domctl_getdomaininfo` begins with the domain's number and, in the upper half
        // of the first word, the flags; then come its pages, and its most pages.
        let mut info = [0; 16];
        self.issue(XEN_DOMCTL_GETDOMAININFO, dom, &mut info)?;
        if info[0] as u16 != dom.0 {
            // An older Xen tells of the next domain instead.
            return Err(ESRCH);
        }
        Ok(DomainInfo {
            current: info[1],
            maximum: info[2],
            activity: Activity::from_flags((info[0] >> 32) as u32),
        })
    }

    /// Whether the scheduler of `dom` lets domains that wake up go before others: `credit` does.
    pub fn wakers_go_first(&self, dom: DomId) -> bool {
        // Xen tells the parameters of `struct xen_domctl_scheduler_op` only to those who name the
        // right scheduler.
        let mut op = [0; 16];
        op[0] = XEN_DOMCTL_SCHEDOP_GETINFO << 32 | XEN_SCHEDULER_CREDIT;
        self.issue(XEN_DOMCTL_SCHEDULER_OP, dom, &mut op).is_ok()
    }

    /// Lets `dom` go before others that wait for a CPU, if it waits and its scheduler favours
    /// domains that wake up: it is paused and unpaused, after which its virtual CPUs count as
    /// having woken.
    ///
    /// One that runs is stopped for a moment. May be called in any context.
    ///
    /// Nothing comes between the one and the other, not even the end of the module; were it that of
    /// this whole domain, the other would stay paused. Xen counts who pauses a domain, so that one
    /// that its toolstack has paused, or pauses meanwhile, is so still.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such domain. What is paused and Xen does not unpause is logged, too.
    pub fn boost(&self, dom: DomId) -> Result {
        self.issue(XEN_DOMCTL_PAUSEDOMAIN, dom, &mut [0; 16])?;
        self.issue(XEN_DOMCTL_UNPAUSEDOMAIN, dom, &mut [0; 16])
            .inspect_err(|err| {
                // It has gone, or somebody else has unpaused it.
                if *err != ESRCH && *err != EINVAL {
                    pr_err!("domain {} stays paused: Xen says {err:?}\n", dom.0);
                }
            })
    }
}
