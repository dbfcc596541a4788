// SPDX-License-Identifier: GPL-2.0

//! Both halves as they run, over the ring's bytes: real clients and the real coordinator.
//!
//! After each step pages are conserved, Dom0's books prove themselves, and no client has more credit
//! than Dom0 knows of; every request that Dom0 reads is answered once, by its deadline; no honest front-end is ever disconnected or disbelieved. In the end the books
//! of both sides are equal, and nothing is left in a table.

use std::collections::BTreeMap;

use cmm::client::{Demand, Holdings, Outcome, Stage, Task, Ticket, Way, Wish};
use cmm::coordinator::{
    Activity, Coordinator, Domain as Entry, Event, Gone, Host, Limits, Nanos, Record, Reservation,
    SendError, Settings,
};
use cmm::protocol::{Down, RequestReason, Up, Violation};
use cmm::ring::PushError;
use cmm::time::{MICROSECOND, MILLISECOND, SECOND};
use cmm::DomId;
use cmm_host_tests::guest::Guest;
use cmm_host_tests::random::Random;

const SIZE: u64 = 2_000;
const NEEDS: u64 = 500;

/// A domain with its front-end, as the shell would have it.
struct Domain {
    guest: Guest,
    size: u64,
    maximum: u64,
    balance: i64,
    moves: u32,
    /// Whoever waits for an answer.
    waiting: Vec<Ticket>,
    /// A demand that has been begun with: what is done for it is done in one step, and told in another.
    begun: Option<(Demand, u32, Option<u64>)>,
    /// Requests that Dom0 has read and not answered, and when the answer is due.
    due: BTreeMap<u32, Nanos>,
}

impl Domain {
    fn has(&self) -> Holdings {
        Holdings {
            baseline: SIZE,
            balance: self.balance,
            readahead: 0,
        }
    }
}

struct Machine {
    now: Nanos,
    random: Random,
    domains: BTreeMap<DomId, Domain>,
    free: u64,
    granted: u64,
}

impl Machine {
    fn get(&mut self, dom: DomId) -> &mut Domain {
        self.domains.get_mut(&dom).expect("exists")
    }

    /// So many, or, now and then, fewer: a kernel promises nothing.
    fn perhaps_fewer(&mut self, pages: u64) -> u64 {
        if self.random.permille(100) {
            self.random.range(0, pages + 1)
        } else {
            pages
        }
    }

    /// A request is open once Dom0 has read it.
    fn watch_request(&mut self, dom: DomId, id: u32, deadline_us: u64) {
        let due = self.now + deadline_us * MICROSECOND;
        let before = self.get(dom).due.insert(id, due);
        assert!(before.is_none(), "{dom}: {id} is in use");
    }

    /// An answer is to a request that is open, and in time.
    fn watch_answer(&mut self, dom: DomId, id: u32) {
        let now = self.now;
        let due = self.get(dom).due.remove(&id);
        let due = due.unwrap_or_else(|| panic!("{dom}: {id} answered without being open"));
        assert!(now <= due, "{dom}: {id} answered {} ns late", now - due);
    }

    /// As much as Xen lets it, and has.
    fn populate(&mut self, dom: DomId, pages: u64) -> u64 {
        let (pages, free) = (self.perhaps_fewer(pages), self.free);
        let domain = self.get(dom);
        let room = domain.maximum.saturating_sub(domain.size);
        let taken = pages.min(room).min(free);
        domain.size += taken;
        domain.balance += taken as i64;
        domain.moves += u32::from(taken > 0);
        self.free -= taken;
        taken
    }

    /// As much as it can spare.
    fn give_up(&mut self, dom: DomId, pages: u64) -> u64 {
        let pages = self.perhaps_fewer(pages);
        let domain = self.get(dom);
        let given = pages.min(domain.size.saturating_sub(NEEDS));
        domain.size -= given;
        domain.balance -= given as i64;
        domain.moves += u32::from(given > 0);
        self.free += given;
        given
    }
}

impl Host for Machine {
    fn send(&mut self, dom: DomId, message: &Down) -> Result<(), SendError> {
        if let Down::Grant { id, pages, .. } = message {
            self.watch_answer(dom, *id);
            self.granted += pages;
        }
        match self.get(dom).guest.say(message) {
            Ok(()) => Ok(()),
            Err(PushError::Full) => Err(SendError::Full),
            Err(PushError::Violation(why)) => Err(SendError::Violation(why)),
        }
    }

    fn reservation(&mut self, dom: DomId) -> Option<Reservation> {
        let domain = self.domains.get(&dom)?;
        Some(Reservation {
            current: domain.size,
            maximum: domain.maximum,
        })
    }

    fn activity(&mut self, _: DomId) -> Option<Activity> {
        Some(Activity::Blocked)
    }

    fn boost(&mut self, _: DomId) {}

    fn set_maximum(&mut self, dom: DomId, pages: u64) -> Result<(), Gone> {
        self.domains.get_mut(&dom).ok_or(Gone)?.maximum = pages;
        Ok(())
    }

    fn disconnect(&mut self, dom: DomId, why: Violation) {
        panic!("{dom} is honest, and disconnected: it {why}");
    }
}

struct Both {
    coordinator: Coordinator<Vec<Entry>>,
    machine: Machine,
    total: u64,
}

impl Both {
    fn new(domains: u16, seed: u64) -> Self {
        let settings = Settings {
            credit: 64 * (seed % 3),
            reserve: 100 * (seed % 2),
            ..Settings::default()
        };
        let mut both = Self {
            coordinator: Coordinator::new(vec![Entry::default(); domains.into()], settings),
            machine: Machine {
                now: SECOND,
                random: Random::new(seed),
                domains: BTreeMap::new(),
                free: 5_000,
                granted: 0,
            },
            total: 5_000 + SIZE * u64::from(domains),
        };
        for number in 1..=domains {
            let dom = DomId::new(number).expect("not reserved");
            let domain = Domain {
                guest: Guest::default(),
                size: SIZE,
                maximum: SIZE + 256,
                balance: 0,
                moves: 0,
                waiting: Vec::new(),
                begun: None,
                due: BTreeMap::new(),
            };
            both.machine.domains.insert(dom, domain);
            both.connect(dom);
            both.tick(dom);
        }
        both
    }

    fn below(&mut self, n: u64) -> u64 {
        self.machine.random.range(0, n)
    }

    fn handle(&mut self, event: Event) {
        let now = self.machine.now;
        let handled = self.coordinator.handle(event, now, &mut self.machine);
        handled.expect("makes sense");
    }

    /// Lets time pass, waking the coordinator whenever it wants to be.
    fn advance(&mut self, nanos: Nanos) {
        let end = self.machine.now + nanos;
        let mut ticks = 0;
        while let Some(due) = self.coordinator.next_deadline().filter(|due| *due <= end) {
            let now = self.machine.now;
            ticks = if due > now { 0 } else { ticks + 1 };
            assert!(ticks < 1_000, "the coordinator spins");
            self.machine.now = now.max(due);
            self.handle(Event::Tick);
        }
        self.machine.now = end;
    }

    /// The connection is over for Dom0.
    fn detach(&mut self, dom: DomId) {
        self.machine.get(dom).due.clear();
        self.handle(Event::Detach { dom });
    }

    /// The back-end is unloaded and loaded again; what it knows goes through its records.
    fn reload(&mut self) {
        self.handle(Event::ShutDown);
        let doms: Vec<_> = self.machine.domains.keys().copied().collect();
        let mut records = Vec::new();
        for dom in &doms {
            while self.hear(*dom) {}
            let domain = self.machine.get(*dom);
            assert!(domain.due.is_empty(), "{dom}: left without an answer");
            assert!(domain.guest.client.hang_up().is_some());
            self.detach(*dom);
            records.extend(self.coordinator.record(*dom).map(|record| (*dom, record)));
        }
        let settings = self.coordinator.settings();
        self.coordinator = Coordinator::new(vec![Entry::default(); doms.len()], settings);
        for (dom, record) in records {
            assert_eq!(Record::parse(&record.to_string()), Some(record));
            self.handle(Event::Recall { dom, record });
        }
        for dom in doms {
            self.connect(dom);
            self.collect(dom);
        }
    }

    fn connect(&mut self, dom: DomId) {
        let domain = self.machine.get(dom);
        domain.guest.begin();
        let claim = domain.balance;
        self.handle(Event::Attach {
            dom,
            claim: Some(claim),
            credit: true,
            limits: Limits::default(),
            target: SIZE,
        });
        let known = self.coordinator.domain(dom).expect("just met");
        assert_eq!(known.balance, claim, "{dom}: honest, and not believed");
        let established = self.machine.get(dom).guest.client.establish();
        established.expect("nothing wrong so far");
    }

    /// The connection goes, what was said last heard or unheard, and comes again.
    fn reconnect(&mut self, dom: DomId) {
        if self.below(2) == 0 {
            while self.hear(dom) {}
        }
        assert!(self.machine.get(dom).guest.client.hang_up().is_some());
        self.detach(dom);
        self.connect(dom);
        // Whoever waited learns that there is no answer; what was begun is not ended.
        self.collect(dom);
        assert!(
            self.machine.get(dom).waiting.is_empty(),
            "{dom}: waits for ever"
        );
    }

    fn hear(&mut self, dom: DomId) -> bool {
        let Some(up) = self.machine.get(dom).guest.hear() else {
            return false;
        };
        if let Up::Request {
            id, deadline_us, ..
        } = up
        {
            self.machine.watch_request(dom, id, deadline_us);
        }
        self.handle(Event::Up { dom, up });
        true
    }

    fn tick(&mut self, dom: DomId) {
        let now = self.machine.now;
        let domain = self.machine.get(dom);
        let figures = cmm::client::Figures {
            has: domain.has(),
            spare: domain.size.saturating_sub(NEEDS),
            total_ram: domain.size,
            moves: domain.moves,
            has_leftovers: false,
        };
        assert!(domain.guest.client.tick(&figures, now));
    }

    fn want(&mut self, dom: DomId) {
        let wish = Wish {
            pages: 1 + self.below(600),
            deadline_us: 1 + self.below(200_000),
            reason: RequestReason::Manual,
            exact: self.below(2) == 0,
        };
        let now = self.machine.now;
        let domain = self.machine.get(dom);
        let has = domain.has();
        match domain.guest.client.request(&wish, &has, now) {
            Ok(Way::Dom0(ticket)) => domain.waiting.push(ticket),
            Ok(Way::Credit { epoch }) => {
                let drawn = self.machine.populate(dom, wish.pages);
                let client = &mut self.machine.get(dom).guest.client;
                client.drew(epoch, wish.pages, drawn);
            }
            Ok(Way::Readahead) => panic!("there is none"),
            Err(_) => {}
        }
    }

    /// A signal: nobody waits for the last request any more.
    fn interrupt(&mut self, dom: DomId) {
        let domain = self.machine.get(dom);
        let client = &mut domain.guest.client;
        if domain
            .waiting
            .last()
            .is_some_and(|last| !client.is_over(*last))
        {
            client.give_up(domain.waiting.pop().expect("just seen"));
        }
    }

    fn release(&mut self, dom: DomId) {
        let pages = 1 + self.below(200);
        let domain = self.machine.get(dom);
        let has = domain.has();
        let Ok(ticket) = domain.guest.client.release(pages.min(has.borrowed()), &has) else {
            return;
        };
        let given = self.machine.give_up(dom, pages.min(has.borrowed()));
        if given > 0
            && self
                .machine
                .get(dom)
                .guest
                .client
                .released(ticket, given)
                .is_err()
        {
            // As if the shell had tried for long.
            let client = &mut self.machine.get(dom).guest.client;
            client.stalled(ticket);
            assert_eq!(client.report_fault(), Ok(Violation::LaneFull));
            self.detach(dom);
            self.connect(dom);
            self.collect(dom);
        }
    }

    /// Those whose request is over take what was granted.
    fn collect(&mut self, dom: DomId) -> bool {
        let mut moved = false;
        for ticket in std::mem::take(&mut self.machine.get(dom).waiting) {
            let outcome = self.machine.get(dom).guest.client.outcome(ticket);
            match outcome {
                None => self.machine.get(dom).waiting.push(ticket),
                Some(Outcome::Lost) => {}
                Some(Outcome::Answered(answer)) => {
                    moved = true;
                    let taken = self.machine.populate(dom, answer.pages);
                    let client = &mut self.machine.get(dom).guest.client;
                    client.took(ticket, answer.pages, taken);
                }
            }
        }
        moved
    }

    /// A step of the front-end's interrupt, its thread, or whoever waits.
    fn serve(&mut self, dom: DomId) -> bool {
        let now = self.machine.now;
        let domain = self.machine.get(dom);
        let heard = domain.guest.client.drain(now) > 0;
        assert_ne!(
            domain.guest.client.stage(),
            Stage::Broken,
            "{dom}: Dom0 is honest"
        );
        if let Some((demand, epoch, moved)) = domain.begun.take() {
            let moved = match moved {
                Some(pages) => {
                    domain.guest.client.answer(epoch, &demand, pages);
                    None
                }
                None => self.carry_out(dom, epoch, &demand),
            };
            if let Some(pages) = moved {
                self.machine.get(dom).begun = Some((demand, epoch, Some(pages)));
            }
            return true;
        }
        if let Some((demand, epoch)) = domain.guest.client.next_demand() {
            domain.begun = Some((demand, epoch, None));
            return true;
        }
        self.collect(dom) | heard
    }

    fn carry_out(&mut self, dom: DomId, epoch: u32, demand: &Demand) -> Option<u64> {
        let task = self.machine.get(dom).guest.client.admit(epoch, demand)?;
        Some(match task {
            Task::Give { pages, .. } => self.machine.give_up(dom, pages),
            Task::Take { pages } => self.machine.populate(dom, pages),
            Task::PutAway { returned, .. } => returned,
        })
    }

    fn step(&mut self) {
        let domains = self.machine.domains.len() as u64;
        let number = 1 + self.below(domains) as u16;
        let dom = DomId::new(number).expect("not reserved");
        let nanos = self.below(20 * MILLISECOND) * 4 / domains;
        self.advance(nanos);
        match self.below(20) {
            0..=3 => self.want(dom),
            4 => self.interrupt(dom),
            5 | 6 => self.release(dom),
            7 | 8 => self.tick(dom),
            9 if self.below(3) == 0 => self.reconnect(dom),
            10 if self.below(4) == 0 => {
                let pages = 32 * self.below(5);
                self.handle(Event::SetCredit { pages });
            }
            10 if domains < 10 && self.below(10) == 0 => self.reload(),
            9 | 10 => self.handle(Event::Tick),
            11..=14 => {
                self.hear(dom);
            }
            _ => {
                self.serve(dom);
            }
        }
        let known = self.coordinator.domain(dom).expect("known");
        let client = &self.machine.domains[&dom].guest.client;
        assert!(
            known.credit >= client.credit() + client.untold(),
            "{dom}: more credit than Dom0 knows of"
        );
        assert_eq!(known.disbelieved, 0, "{dom}: honest");
    }

    fn check(&self) {
        let used: u64 = self.machine.domains.values().map(|d| d.size).sum();
        assert_eq!(self.machine.free + used, self.total, "pages came or went");
        if let Err(broken) = self.coordinator.check() {
            panic!("{broken:?}");
        }
    }

    /// Lets all that is under way come to its end, and compares the books.
    fn finish(&mut self) {
        let doms: Vec<_> = self.machine.domains.keys().copied().collect();
        let mut quiet = 0;
        while quiet < 70 {
            let mut moved = false;
            for dom in &doms {
                self.machine.get(*dom).guest.client.catch_up();
                while self.serve(*dom) | self.hear(*dom) {
                    moved = true;
                }
            }
            self.advance(SECOND);
            quiet = if moved { 0 } else { quiet + 1 };
        }
        self.check();
        for (dom, domain) in &self.machine.domains {
            let (known, client) = (
                self.coordinator.domain(*dom).expect("known"),
                &domain.guest.client,
            );
            assert_eq!(known.balance, domain.balance, "{dom}: balance");
            assert_eq!(
                (known.in_flight, known.reclaiming),
                (0, 0),
                "{dom}: under way"
            );
            assert_eq!(
                (known.credit, client.untold()),
                (client.credit(), 0),
                "{dom}: credit"
            );
            let left = (known.waiting, client.open_requests(), client.open_demands());
            assert_eq!(left, (0, 0, 0), "{dom}: left in a table");
            assert!(domain.due.is_empty(), "{dom}: not answered");
            assert!(domain.waiting.is_empty(), "{dom}: waits for ever");
        }
    }
}

#[test]
fn both_halves_agree_after_any_history() {
    let mut granted = 0;
    for seed in 0..400 {
        let mut both = Both::new(4, seed);
        for _ in 0..600 {
            both.step();
            both.check();
        }
        both.finish();
        granted += both.machine.granted;
    }
    assert!(granted > 100_000, "little happened: {granted}");
}

#[test]
fn both_halves_agree_in_a_crowd() {
    let mut both = Both::new(2_000, 5);
    for i in 0..20_000 {
        both.step();
        if i % 1_000 == 0 {
            both.check();
        }
    }
    both.finish();
    assert!(both.machine.granted > 1_000, "little happened");
}
