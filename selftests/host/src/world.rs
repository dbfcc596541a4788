// SPDX-License-Identifier: GPL-2.0

//! Xen, its domains, and their toolstack. Acts as the coordinator's hands.

use std::collections::BTreeMap;

use cmm::coordinator::{Activity, Gone, Host, Limits, Nanos, Reservation, SendError};
use cmm::protocol::{Down, Violation};
use cmm::ring::PushError;
use cmm::DomId;

use crate::domain::Domain;
use crate::inside::Inside;
use crate::mistake::{Mistake, Pending};
use crate::random::Random;
use crate::watch::granted;

/// The whole machine.
#[derive(Debug)]
pub struct World {
    /// Its domains.
    pub domains: BTreeMap<DomId, Domain>,
    /// What no domain has, in pages.
    pub free: u64,
    /// What the machine has, in pages.
    pub total: u64,
    /// The time.
    pub now: Nanos,
    /// How many times of a thousand a kernel moves less than it should.
    pub shortfalls: u64,
    /// Decides what nobody else does.
    pub random: Random,
    /// Whether a front-end has cheated or the toolstack has taken free memory that was spoken for.
    pub tainted: bool,
    /// What false claims can have made of nothing, at most: what those who make them could have had when they began,
    /// by Xen's caps and what is let pass above them, and by how much that has grown with what their toolstack set since.
    pub made_up: u64,
    /// What domains took of what had ended, for which the coordinator may have promised it to others.
    pub late: u64,
    /// Domains that the coordinator has disconnected since somebody looked.
    pub disconnected: Vec<(DomId, Violation)>,
    /// Messages sent to front-ends since the beginning.
    pub sent: u64,
    /// Pages granted or given since the beginning.
    pub granted: u64,
    /// The most credit that a domain was ever to have.
    pub most_credit: u64,
    /// Domains that were dealt with since somebody looked.
    pub touched: Vec<DomId>,
    /// Domains that were sent something since somebody looked.
    pub notified: Vec<DomId>,
    /// Domains that were boosted.
    pub boosted: Vec<DomId>,
    /// What the coordinator is to seem to do wrong.
    pub mistake: Pending,
}

impl World {
    /// A machine without domains.
    pub fn new(pages: u64) -> Self {
        Self {
            domains: BTreeMap::new(),
            free: pages,
            total: pages,
            now: 0,
            shortfalls: 0,
            random: Random::new(0),
            tainted: false,
            made_up: 0,
            late: 0,
            disconnected: Vec::new(),
            sent: 0,
            granted: 0,
            most_credit: 0,
            touched: Vec::new(),
            notified: Vec::new(),
            boosted: Vec::new(),
            mistake: Pending::default(),
        }
    }

    /// Creates a domain if there is memory for it.
    pub fn create(&mut self, dom: DomId, pages: u64, limits: Limits) -> bool {
        if self.domains.contains_key(&dom) || pages > self.free {
            return false;
        }
        self.free -= pages;
        self.domains.insert(dom, Domain::new(pages, limits));
        true
    }

    /// Destroys a domain.
    pub fn destroy(&mut self, dom: DomId) {
        if let Some(domain) = self.domains.remove(&dom) {
            self.free += domain.current;
        }
    }

    /// A domain, seen from within.
    pub fn inside(&mut self, dom: DomId) -> Option<Inside<'_>> {
        Some(Inside {
            domain: self.domains.get_mut(&dom)?,
            free: &mut self.free,
            now: self.now,
            shortfalls: self.shortfalls,
            random: &mut self.random,
        })
    }

    /// As [`World::inside`], of a domain that has a connection and in which something runs.
    pub fn running(&mut self, dom: DomId) -> Option<Inside<'_>> {
        let inside = self.inside(dom)?;
        let runs = inside.domain.connected && !inside.domain.paused;
        runs.then_some(inside)
    }

    /// `xl mem-set`: the cap at once, as if nobody else set caps.
    pub fn mem_set(&mut self, dom: DomId, target: u64) {
        if let Some(domain) = self.domains.get_mut(&dom) {
            if domain.liar {
                self.made_up += domain.cap_margin + target.saturating_sub(domain.target);
            }
            domain.target = target;
            domain.cap(target + domain.cap_margin);
        }
    }

    /// `xl mem-max`: the cap alone. Not to the very one that Dom0 has set, which nobody could tell from that.
    pub fn mem_max(&mut self, dom: DomId, maximum: u64) {
        if let Some(domain) = self.domains.get_mut(&dom) {
            let maximum = maximum.max(domain.target) + domain.cap_margin;
            let maximum = maximum + u64::from(maximum == domain.maximum);
            if domain.liar {
                self.made_up += maximum.saturating_sub(domain.toolstack_maximum);
            }
            domain.cap(maximum);
        }
    }

    /// Panics unless pages are conserved.
    pub fn check(&self) {
        let used: u64 = self.domains.values().map(|domain| domain.current).sum();
        assert_eq!(used + self.free, self.total, "pages came or went");
    }
}

impl Host for World {
    fn send(&mut self, dom: DomId, message: &Down) -> Result<(), SendError> {
        let Some(domain) = self.domains.get_mut(&dom).filter(|d| d.connected) else {
            return Err(SendError::Gone);
        };
        self.touched.push(dom);
        self.notified.push(dom);
        let messages = self.mistake.sent(self.now, *message, self.most_credit);
        for message in messages {
            domain.watch_down(dom, &message, self.now, self.most_credit);
            match domain.session.guest.say(&message) {
                Ok(()) => {}
                Err(PushError::Violation(why)) => return Err(SendError::Violation(why)),
                Err(PushError::Full) => {
                    let patient = message.leaves_free() > 0;
                    assert!(
                        patient || domain.liar,
                        "{dom}: the lane of an honest front-end is full"
                    );
                    return Err(SendError::Full);
                }
            }
            self.sent += 1;
            self.granted += granted(&message);
        }
        Ok(())
    }

    fn reservation(&mut self, dom: DomId) -> Option<Reservation> {
        let domain = self.domains.get(&dom)?;
        Some(Reservation {
            current: domain.current,
            maximum: domain.maximum,
        })
    }

    fn free_pages(&mut self) -> Option<u64> {
        Some(self.free)
    }

    fn activity(&mut self, dom: DomId) -> Option<Activity> {
        let domain = self.domains.get(&dom)?;
        Some(if domain.paused {
            Activity::Paused
        } else if domain.starved {
            Activity::Waiting
        } else {
            Activity::Blocked
        })
    }

    fn boost(&mut self, dom: DomId) {
        let domain = self.domains.get_mut(&dom).expect("a living domain");
        assert!(domain.starved, "{dom} is boosted, and does not wait");
        domain.starved = false;
        self.boosted.push(dom);
    }

    fn set_maximum(&mut self, dom: DomId, pages: u64) -> Result<(), Gone> {
        self.touched.push(dom);
        if self.mistake.errs(self.now, Mistake::ForgetsCap) {
            return Ok(());
        }
        let domain = self.domains.get_mut(&dom).ok_or(Gone)?;
        domain.maximum = pages;
        Ok(())
    }

    fn disconnect(&mut self, dom: DomId, why: Violation) {
        let inside = self.inside(dom);
        let mut inside = inside.expect("disconnected a living domain");
        let domain = &mut inside.domain;
        assert!(domain.connected, "{dom}: disconnected twice");
        assert!(
            domain.liar || domain.cap_ambiguous,
            "{dom}: honest, but {why}"
        );
        domain.disconnect();
        inside.hang_up();
        self.touched.push(dom);
        self.disconnected.push((dom, why));
    }
}
