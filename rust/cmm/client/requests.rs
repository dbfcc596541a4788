// SPDX-License-Identifier: GPL-2.0

//! The requests that Dom0 has not answered, and those whose answer has not been used.
//!
//! A request has a place here as long as it has one at Dom0, where it is open until it has been
//! denied, or until Dom0 has heard what was taken of the grant. So an honest front-end never has
//! more requests open than it may.

use crate::protocol::{GrantReason, Violation, MAX_REQUESTS};
use crate::time::Nanos;

/// Dom0's answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How many pages may be populated; as many as were asked for, at most.
    pub pages: u64,
    /// Why not more.
    pub reason: GrantReason,
    /// When it came.
    pub at: Nanos,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Dom0 has answered.
    Answered(Answer),
    /// The connection went away, and there will be no answer.
    Lost,
}

/// What is known of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Dom0 has not answered.
    Open,
    /// Dom0 has not answered, and nobody waits for it any more.
    GivenUp,
    Over(Outcome),
}

#[derive(Clone, Copy, Debug)]
struct Request {
    serial: u32,
    pages: u64,
    progress: Progress,
}

#[derive(Debug)]
pub(super) struct Requests {
    places: [Option<Request>; MAX_REQUESTS],
    last_serial: u32,
}

impl Requests {
    pub(super) const fn new() -> Self {
        Self {
            places: [None; MAX_REQUESTS],
            last_serial: 0,
        }
    }

    /// A serial the other side has not seen lately: our half of them, without 0.
    pub(super) fn fresh_serial(&mut self) -> u32 {
        self.last_serial = self.last_serial % (i32::MAX as u32) + 1;
        self.last_serial
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.places.iter().flatten().count()
    }

    /// Reserves a place for a request for `pages`; `None` if as many are open as may be.
    pub(super) fn open(&mut self, pages: u64) -> Option<u32> {
        let serial = self.fresh_serial();
        let place = self.places.iter_mut().find(|place| place.is_none())?;
        *place = Some(Request {
            serial,
            pages,
            progress: Progress::Open,
        });
        Some(serial)
    }

    fn place(&mut self, serial: u32) -> Option<&mut Option<Request>> {
        let mut places = self.places.iter_mut();
        places.find(|place| place.is_some_and(|request| request.serial == serial))
    }

    /// Takes down an answer of Dom0's. Returns whether nobody waits for it: its place is free then.
    ///
    /// # Errors
    ///
    /// It answers what was not asked, or was answered before, or with more than was asked for.
    pub(super) fn answer(&mut self, serial: u32, answer: Answer) -> Result<bool, Violation> {
        let place = self.place(serial).ok_or(Violation::Unasked(serial))?;
        let request = place.as_mut().ok_or(Violation::Unasked(serial))?;
        match request.progress {
            Progress::Open | Progress::GivenUp if answer.pages > request.pages => {
                Err(Violation::Excess {
                    id: serial,
                    said: answer.pages,
                    allowed: request.pages,
                })
            }
            Progress::Open => {
                request.progress = Progress::Over(Outcome::Answered(answer));
                Ok(false)
            }
            Progress::GivenUp => {
                *place = None;
                Ok(true)
            }
            Progress::Over(_) => Err(Violation::Unasked(serial)),
        }
    }

    /// What became of a request; `None` if nothing has yet.
    pub(super) fn outcome(&self, serial: u32) -> Option<Outcome> {
        let mut requests = self.places.iter().flatten();
        match requests.find(|request| request.serial == serial)?.progress {
            Progress::Over(outcome) => Some(outcome),
            Progress::Open | Progress::GivenUp => None,
        }
    }

    /// Frees the place of a request: it was not sent after all, or it has come to its end.
    pub(super) fn close(&mut self, serial: u32) {
        if let Some(place) = self.place(serial) {
            *place = None;
        }
    }

    /// Nobody waits for this request any more. Its place is kept until Dom0 answers.
    pub(super) fn give_up(&mut self, serial: u32) {
        if let Some(Some(request)) = self.place(serial) {
            request.progress = Progress::GivenUp;
        }
    }

    /// The connection is gone: there will be no answers, and what was granted may not be taken.
    pub(super) fn lose_all(&mut self) {
        for place in &mut self.places {
            match place {
                Some(request) if request.progress != Progress::GivenUp => {
                    request.progress = Progress::Over(Outcome::Lost);
                }
                Some(_) | None => *place = None,
            }
        }
    }
}
