// SPDX-License-Identifier: GPL-2.0

//! The coordinator in its world: carries out steps, and checks after each that what must hold does.

use cmm::coordinator::{
    Coordinator, Domain, Event, Limits, Nanos, Record, Refused, Settings, View, MICROSECOND, SECOND,
};
use cmm::protocol::{Down, RequestReason, Up, COORDINATOR_ID, MAX_REQUESTS};
use cmm::DomId;

use crate::frontend::Lie;
use crate::world::{granted, Question, World};

/// The longest deadline that the coordinator accepts.
const LONGEST_DEADLINE: Nanos = 60 * SECOND;

/// The coordinator and its world.
pub struct Sim {
    /// What is tried.
    pub coordinator: Coordinator<Vec<Domain>>,
    /// What it is tried in.
    pub world: World,
    /// Events handled since the beginning.
    pub events: u64,
    /// After how many events all domains are looked at, and not only those that the last was about.
    pub full_check: u64,
    room: usize,
}

impl Sim {
    /// A machine with so many pages, and room for so many domains.
    pub fn new(pages: u64, domains: usize, settings: Settings) -> Self {
        Self {
            coordinator: Coordinator::new(vec![Domain::default(); domains], settings),
            world: World::new(pages),
            events: 0,
            full_check: 1,
            room: domains,
        }
    }

    /// Hands an event to the coordinator and checks everything.
    pub fn handle(&mut self, event: Event) -> Result<(), Refused> {
        self.world.touched.clear();
        if let Event::Up { dom, .. } = event {
            self.world.touched.push(dom);
        }
        let result = self
            .coordinator
            .handle(event, self.world.now, &mut self.world);
        self.events += 1;
        if self.events % self.full_check == 0 {
            self.check();
        } else {
            for dom in &self.world.touched {
                if let Some(view) = self.coordinator.domain(*dom) {
                    self.check_domain(&view);
                }
            }
        }
        result
    }

    /// Lets time pass, waking the coordinator whenever it wants to be.
    pub fn advance(&mut self, nanos: Nanos) {
        let end = self.world.now + nanos;
        let mut ticks = 0;
        while let Some(due) = self.coordinator.next_deadline().filter(|due| *due <= end) {
            ticks = if due > self.world.now { 0 } else { ticks + 1 };
            assert!(ticks < 1_000, "the coordinator spins");
            self.world.now = self.world.now.max(due);
            self.tick();
        }
        self.world.now = end;
    }

    /// Wakes the coordinator.
    pub fn tick(&mut self) {
        self.handle(Event::Tick).expect("a tick is never refused");
    }

    /// Creates a domain and connects its front-end.
    pub fn boot(&mut self, dom: DomId, pages: u64, limits: Limits) -> bool {
        self.world.create(dom, pages, limits) && self.attach(dom).is_ok()
    }

    /// A front-end connects, saying what its balance is.
    pub fn attach(&mut self, dom: DomId) -> Result<(), Refused> {
        let Some(domain) = self.world.domains.get_mut(&dom) else {
            return Err(Refused::UnknownDomain);
        };
        if domain.connected {
            return Ok(());
        }
        domain.connected = true;
        let known = self.coordinator.record(dom);
        // Not if the toolstack let it have more meanwhile.
        let known =
            known.filter(|known| (known.maximum, known.target) == (domain.maximum, domain.target));
        let most = known.map(most_of);
        domain.cap_written = false;
        domain.cap_ambiguous = false;
        domain.frontend.disconnect();
        domain.asked.clear();
        self.world.take_over(dom);
        let domain = &self.world.domains[&dom];
        let (limits, target) = (domain.limits, domain.target);
        let claim = domain.frontend.balance + domain.false_by;
        let result = self.handle(Event::Attach {
            dom,
            claim: Some(claim),
            credit: dom.raw() % 4 != 0,
            limits,
            target,
        });
        let now = self.coordinator.record(dom).map(most_of);
        let domain = self.world.domains.get_mut(&dom).expect("exists");
        let granted: u64 = domain.frontend.down.iter().map(granted).sum();
        assert!(
            most.is_none_or(|most| now.is_none_or(|now| now <= most + granted as i64)),
            "{dom}: may have more because it claimed something"
        );
        if result.is_err() {
            domain.connected = false;
        } else if !domain.liar {
            let believed = self.coordinator.domain(dom).expect("just met").balance;
            assert_eq!(believed, claim, "{dom}: honest, and not believed");
        }
        // The back-end looks again, because what it knew may have been old.
        self.notice(dom);
        result
    }

    /// A front-end goes. The back-end reads what is left in its lane first.
    pub fn detach(&mut self, dom: DomId) {
        while self.hear(dom) {}
        self.vanish(dom);
    }

    /// A front-end goes, and what it said last nobody hears.
    pub fn vanish(&mut self, dom: DomId) {
        let Some(domain) = self.world.domains.get_mut(&dom).filter(|d| d.connected) else {
            return;
        };
        domain.connected = false;
        domain.frontend.disconnect();
        domain.asked.clear();
        let _ = self.handle(Event::Detach { dom });
    }

    /// A front-end is unloaded: what it has not settled is its stock balloon's business. Not if that would at once
    /// make its own what its toolstack wants it to have, and what Xen does not have for it.
    pub fn unload(&mut self, dom: DomId) {
        let spare = self.spare();
        let Some(domain) = self.world.domains.get(&dom) else {
            return;
        };
        if domain.target.saturating_sub(domain.baseline) > spare {
            return;
        }
        self.detach(dom);
        if let Some(domain) = self.world.domains.get_mut(&dom) {
            domain.hand_over();
        }
    }

    /// A domain dies.
    pub fn die(&mut self, dom: DomId) {
        if self.world.domains.contains_key(&dom) {
            self.world.destroy(dom);
            let _ = self.handle(Event::Died { dom });
        }
    }

    /// The back-end is unloaded and loaded again; what it knows goes through its records.
    pub fn reload(&mut self) {
        self.reload_after(|_| Vec::new());
    }

    /// As [`Sim::reload`], when something has happened that no back-end has heard of. `unheard` returns of whom no
    /// record is left.
    pub fn reload_after(&mut self, unheard: impl FnOnce(&mut World) -> Vec<DomId>) {
        self.handle(Event::ShutDown).expect("never refused");
        let doms: Vec<_> = self.world.domains.keys().copied().collect();
        for dom in &doms {
            let domain = self.world.domains.get(dom).expect("exists");
            assert!(domain.frontend.open.len() <= domain.frontend.up.len());
            self.detach(*dom);
        }
        let records: Vec<_> = doms
            .iter()
            .map(|dom| {
                let record = self.coordinator.record(*dom)?;
                assert_eq!(Record::parse(&record.to_string()), Some(record));
                Some(record)
            })
            .collect();
        let settings = self.coordinator.settings();
        let settings = Settings {
            default_deadline: settings.default_deadline,
            request_rate: settings.request_rate,
            request_burst: settings.request_burst,
            ..Settings::parse(&settings.to_string()).expect("its own words")
        };
        self.coordinator = Coordinator::new(vec![Domain::default(); self.room], settings);
        let forgotten = unheard(&mut self.world);
        for (dom, record) in doms.iter().zip(&records) {
            if let Some(record) = record.filter(|_| !forgotten.contains(dom)) {
                let _ = self.handle(Event::Recall { dom: *dom, record });
            }
        }
        for dom in doms {
            if self.world.domains.contains_key(&dom) {
                let _ = self.attach(dom);
            } else {
                let _ = self.handle(Event::Died { dom });
            }
        }
    }

    /// A front-end asks for memory. `false` if an honest one would not.
    pub fn request(&mut self, dom: DomId, pages: u64, deadline_us: u64) -> bool {
        let Some(domain) = self.world.domains.get_mut(&dom).filter(|d| d.connected) else {
            return false;
        };
        let frontend = &mut domain.frontend;
        if domain.paused || frontend.unfinished() >= MAX_REQUESTS {
            return false;
        }
        let id = frontend.fresh_id();
        let reason = match id % 3 {
            0 => RequestReason::Manual,
            1 => RequestReason::Automatic,
            _ => RequestReason::Emergency,
        };
        frontend.up.push_back(Up::Request {
            id,
            pages,
            deadline_us,
            reason,
        });
        true
    }

    /// A front-end gives memory back unasked.
    pub fn release(&mut self, dom: DomId, pages: u64) {
        if !self
            .world
            .domains
            .get(&dom)
            .is_some_and(|d| d.connected && !d.paused)
        {
            return;
        }
        let pages = self.world.give_up(dom, pages);
        if pages > 0 {
            let frontend = &mut self.world.domains.get_mut(&dom).expect("exists").frontend;
            frontend.balance -= pages as i64;
            frontend.up.push_back(Up::Release { id: 1, pages });
        }
    }

    /// A front-end takes memory on its credit, which it says later.
    pub fn draw(&mut self, dom: DomId, pages: u64) {
        let Some(domain) = self.world.domains.get(&dom) else {
            return;
        };
        if !domain.connected || domain.paused {
            return;
        }
        let most = pages.min(domain.frontend.credit);
        let taken = self.world.populate(dom, most);
        let frontend = &mut self.world.domains.get_mut(&dom).expect("exists").frontend;
        frontend.credit -= taken;
        frontend.drawn += taken;
        frontend.balance += taken as i64;
    }

    /// A front-end says what it took on its credit.
    pub fn tell_drawn(&mut self, dom: DomId) {
        let Some(domain) = self.world.domains.get_mut(&dom).filter(|d| d.connected) else {
            return;
        };
        let frontend = &mut domain.frontend;
        let drawn = match frontend.lie {
            Some(Lie::Hides | Lie::Silent) => return,
            Some(Lie::Exaggerates) => 2 * frontend.drawn,
            _ => frontend.drawn,
        };
        frontend.drawn = 0;
        if drawn > 0 {
            let up = Up::Drew {
                id: 1,
                pages: drawn,
            };
            frontend.up.push_back(up);
        }
    }

    /// The administrator sets the credit of each domain.
    pub fn set_credit(&mut self, pages: u64) {
        self.world.most_credit = self.world.most_credit.max(pages);
        self.handle(Event::SetCredit { pages }).expect("in range");
    }

    /// A front-end says how it fares.
    pub fn stats(&mut self, dom: DomId) {
        let Some(domain) = self.world.domains.get_mut(&dom).filter(|d| d.connected) else {
            return;
        };
        domain.frontend.up.push_back(Up::Stats {
            available: domain.current.saturating_sub(domain.needs),
            size: domain.current,
            total_ram: domain.current,
        });
    }

    /// The back-end reads one message of a front-end. `false` if there is none.
    pub fn hear(&mut self, dom: DomId) -> bool {
        let now = self.world.now;
        let default_deadline = self.coordinator.settings().default_deadline;
        let Some(domain) = self.world.domains.get_mut(&dom).filter(|d| d.connected) else {
            return false;
        };
        let Some(up) = domain.frontend.up.pop_front() else {
            return false;
        };
        match up {
            Up::Request {
                id, deadline_us, ..
            } => {
                let patience = match deadline_us {
                    0 => default_deadline,
                    us => us.saturating_mul(MICROSECOND).min(LONGEST_DEADLINE),
                };
                domain.frontend.open.insert(id, now + patience);
            }
            Up::Offered { id, .. } => {
                domain.asked.remove(&id);
            }
            Up::Took { id, .. } => {
                domain.asked.remove(&id);
                domain.frontend.granted.remove(&id);
            }
            Up::Release { .. } | Up::Stats { .. } | Up::Drew { .. } => {}
        }
        // Every message makes the coordinator look, or is refused because it was just disconnected.
        if !matches!(up, Up::Request { .. }) {
            self.looked(dom, &up);
        }
        assert_eq!(Up::decode(&up.encode()), Ok(up));
        let _ = self.handle(Event::Up { dom, up });
        true
    }

    fn looked(&mut self, dom: DomId, up: &Up) {
        let looks = match up {
            Up::Stats { .. } => true,
            Up::Release { pages, .. } | Up::Offered { pages, .. } => *pages > 0,
            _ => false,
        };
        if looks {
            self.world
                .domains
                .get_mut(&dom)
                .expect("exists")
                .cap_written = false;
        }
    }

    /// A front-end reads one message and does what it says, or cheats. `false` if there was none.
    pub fn serve(&mut self, dom: DomId) -> bool {
        let Some(domain) = self.world.domains.get_mut(&dom) else {
            return false;
        };
        if !domain.connected || domain.paused || domain.frontend.lie == Some(Lie::Silent) {
            return false;
        }
        let Some(down) = domain.frontend.down.pop_front() else {
            return false;
        };
        let lie = domain.frontend.lie;
        match down {
            Down::Grant { pages: 0, .. } | Down::Limits { .. } => {}
            Down::Credit { pages } => {
                let frontend = &mut self.world.domains.get_mut(&dom).expect("exists").frontend;
                frontend.credit += pages;
            }
            Down::Revoke { id, pages } => {
                let frontend = &mut self.world.domains.get_mut(&dom).expect("exists").frontend;
                let returned = pages.min(frontend.credit);
                frontend.credit -= returned;
                let said = match lie {
                    Some(Lie::Exaggerates) => pages + 1,
                    _ => returned,
                };
                self.reply(dom, Up::Offered { id, pages: said }, 0);
            }
            Down::Grant { id, pages, .. } | Down::Give { id, pages } => {
                let taken = self.world.populate(dom, pages);
                let said = match lie {
                    Some(Lie::Hides) => 0,
                    Some(Lie::Exaggerates) => pages + 1,
                    _ => taken,
                };
                self.reply(dom, Up::Took { id, pages: said }, taken as i64);
            }
            Down::Reclaim { id, pages, .. } => {
                let given = match lie {
                    Some(Lie::Keeps) => 0,
                    _ => self.world.give_up(dom, pages),
                };
                let said = match lie {
                    Some(Lie::Keeps) => pages,
                    Some(Lie::Exaggerates) => pages + 1,
                    _ => given,
                };
                self.reply(dom, Up::Offered { id, pages: said }, -(given as i64));
            }
        }
        true
    }

    fn reply(&mut self, dom: DomId, up: Up, change: i64) {
        let frontend = &mut self.world.domains.get_mut(&dom).expect("exists").frontend;
        frontend.balance += change;
        frontend.up.push_back(up);
        match frontend.lie {
            Some(Lie::Repeats) => frontend.up.push_back(up),
            Some(Lie::Invents) => frontend.up.push_back(Up::Offered {
                id: COORDINATOR_ID | 0x00ab_cdef,
                pages: 1,
            }),
            _ => {}
        }
    }

    /// A front-end begins to cheat.
    pub fn corrupt(&mut self, dom: DomId, lie: Lie) {
        let Some(domain) = self.world.domains.get_mut(&dom).filter(|d| d.connected) else {
            return;
        };
        domain.liar = true;
        domain.frontend.lie = Some(lie);
        self.world.tainted = true;
        if lie == Lie::Floods && domain.frontend.up.len() < MAX_REQUESTS {
            for _ in 0..=3 * MAX_REQUESTS {
                let id = domain.frontend.fresh_id();
                domain.frontend.up.push_back(Up::Request {
                    id,
                    pages: 1 << 20,
                    deadline_us: 0,
                    reason: RequestReason::Emergency,
                });
            }
        }
    }

    /// A front-end's next claims are false by so many pages.
    pub fn falsify(&mut self, dom: DomId, pages: i64) {
        self.notice(dom);
        let most = self.coordinator.record(dom).map(most_of);
        let Some(domain) = self.world.domains.get_mut(&dom) else {
            return;
        };
        domain.false_by = pages;
        if !std::mem::replace(&mut domain.liar, true) {
            let cap = (domain.target + domain.slack) as i64;
            let most = most.unwrap_or(cap).max(domain.current as i64);
            self.world.made_up += most.abs_diff(domain.current as i64);
        }
    }

    /// `xl mem-set`, and the back-end notices, at once or before the next change.
    pub fn mem_set(&mut self, dom: DomId, target: u64, notice: bool) {
        self.notice(dom);
        self.world.mem_set(dom, target);
        if notice {
            self.notice(dom);
        }
    }

    /// The back-end hears what the toolstack wants a domain to have.
    fn notice(&mut self, dom: DomId) {
        let Some(target) = self.world.domains.get(&dom).map(|domain| domain.target) else {
            return;
        };
        if self.handle(Event::ToolstackChanged { dom, target }).is_ok() {
            let domain = self.world.domains.get_mut(&dom).expect("exists");
            domain.cap_written = false;
            domain.cap_ambiguous = false;
        }
    }

    /// What Xen has free and nobody is promised.
    pub fn spare(&self) -> u64 {
        self.world.free.saturating_sub(self.promised())
    }

    /// What Xen must have free for the coordinator to keep its word.
    fn promised(&self) -> u64 {
        let coming: i64 = self
            .coordinator
            .domains()
            .map(|view| {
                let domain = self.world.domains.get(&view.dom);
                let believed = domain.map_or(0, |d| d.frontend.balance + d.left_over());
                // What is granted and not populated, and what was given back and not yet reported.
                (view.balance + (view.in_flight + view.credit) as i64 - believed).max(0)
            })
            .sum();
        self.coordinator.pool() + coming as u64
    }

    /// Delivers every message, over and over, and lets much time pass, until nothing changes.
    pub fn settle(&mut self) {
        for domain in self.world.domains.values_mut() {
            domain.paused = false;
        }
        let doms: Vec<_> = self.world.domains.keys().copied().collect();
        for dom in &doms {
            self.notice(*dom);
        }
        for _ in 0..40 {
            for dom in &doms {
                self.tell_drawn(*dom);
                while self.serve(*dom) {}
                while self.hear(*dom) {}
            }
            self.advance(10 * SECOND);
        }
        // What the coordinator tried last, so that nothing is under way at the end.
        for _ in 0..1_000 {
            let served = doms.iter().filter(|dom| self.serve(**dom)).count();
            let heard = doms.iter().filter(|dom| self.hear(**dom)).count();
            if served + heard == 0 {
                return;
            }
        }
        panic!("messages without end");
    }

    /// Panics unless everything that must always hold does.
    pub fn check(&self) {
        self.world.check();
        if let Err(broken) = self.coordinator.check() {
            panic!("{broken:?}");
        }
        for view in self.coordinator.domains() {
            self.check_domain(&view);
        }
        if !self.world.tainted {
            let (promised, free, made_up) = (self.promised(), self.world.free, self.world.made_up);
            assert!(
                promised <= free + made_up,
                "promised {promised} of {free} free pages, of which false claims made {made_up} at most"
            );
        }
    }

    fn check_domain(&self, view: &View) {
        let Some(domain) = self.world.domains.get(&view.dom) else {
            return;
        };
        assert_eq!(view.connected, domain.connected, "{}: connected?", view.dom);
        let late = domain
            .frontend
            .open
            .values()
            .find(|due| **due < self.world.now);
        assert!(late.is_none(), "{}: a request is overdue", view.dom);
        if view.connected && !domain.cap_written {
            let ours = view.balance + (view.in_flight + view.credit) as i64;
            let toolstacks = domain.target + domain.slack - view.forgiven;
            let cap = toolstacks.saturating_add_signed(ours);
            let same = domain.maximum == cap || domain.cap_ambiguous;
            assert!(same, "{}: cap {} is not {cap}", view.dom, domain.maximum);
        }
    }

    /// Panics unless a settled world is as it should be.
    pub fn check_settled(&self) {
        for view in self.coordinator.domains().filter(|view| view.connected) {
            let Some(domain) = self.world.domains.get(&view.dom).filter(|d| !d.liar) else {
                continue;
            };
            assert_eq!(view.waiting, 0, "{}: requests wait", view.dom);
            assert_eq!(view.in_flight, 0, "{}: pages in flight", view.dom);
            assert_eq!(view.reclaiming, 0, "{}: questions open", view.dom);
            assert_eq!(view.credit, domain.frontend.credit, "{}: credit", view.dom);
            let most = self.coordinator.settings().credit;
            assert!(view.credit <= most, "{}: credit left over", view.dom);
            assert!(domain
                .asked
                .values()
                .all(|q| matches!(q, Question::Give(_))));
            assert_eq!(
                view.balance, domain.frontend.balance,
                "{}: balance",
                view.dom
            );
        }
    }
}

/// The most that the coordinator lets a domain have.
fn most_of(record: Record) -> i64 {
    let toolstacks = record.toolstack_maximum + record.over_cap - record.forgiven;
    toolstacks as i64 + record.balance + record.in_flight as i64
}
