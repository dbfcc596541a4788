// SPDX-License-Identifier: GPL-2.0

//! Locks: memory from others before the kernel kills a process, in the context of whoever needs it.

use crate::{
    auto::{
        Automatic,
        Hand, //
    },
    tracing::errno, //
};
use cmm::{
    client::{
        Attempt,
        Reason,
        Try, //
    },
    protocol::GrantReason, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::delay::fsleep,
    time::Delta, //
};
use xen::{
    balloon,
    oom,
    timer::now,
    trace,
    worker::Worker, //
};

/// Asks for memory before a process is killed.
pub(crate) struct Rescue(pub(crate) Arc<Worker<Hand>>);

impl oom::Rescue for Rescue {
    fn rescue(&self) -> usize {
        let automatic = &*self.0.target().0;
        if !automatic.is_on() || !balloon::is_at_target() {
            return 0;
        }
        let started = now();
        let Some(attempt) = automatic.rescues.lock().begin(started) else {
            return 0;
        };
        let found = find(automatic, attempt).or_else(|why| {
            // What came while nobody was looked for is as good.
            match automatic.rescues.lock().take_came() {
                0 => Err(why),
                came => Ok(came),
            }
        });
        let pages = found.unwrap_or(0);
        let ended = now();
        automatic.rescues.lock().ended(pages, ended);
        let (reason, error) = match found {
            Ok(_) => (Reason::GRANTED, 0),
            Err(Why::Denied(reason)) => (Reason::Answered(reason), 0),
            Err(Why::Failed(err)) => (Reason::GRANTED, errno(err)),
        };
        trace::front_rescue(pages, reason.to_number(), error, ended - started);
        match found {
            // More may be needed soon, and this must be given back one day.
            Ok(_) => self.0.want(),
            Err(why) => pr_warn!("out of memory, and nobody helps: {}\n", why.words()),
        }
        pages as usize
    }
}

/// Why nobody helps.
#[derive(Clone, Copy)]
enum Why {
    /// It was asked for, or would have been.
    Denied(GrantReason),
    /// It could not be asked for, or was not answered.
    Failed(Error),
}

impl Why {
    /// In words for the log.
    fn words(self) -> &'static str {
        match self {
            Self::Denied(GrantReason::Ceiling) => "the domain is as large as it may be",
            Self::Denied(_) => "no other domain can spare any memory",
            Self::Failed(EBUSY) => {
                "too many requests are open, or this domain's memory is being moved"
            }
            Self::Failed(ENODEV) => "there is no connection to Dom0",
            Self::Failed(_) => "Dom0 has not answered in time",
        }
    }
}

/// Finds some pages, at least one: many at once if there are so many to be had.
///
/// # Errors
///
/// Why there are none.
fn find(automatic: &Automatic, mut attempt: Attempt) -> Result<u64, Why> {
    let session = &automatic.session;
    let mut why = Why::Denied(GrantReason::Ceiling);
    loop {
        let room = session.client.lock().room_by_itself(&session.holdings());
        let wish = match attempt.next(room, now()) {
            Some(Try::Ask(wish)) => wish,
            Some(Try::Wait(nanos)) => {
                fsleep(Delta::from_nanos(nanos as i64));
                continue;
            }
            None => return Err(why),
        };
        why = match session.meet_by_itself(&wish) {
            Ok(0) => Why::Denied(GrantReason::NoDonor),
            Ok(got) => {
                automatic.asked(got, got);
                return Ok(got);
            }
            Err(ENODEV) => return Err(Why::Failed(ENODEV)),
            Err(err) => Why::Failed(err),
        };
    }
}
