// SPDX-License-Identifier: GPL-2.0

//! Xen and its domains, as they truly are. Acts as the coordinator's hands, and watches them.

use std::collections::BTreeMap;

use cmm::coordinator::{Activity, Gone, Host, Limits, Nanos, Reservation, SendError};
use cmm::protocol::layout::DOWN;
use cmm::protocol::{Down, Violation, MAX_ASKS, MAX_PAGES};
use cmm::DomId;

use crate::frontend::Frontend;

/// What the toolstack most often adds to the target when it sets a cap, in pages.
pub const SLACK: u64 = 256;

/// A domain.
#[derive(Clone, Debug)]
pub struct Domain {
    /// What it has, in pages.
    pub current: u64,
    /// What it may have.
    pub maximum: u64,
    /// What the toolstack wants it to have.
    pub target: u64,
    /// What the toolstack adds to that for the cap.
    pub slack: u64,
    /// How much of `target` its stock balloon has brought about.
    pub baseline: u64,
    /// What it needs for itself and will not give.
    pub needs: u64,
    /// Whether the toolstack has written `maximum` and the coordinator has not looked since.
    pub cap_written: bool,
    /// Whether the toolstack has written the very cap that the coordinator had set, which cannot tell them apart before
    /// it hears of the new target.
    pub cap_ambiguous: bool,
    /// Whether its front-end is connected.
    pub connected: bool,
    /// Whether nothing in it runs.
    pub paused: bool,
    /// Whether it waits for a CPU.
    pub starved: bool,
    /// The limits that the coordinator is to keep.
    pub limits: Limits,
    /// Questions that the coordinator has asked and that are not answered, with their pages.
    pub asked: BTreeMap<u32, Question>,
    /// The front-end.
    pub frontend: Frontend,
    /// Whether it ever cheated: nothing is promised to it.
    pub liar: bool,
    /// How much more than what it is it claims its balance to be.
    pub false_by: i64,
}

/// An unanswered question.
#[derive(Clone, Copy, Debug)]
pub enum Question {
    /// A `Reclaim` of so many pages.
    Reclaim(u64),
    /// A `Give` of so many pages.
    Give(u64),
    /// A `Revoke` of so many pages.
    Revoke(u64),
}

/// What a broken coordinator might do. Made by the hands, once, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// It never answers a request.
    NoAnswer,
    /// It answers a request twice.
    TwoAnswers,
    /// It grants more than the domain's cap has room for.
    GrantsTooMuch,
    /// It asks a donor for all it has.
    IgnoresFloor,
    /// It does not move a cap.
    ForgetsCap,
    /// It gives a domain more credit than it is to have.
    LendsTooMuch,
}

/// The whole machine.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Its domains.
    pub domains: BTreeMap<DomId, Domain>,
    /// What no domain has, in pages.
    pub free: u64,
    /// What the machine has, in pages.
    pub total: u64,
    /// The time.
    pub now: Nanos,
    /// Whether a front-end has cheated or the toolstack has taken free memory that was spoken for.
    pub tainted: bool,
    /// What false claims can have made of nothing, at most: what those who make them could have had when they began,
    /// by Xen's caps and what is let pass above them, and by how much that has grown with what their toolstack set since.
    pub made_up: u64,
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
    /// What the coordinator is to seem to do wrong, and from when on.
    pub mistake: Option<(Nanos, Mistake)>,
}

impl World {
    /// A machine without domains.
    pub fn new(pages: u64) -> Self {
        Self {
            free: pages,
            total: pages,
            ..Self::default()
        }
    }

    /// Creates a domain if there is memory for it.
    pub fn create(&mut self, dom: DomId, pages: u64, limits: Limits) -> bool {
        if self.domains.contains_key(&dom) || pages > self.free {
            return false;
        }
        self.free -= pages;
        let domain = Domain {
            current: pages,
            maximum: pages + SLACK,
            target: pages,
            slack: SLACK,
            baseline: pages,
            needs: pages / 4,
            cap_written: false,
            cap_ambiguous: false,
            connected: false,
            paused: false,
            starved: false,
            limits,
            asked: BTreeMap::new(),
            frontend: Frontend::default(),
            liar: false,
            false_by: 0,
        };
        self.domains.insert(dom, domain);
        true
    }

    /// Destroys a domain.
    pub fn destroy(&mut self, dom: DomId) {
        if let Some(domain) = self.domains.remove(&dom) {
            self.free += domain.current;
        }
    }

    /// Populates up to `pages`, as Xen lets it. Returns how many.
    pub fn populate(&mut self, dom: DomId, pages: u64) -> u64 {
        let free = self.free;
        let Some(domain) = self.domains.get_mut(&dom) else {
            return 0;
        };
        let room = domain.maximum.saturating_sub(domain.current);
        let taken = pages.min(room).min(free);
        domain.current += taken;
        self.free -= taken;
        taken
    }

    /// Gives up to `pages` back to Xen, but keeps what the domain needs. Returns how many.
    pub fn give_up(&mut self, dom: DomId, pages: u64) -> u64 {
        let Some(domain) = self.domains.get_mut(&dom) else {
            return 0;
        };
        let given = pages.min(domain.current.saturating_sub(domain.needs));
        domain.current -= given;
        self.free += given;
        given
    }

    /// `xl mem-set`: the cap at once, as if nobody else set caps.
    pub fn mem_set(&mut self, dom: DomId, target: u64) {
        if let Some(domain) = self.domains.get_mut(&dom) {
            if domain.liar {
                self.made_up += domain.slack + target.saturating_sub(domain.target);
            }
            domain.target = target;
            let cap = target + domain.slack;
            domain.cap_ambiguous = domain.maximum == cap;
            domain.cap_written |= !domain.cap_ambiguous;
            domain.maximum = cap;
        }
    }

    /// The stock balloon moves up to `pages` towards the target. `spare` is what Xen has that nobody is promised.
    pub fn balloon(&mut self, dom: DomId, pages: u64, spare: u64) {
        let Some(domain) = self.domains.get(&dom) else {
            return;
        };
        let (target, baseline) = (domain.target, domain.baseline);
        if target > baseline {
            let taken = self.populate(dom, pages.min(target - baseline).min(spare));
            self.domains.get_mut(&dom).expect("exists").baseline += taken;
        } else {
            let given = self.give_up(dom, pages.min(baseline - target));
            self.domains.get_mut(&dom).expect("exists").baseline -= given;
        }
    }

    /// What was handed over is the front-end's again, as far as the stock balloon has not dealt with it. What was lent
    /// is lent again, all of it; what the stock balloon got instead it gives up, if it can.
    pub fn take_over(&mut self, dom: DomId) {
        let Some(domain) = self.domains.get_mut(&dom) else {
            return;
        };
        let left = domain.left_over();
        let handed_over = std::mem::take(&mut domain.frontend.handed_over);
        if handed_over >= 0 {
            domain.frontend.balance += left;
            domain.baseline -= left.unsigned_abs();
            return;
        }
        let made_up = left - handed_over;
        let given = self.give_up(dom, made_up.unsigned_abs());
        let domain = self.domains.get_mut(&dom).expect("exists");
        let kept = made_up - given as i64;
        domain.frontend.balance += handed_over + kept;
        domain.baseline = domain
            .baseline
            .saturating_add_signed(-handed_over - made_up);
    }

    /// Panics unless pages are conserved.
    pub fn check(&self) {
        let used: u64 = self.domains.values().map(|domain| domain.current).sum();
        assert_eq!(used + self.free, self.total, "pages came or went");
    }

    /// Whether this mistake is to be made now.
    fn errs(&mut self, mistake: Mistake) -> bool {
        let errs = self
            .mistake
            .is_some_and(|(at, m)| at <= self.now && m == mistake);
        if errs {
            self.mistake = None;
        }
        errs
    }

    /// What is really sent instead of `message`.
    fn mistaken(&mut self, message: Down) -> Vec<Down> {
        match message {
            Down::Grant { .. } if self.errs(Mistake::NoAnswer) => vec![],
            Down::Grant { .. } if self.errs(Mistake::TwoAnswers) => vec![message; 2],
            Down::Grant { id, pages, reason } if pages > 0 && self.errs(Mistake::GrantsTooMuch) => {
                let pages = pages + 2 * SLACK;
                vec![Down::Grant { id, pages, reason }]
            }
            Down::Reclaim { id, urgency, .. } if self.errs(Mistake::IgnoresFloor) => {
                let pages = MAX_PAGES;
                vec![Down::Reclaim { id, pages, urgency }]
            }
            Down::Credit { pages } if self.errs(Mistake::LendsTooMuch) => {
                let pages = pages + self.most_credit;
                vec![Down::Credit { pages }]
            }
            _ => vec![message],
        }
    }

    fn watch(&mut self, dom: DomId, message: &Down) {
        let now = self.now;
        let domain = self.domains.get_mut(&dom).expect("sent to a living domain");
        let frontend = &mut domain.frontend;
        match *message {
            Down::Grant { id, pages, .. } => {
                let due = frontend.open.remove(&id);
                let due = due.unwrap_or_else(|| panic!("{dom}: {id} answered without being open"));
                assert!(now <= due, "{dom}: {id} answered {} ns late", now - due);
                if pages > 0 {
                    frontend.granted.insert(id, pages);
                }
                self.granted += pages;
            }
            Down::Reclaim { id, pages, .. } => {
                let asked: u64 = domain.asked.values().map(Question::reclaims).sum();
                assert!(
                    domain.current >= domain.limits.floor + asked + pages,
                    "{dom}: asked for {pages} below its floor"
                );
                assert!(domain.asked.insert(id, Question::Reclaim(pages)).is_none());
            }
            Down::Give { id, pages } => {
                assert!(domain.asked.insert(id, Question::Give(pages)).is_none());
                self.granted += pages;
            }
            Down::Revoke { id, pages } => {
                assert!(domain.asked.insert(id, Question::Revoke(pages)).is_none());
            }
            Down::Credit { pages } => {
                let (credit, drawn) = (frontend.credit, frontend.drawn);
                let unread: u64 = frontend.down.iter().map(credited).sum();
                assert!(
                    domain.liar || credit + drawn + unread + pages <= self.most_credit,
                    "{dom}: {pages} pages of credit too many"
                );
                self.granted += pages;
            }
            Down::Limits { floor, ceiling } => {
                assert_eq!(
                    (floor, ceiling),
                    (domain.limits.floor, domain.limits.ceiling)
                );
            }
        }
        assert!(domain.asked.len() <= MAX_ASKS, "{dom}: too many questions");
        let granted = granted(message);
        if granted > 0 {
            let credit = domain.frontend.credit;
            assert!(
                domain.current + credit + granted <= domain.limits.ceiling,
                "{dom}: raised above its ceiling"
            );
        }
    }
}

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
    /// The balance becomes the stock balloon's business.
    pub fn hand_over(&mut self) {
        let balance = std::mem::take(&mut self.frontend.balance);
        self.frontend.handed_over += balance;
        self.baseline = self.baseline.saturating_add_signed(balance);
    }

    /// What of that the stock balloon has not dealt with yet.
    pub fn left_over(&self) -> i64 {
        let handed_over = self.frontend.handed_over;
        let excess = self.baseline as i64 - self.target as i64;
        excess.clamp(handed_over.min(0), handed_over.max(0))
    }
}

impl Question {
    /// The pages of a `Reclaim`.
    pub fn reclaims(&self) -> u64 {
        match self {
            Self::Reclaim(pages) => *pages,
            Self::Give(_) | Self::Revoke(_) => 0,
        }
    }
}

impl Host for World {
    fn send(&mut self, dom: DomId, message: &Down) -> Result<(), SendError> {
        let Some(domain) = self.domains.get_mut(&dom).filter(|d| d.connected) else {
            return Err(SendError::Gone);
        };
        let room = DOWN.slots as usize - domain.frontend.down.len();
        if room <= message.leaves_free() as usize {
            let patient = message.leaves_free() > 0;
            assert!(
                patient || domain.liar,
                "{dom}: the lane of an honest front-end is full"
            );
            return Err(SendError::Full);
        }
        assert_eq!(Down::decode(&message.encode()), Ok(*message));
        self.touched.push(dom);
        self.notified.push(dom);
        for message in self.mistaken(*message) {
            self.watch(dom, &message);
            self.sent += 1;
            let domain = self.domains.get_mut(&dom).expect("just seen");
            domain.frontend.down.push_back(message);
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
        if self.errs(Mistake::ForgetsCap) {
            return Ok(());
        }
        let domain = self.domains.get_mut(&dom).ok_or(Gone)?;
        domain.maximum = pages;
        Ok(())
    }

    fn disconnect(&mut self, dom: DomId, why: Violation) {
        let domain = self
            .domains
            .get_mut(&dom)
            .expect("disconnected a living domain");
        assert!(domain.connected, "{dom}: disconnected twice");
        assert!(
            domain.liar || domain.cap_ambiguous,
            "{dom}: honest, but {why}"
        );
        domain.connected = false;
        domain.asked.clear();
        domain.frontend.disconnect();
        self.touched.push(dom);
        self.disconnected.push((dom, why));
    }
}
