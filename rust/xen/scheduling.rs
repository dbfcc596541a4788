// SPDX-License-Identifier: GPL-2.0

//! What Dom0 may ask and change of when other domains run.
//!
//! Xen header: `public/domctl.h`

use crate::{
    domain::DomId,
    domain_control::{
        DomainControl,
        Operand, //
    },
};
use kernel::prelude::*;

const XEN_DOMCTL_PAUSEDOMAIN: u32 = 3;
const XEN_DOMCTL_UNPAUSEDOMAIN: u32 = 4;
const XEN_DOMCTL_GETDOMAININFO: u32 = 5;
const XEN_DOMCTL_SCHEDULER_OP: u32 = 16;

const XEN_DOMCTL_SCHEDOP_PUTINFO: u32 = 0;
const XEN_DOMCTL_SCHEDOP_GETINFO: u32 = 1;

const XEN_DOMINF_PAUSED: u32 = 1 << 3;
const XEN_DOMINF_BLOCKED: u32 = 1 << 4;
const XEN_DOMINF_RUNNING: u32 = 1 << 5;

/// What a domain is doing.
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

/// A scheduler of Xen's in which domains have weights, by its `XEN_SCHEDULER_*` number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheduler {
    Credit = 5,
    Credit2 = 6,
}

impl DomainControl {
    /// What `dom` is doing.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such domain.
    pub fn activity(&self, dom: DomId) -> Result<Activity> {
        // `struct xen_domctl_getdomaininfo` begins with the domain's number and, in the upper half of
        // the first word, the flags.
        let mut info = [0; 16];
        self.issue(XEN_DOMCTL_GETDOMAININFO, dom, &mut info)?;
        if info[0] as u16 != dom.0 {
            // An older Xen tells of the next domain instead.
            return Err(ESRCH);
        }
        let flags = (info[0] >> 32) as u32;
        Ok(if flags & XEN_DOMINF_PAUSED != 0 {
            Activity::Paused
        } else if flags & XEN_DOMINF_RUNNING != 0 {
            Activity::Running
        } else if flags & XEN_DOMINF_BLOCKED != 0 {
            Activity::Blocked
        } else {
            Activity::Waiting
        })
    }

    /// Lets `dom` go before others that wait for a CPU, if it waits and its scheduler favours domains
    /// that wake up: it is paused and unpaused, after which its virtual CPUs count as having woken.
    ///
    /// One that runs is stopped for a moment. May be called in any context.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such domain.
    pub fn boost(&self, dom: DomId) -> Result {
        self.issue(XEN_DOMCTL_PAUSEDOMAIN, dom, &mut [0; 16])?;
        self.issue(XEN_DOMCTL_UNPAUSEDOMAIN, dom, &mut [0; 16])
    }

    /// The weight of `dom` in its scheduler.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such domain, `EOPNOTSUPP` if its scheduler knows no weights.
    pub fn weight(&self, dom: DomId) -> Result<u16> {
        self.parameters(dom).map(|(_, parameters)| parameters as u16)
    }

    /// Sets the weight of `dom` in its scheduler, and leaves its cap as it is.
    ///
    /// # Errors
    ///
    /// As for [`DomainControl::weight`].
    pub fn set_weight(&self, dom: DomId, weight: u16) -> Result {
        let (scheduler, parameters) = self.parameters(dom)?;
        let parameters = parameters & !0xffff | u64::from(weight);
        let mut operand = scheduler_op(scheduler, XEN_DOMCTL_SCHEDOP_PUTINFO, parameters);
        self.issue(XEN_DOMCTL_SCHEDULER_OP, dom, &mut operand)
    }

    /// The scheduler of `dom`, and its parameters there: the weight in 16 bits, and the cap in 16.
    fn parameters(&self, dom: DomId) -> Result<(Scheduler, u64)> {
        // Xen tells the parameters only to those who name the right scheduler.
        for scheduler in [Scheduler::Credit2, Scheduler::Credit] {
            let mut operand = scheduler_op(scheduler, XEN_DOMCTL_SCHEDOP_GETINFO, 0);
            match self.issue(XEN_DOMCTL_SCHEDULER_OP, dom, &mut operand) {
                Err(err) if err == EINVAL => continue,
                Err(err) => return Err(err),
                Ok(()) => return Ok((scheduler, operand[1])),
            }
        }
        Err(EOPNOTSUPP)
    }
}

/// `struct xen_domctl_scheduler_op` with the parameters of `credit` or `credit2`, which are alike.
fn scheduler_op(scheduler: Scheduler, cmd: u32, parameters: u64) -> Operand {
    let mut operand = [0; 16];
    operand[0] = u64::from(cmd) << 32 | scheduler as u64;
    operand[1] = parameters;
    operand
}
