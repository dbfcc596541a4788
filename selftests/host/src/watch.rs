// SPDX-License-Identifier: GPL-2.0

//! What is looked at whenever something is said, by either side: everything asked is answered once, and in time, and
//! nothing is said that may not be.

use cmm::coordinator::{Nanos, MICROSECOND, SECOND};
use cmm::protocol::{default_deadline_us, Down, GrantReason, Up, MAX_ASKS};
use cmm::DomId;

use crate::domain::{Domain, Open, Question};

/// The longest deadline that the coordinator accepts.
const LONGEST_DEADLINE: Nanos = 60 * SECOND;

/// The pages that a message lets a domain populate.
pub fn granted(message: &Down) -> u64 {
    match *message {
        Down::Grant { pages, .. } | Down::Give { pages, .. } | Down::Credit { pages } => pages,
        _ => 0,
    }
}

/// The credit that a message brings.
fn credited(message: &Down) -> u64 {
    match message {
        Down::Credit { pages } => *pages,
        _ => 0,
    }
}

impl Domain {
    /// Dom0 says something.
    pub fn watch_down(&mut self, dom: DomId, message: &Down, now: Nanos, most_credit: u64) {
        match *message {
            Down::Grant { id, pages, reason } => self.watch_answer(dom, id, pages, reason, now),
            Down::Reclaim { id, pages, .. } => {
                let asked: u64 = self.asked.values().map(Question::reclaims).sum();
                assert!(
                    self.current >= self.limits.floor + asked + pages,
                    "{dom}: asked for {pages} below its floor"
                );
                self.watch_question(dom, id, Question::Reclaim(pages));
            }
            Down::Give { id, pages } => self.watch_question(dom, id, Question::Give(pages)),
            Down::Revoke { id, pages } => self.watch_question(dom, id, Question::Revoke(pages)),
            Down::Credit { pages } => {
                let guest = &self.session.guest;
                let unread: u64 = guest.unread().iter().map(credited).sum();
                let had = guest.client.credit() + guest.client.untold() + unread;
                assert!(
                    self.liar || had + pages <= most_credit,
                    "{dom}: {pages} pages of credit too many"
                );
            }
            Down::Limits { floor, ceiling } => {
                assert_eq!((floor, ceiling), (self.limits.floor, self.limits.ceiling));
            }
        }
        let granted = granted(message);
        if granted > 0 {
            let credit = self.session.guest.client.credit();
            let size = self.current - self.session.prepopulated.min(credit);
            assert!(
                self.liar || size + credit + granted <= self.limits.ceiling,
                "{dom}: raised above its ceiling"
            );
        }
    }

    fn watch_answer(&mut self, dom: DomId, id: u32, pages: u64, reason: GrantReason, now: Nanos) {
        let open = self.open.remove(&id);
        let open = open.unwrap_or_else(|| panic!("{dom}: {id} answered without being open"));
        let due = open.due;
        assert!(now <= due, "{dom}: {id} answered {} ns late", now - due);
        let full = reason == GrantReason::Full;
        assert_eq!(
            full,
            pages == open.pages,
            "{dom}: {id} granted {pages} of {} for the wrong reason, {reason:?}",
            open.pages
        );
        let early = reason == GrantReason::Deadline && now < due;
        assert!(!early, "{dom}: {id} is not due yet");
    }

    fn watch_question(&mut self, dom: DomId, id: u32, question: Question) {
        let before = self.asked.insert(id, question);
        assert!(before.is_none(), "{dom}: {id:#x} is asked twice");
        assert!(self.asked.len() <= MAX_ASKS, "{dom}: too many questions");
    }

    /// Dom0 reads something. A request is open once it has.
    pub fn watch_up(&mut self, dom: DomId, message: &Up, now: Nanos) {
        match *message {
            Up::Request {
                id,
                pages,
                deadline_us,
                ..
            } => {
                let patience = match deadline_us {
                    0 => default_deadline_us(pages).saturating_mul(MICROSECOND),
                    us => us.saturating_mul(MICROSECOND).min(LONGEST_DEADLINE),
                };
                let due = now + patience;
                let before = self.open.insert(id, Open { pages, due });
                assert!(
                    before.is_none() || self.liar,
                    "{dom}: the id {id} is in use"
                );
            }
            Up::Offered { id, pages } => {
                self.asked.remove(&id);
                if pages > 0 {
                    self.cap_written = false;
                }
            }
            Up::Took { id, .. } => {
                self.asked.remove(&id);
            }
            Up::Release { .. } | Up::Stats { .. } => self.cap_written = false,
            Up::Drew { .. } | Up::Cancel { .. } => {}
        }
    }

    /// A request whose answer is overdue.
    pub fn overdue(&self, now: Nanos) -> Option<u32> {
        let mut late = self.open.iter().filter(|(_, open)| open.due < now);
        late.next().map(|(id, _)| *id)
    }
}
