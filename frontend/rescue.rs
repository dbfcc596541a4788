// SPDX-License-Identifier: GPL-2.0

//! Locks: memory from others before the kernel kills a process, in the context of whoever needs it.

use crate::auto::{
    Automatic,
    Hand, //
};
use cmm::client::{
    Attempt,
    Try, //
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
        let Some(attempt) = automatic.rescues.lock().begin(now()) else {
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
        automatic.rescues.lock().ended(pages, now());
        match found {
            // More may be needed soon, and this must be given back one day.
            Ok(_) => self.0.want(),
            Err(why) => pr_warn!("out of memory, and nobody helps: {}\n", why),
        }
        pages as usize
    }
}

/// Finds some pages, at least one: many at once if there are so many to be had.
///
/// # Errors
///
/// Why there are none.
fn find(automatic: &Automatic, mut attempt: Attempt) -> Result<u64, &'static str> {
    let session = &automatic.session;
    let mut why = "the domain is as large as it may be";
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
        match session.meet_by_itself(&wish) {
            Ok(0) => why = "no other domain can spare any memory",
            Ok(got) => {
                automatic.asked(got, got);
                return Ok(got);
            }
            Err(EBUSY) => {
                why = "too many requests are open, or this domain's memory is being moved"
            }
            Err(ENODEV) => return Err("there is no connection to Dom0"),
            Err(_) => why = "Dom0 has not answered in time",
        }
    }
}
