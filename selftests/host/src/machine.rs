// SPDX-License-Identifier: GPL-2.0

//! A machine full of domains for the coordinator to decide about, which itself costs next to
//! nothing.
//!
//! Unlike `world` it checks nothing, so that what is measured is the coordinator.

use cmm::coordinator::{
    Activity, Coordinator, Entry, Event, Gone, Host, Limits, Nanos, Reservation, SendError,
    Settings, SECOND,
};
use cmm::protocol::{Down, RequestReason, Up, Violation};
use cmm::tables::Chunks;
use cmm::DomId;

use crate::counted::Counted;

/// Of each domain, in pages.
pub const SIZE: u64 = 262_144;

/// What a domain has to spare that has much, in pages.
pub const SPARE: u64 = 65_536;

/// Storage comes in chunks for so many domains.
const CHUNK: usize = 64;

/// Does what the coordinator wants by writing it down.
struct Ledger {
    sizes: Vec<Reservation>,
    sent: Vec<(DomId, Down)>,
    /// Domains from this number on are paused.
    paused_from: u16,
}

impl Ledger {
    fn size(&mut self, dom: DomId) -> &mut Reservation {
        &mut self.sizes[usize::from(dom.raw())]
    }
}

impl Host for Ledger {
    fn send(&mut self, dom: DomId, message: &Down) -> Result<(), SendError> {
        self.sent.push((dom, *message));
        Ok(())
    }

    fn reservation(&mut self, dom: DomId) -> Option<Reservation> {
        Some(*self.size(dom))
    }

    fn free_pages(&mut self) -> Option<u64> {
        Some(u64::MAX)
    }

    fn activity(&mut self, dom: DomId) -> Option<Activity> {
        Some(if dom.raw() >= self.paused_from {
            Activity::Paused
        } else {
            Activity::Blocked
        })
    }

    fn boost(&mut self, _dom: DomId) {}

    fn set_maximum(&mut self, dom: DomId, pages: u64) -> Result<(), Gone> {
        self.size(dom).maximum = pages;
        Ok(())
    }

    fn disconnect(&mut self, dom: DomId, why: Violation) {
        panic!("{dom} {why}");
    }
}

/// Domains with front-ends, numbered from 1 on, and a coordinator.
pub struct Machine {
    /// Decides.
    pub coordinator: Coordinator<Counted<Chunks<Vec<Vec<Entry>>, CHUNK>>>,
    /// What time it is. It passes only where that is said.
    pub now: Nanos,
    /// More storage, when there is some to be added.
    pub more: Option<Vec<Entry>>,
    domains: u16,
    ledger: Ledger,
    last_id: u32,
}

impl Machine {
    /// So many domains, of which none has anything to spare.
    pub fn new(domains: u16, settings: Settings) -> Self {
        let size = Reservation {
            current: SIZE,
            maximum: SIZE + 256,
        };
        let room = usize::from(domains) + 1;
        let chunks = (0..room.div_ceil(CHUNK)).map(|_| chunk()).collect();
        let mut machine = Self {
            coordinator: Coordinator::new(Counted::new(Chunks(chunks)), settings),
            now: SECOND,
            more: None,
            domains,
            ledger: Ledger {
                sizes: vec![size; room],
                sent: Vec::with_capacity(1 << 16),
                paused_from: u16::MAX,
            },
            last_id: 0,
        };
        for dom in machine.all() {
            machine.attach(dom);
        }
        machine.forget_sent();
        machine
    }

    /// How many domains there are.
    pub fn domains(&self) -> u16 {
        self.domains
    }

    /// The domains.
    pub fn all(&self) -> impl Iterator<Item = DomId> {
        (1..=self.domains).map(dom)
    }

    /// Another domain each time, so that none is always in the processor's cache.
    pub fn in_turn(&self, round: usize) -> DomId {
        dom((round * 7_919 % usize::from(self.domains)) as u16 + 1)
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.coordinator.waiting()
    }

    /// How often the coordinator has used its storage since this was last asked for.
    pub fn take_steps(&self) -> u64 {
        self.coordinator.storage().take()
    }

    /// How many domains have lent.
    pub fn lenders(&self) -> usize {
        let views = self.coordinator.domains();
        views.filter(|view| view.balance < 0).count()
    }

    /// Whether the coordinator has something to do now.
    pub fn is_due(&self) -> bool {
        let due = self.coordinator.next_deadline();
        due.is_some_and(|due| due <= self.now)
    }

    /// Tells the coordinator that something happened.
    pub fn handle(&mut self, event: Event) {
        self.coordinator
            .handle(event, self.now, &mut self.ledger)
            .expect("never refused");
    }

    /// A front-end says something.
    pub fn say(&mut self, dom: DomId, up: Up) {
        self.handle(Event::Up { dom, up });
    }

    /// A front-end connects.
    pub fn attach(&mut self, dom: DomId) {
        self.handle(Event::Attach {
            dom,
            claim: Some(0),
            credit: true,
            limits: Limits::default(),
            target: SIZE,
        });
    }

    /// A domain dies, and another with the same number and nothing to spare takes its place.
    pub fn replace(&mut self, dom: DomId) {
        self.handle(Event::Died { dom });
        *self.ledger.size(dom) = Reservation {
            current: SIZE,
            maximum: SIZE + 256,
        };
        self.attach(dom);
    }

    /// A front-end says what it could spare.
    pub fn stats(&mut self, dom: DomId, available: u64) {
        let up = Up::Stats {
            available,
            size: SIZE,
            total_ram: SIZE,
        };
        self.say(dom, up);
    }

    /// All have much to spare, no two alike, so that there is something to choose.
    pub fn all_spare(&mut self) {
        for dom in self.all() {
            self.stats(dom, SPARE + u64::from(dom.raw()) * 7_919 % 1_021);
        }
    }

    /// A front-end asks for memory.
    pub fn request(&mut self, dom: DomId, pages: u64, deadline_us: u64) {
        self.last_id = self.last_id % 1_000_000 + 1;
        let request = Up::Request {
            id: self.last_id,
            pages,
            deadline_us,
            reason: RequestReason::Automatic,
        };
        self.say(dom, request);
    }

    /// Xen has pages back from a domain, or gave it some.
    pub fn resize(&mut self, dom: DomId, pages: i64) {
        let size = self.ledger.size(dom);
        size.current = size.current.saturating_add_signed(pages);
    }

    /// The toolstack sets a domain's size.
    pub fn set_maximum(&mut self, dom: DomId, pages: u64) {
        self.ledger.size(dom).maximum = pages;
    }

    /// Domains from this number on are paused, the others are not.
    pub fn pause_from(&mut self, number: u16) {
        self.ledger.paused_from = number;
    }

    /// A domain has given pages back to Xen and says so.
    pub fn release(&mut self, dom: DomId, pages: u64) {
        self.say(dom, Up::Release { id: 1, pages });
    }

    /// What has been sent since this was last asked for.
    pub fn take_sent(&mut self) -> Vec<(DomId, Down)> {
        self.ledger.sent.drain(..).collect()
    }

    /// Nobody reads what has been sent.
    pub fn forget_sent(&mut self) {
        self.ledger.sent.clear();
    }

    /// A domain does what it has been told.
    pub fn answer(&mut self, dom: DomId, down: &Down) {
        match *down {
            Down::Grant { id, pages, .. } | Down::Give { id, pages } if pages > 0 => {
                self.resize(dom, pages as i64);
                self.say(dom, Up::Took { id, pages });
            }
            Down::Reclaim { id, pages, .. } => {
                self.resize(dom, -(pages as i64));
                self.say(dom, Up::Offered { id, pages });
            }
            Down::Revoke { id, pages } => self.say(dom, Up::Offered { id, pages }),
            _ => {}
        }
    }

    /// All do what they have been told, and what follows from that, until nothing is to be done
    /// now.
    pub fn answer_all(&mut self) {
        loop {
            while let Some((dom, down)) = self.ledger.sent.pop() {
                self.answer(dom, &down);
            }
            if !self.is_due() {
                return;
            }
            self.handle(Event::Tick);
        }
    }

    /// Time passes, with all doing what they have been told, until nothing is due any more.
    pub fn quiet(&mut self) {
        self.answer_all();
        while let Some(due) = self.coordinator.next_deadline() {
            self.now = self.now.max(due);
            self.answer_all();
        }
    }
}

/// Storage for some more domains.
pub fn chunk() -> Vec<Entry> {
    vec![Entry::default(); CHUNK]
}

/// The domain of this number.
pub fn dom(number: u16) -> DomId {
    DomId::new(number).expect("not reserved")
}
