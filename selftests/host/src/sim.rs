// SPDX-License-Identifier: GPL-2.0

//! Both halves in their world: carries out steps, and checks after each that what must hold does.
//!
//! Dom0's half is the coordinator, that of each domain a client, and between them is the ring: all of it is what the
//! modules are made of. The rest is what happens: domains are created, suspended and die, front-ends come and go, the
//! back-end is loaded again, the toolstack moves sizes, time passes.

use cmm::client::{is_restorable, Wish};
use cmm::coordinator::{
    Coordinator, Entry, Event, Host, Limits, Nanos, Record, Refused, Settings, MILLISECOND, SECOND,
};
use cmm::protocol::{Up, Violation};
use cmm::DomId;

use crate::domain::{Domain, CAP_MARGIN};
use crate::inside::exactly;
use crate::liar::{flood, Lie};
use crate::rules::Rules;
use crate::watch::granted;
use crate::world::World;

/// How many times 10 s are given to a world to come to rest, and after how many of those nothing is to be expected any
/// more: nobody is left alone for longer than a minute.
const ROUNDS: u32 = 40;
const QUIET: u32 = 8;

/// How long a back-end waits for those that an earlier one knew, before it takes what nobody claims for the pool's.
const INHERITS_AFTER: Nanos = 10 * SECOND;

/// The coordinator and its world.
pub struct Sim {
    /// Dom0's half.
    pub coordinator: Coordinator<Vec<Entry>>,
    /// What it is tried in, with the domains' halves.
    pub world: World,
    /// Events handled since the beginning.
    pub events: u64,
    /// After how many events all domains are looked at, and not only those that the last was about.
    pub full_check: u64,
    room: usize,
    /// What domains had borrowed, less what they had lent, that died when there was no back-end and of which no record
    /// is left; and when the coordinator takes that for the pool's.
    unclaimed: i64,
    inherits_at: Nanos,
}

impl Sim {
    /// A machine with so many pages, and room for so many domains.
    pub fn new(pages: u64, domains: usize, settings: Settings) -> Self {
        Self {
            coordinator: Coordinator::new(vec![Entry::default(); domains], settings),
            world: World::new(pages),
            events: 0,
            full_check: 1,
            room: domains,
            unclaimed: 0,
            inherits_at: 0,
        }
    }

    /// Hands an event to the coordinator and checks everything.
    pub fn handle(&mut self, event: Event) -> Result<(), Refused> {
        self.world.touched.clear();
        if let Event::Up { dom, .. } = event {
            self.world.touched.push(dom);
        }
        let booked = self.booked_late(&event);
        let result = self
            .coordinator
            .handle(event, self.world.now, &mut self.world);
        self.events += 1;
        if let Some(before) = booked {
            self.world.late += (before - self.unbooked()).max(0).unsigned_abs();
        }
        if self.events % self.full_check == 0 {
            self.check();
        } else {
            self.rules().check_touched();
        }
        result
    }

    fn unbooked(&self) -> i64 {
        self.coordinator.settings().unbooked.expect("known")
    }

    /// What is outside the books, if an event may make the coordinator book there what a domain has taken late, and
    /// others have been promised.
    fn booked_late(&self, event: &Event) -> Option<i64> {
        let (Event::Up { dom, .. } | Event::Attach { dom, .. }) = event else {
            return None;
        };
        let view = self.coordinator.domain(*dom)?;
        (view.doubtful > 0).then(|| self.unbooked())
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
}

/// Domains come and go.
impl Sim {
    /// Creates a domain and connects its front-end.
    pub fn boot(&mut self, dom: DomId, pages: u64, limits: Limits) -> bool {
        self.world.create(dom, pages, limits) && self.attach(dom).is_ok()
    }

    /// A domain dies.
    pub fn die(&mut self, dom: DomId) {
        if self.world.domains.contains_key(&dom) {
            self.world.destroy(dom);
            let _ = self.handle(Event::Died { dom });
        }
    }

    /// `xl save`, and `xl restore` after that: the domain is another then, of whose balance nobody knows. If too much of
    /// what it borrowed is in use, it is not saved, and goes on as it was. Returns whether it was.
    pub fn suspend(&mut self, dom: DomId) -> bool {
        let Some(mut inside) = self.world.inside(dom).filter(|i| !i.domain.paused) else {
            return false;
        };
        inside.freeze();
        let shortfalls = inside.shortfalls;
        let before = inside.domain.session.balance;
        let left = inside.settle_frozen();
        let frozen = self.world.now;
        while self.world.domains[&dom].is_waiting() && self.world.now < frozen + 3 * SECOND {
            while self.serve(dom) | self.hear(dom) {}
            self.advance(100 * MILLISECOND);
        }
        if !is_restorable(left) {
            let after = self.world.domains[&dom].session.balance;
            let as_before = after == before || shortfalls > 0;
            assert!(as_before, "{dom}: {before} before, {after} after");
            self.world.inside(dom).expect("just seen").thaw();
            return false;
        }
        self.restore(dom);
        true
    }

    /// The toolstack restores a domain as large as it was when it was saved. If there is no memory for that, it is lost.
    fn restore(&mut self, dom: DomId) {
        let Domain {
            current,
            baseline,
            target,
            needs,
            limits,
            ..
        } = self.world.domains[&dom];
        let above_target = baseline.saturating_sub(target);
        let liar = self.world.domains[&dom].liar;
        assert!(
            liar || current <= target + CAP_MARGIN + above_target,
            "{dom}: {current} pages in an image for {target}"
        );
        self.die(dom);
        if self.spare() < current || !self.world.create(dom, current, limits) {
            return;
        }
        let domain = self.world.domains.get_mut(&dom).expect("just created");
        (domain.target, domain.needs, domain.liar) = (target, needs, liar);
        domain.cap(target + CAP_MARGIN);
        let _ = self.attach(dom);
    }
}

/// Connections come and go.
impl Sim {
    /// A front-end connects, saying what its balance is.
    pub fn attach(&mut self, dom: DomId) -> Result<(), Refused> {
        let Some(mut inside) = self.world.inside(dom) else {
            return Err(Refused::UnknownDomain);
        };
        if inside.domain.connected {
            return Ok(());
        }
        inside.hang_up();
        inside.take_over();
        let domain = inside.domain;
        let known = self.coordinator.record(dom);
        // Not if the toolstack let it have more meanwhile.
        let known =
            known.filter(|known| (known.maximum, known.target) == (domain.maximum, domain.target));
        let most = known.map(most_of);
        domain.cap_seen();
        domain.disconnect();
        domain.connected = true;
        domain.session.guest.begin();
        let (limits, target) = (domain.limits, domain.target);
        let claim = domain.session.balance + domain.false_by;
        let doubt = self
            .coordinator
            .record(dom)
            .map_or(0, |record| record.in_flight);
        let result = self.handle(Event::Attach {
            dom,
            claim: Some(claim),
            credit: dom.raw() % 4 != 0,
            limits,
            target,
        });
        self.check_claim(dom, claim, most, doubt);
        self.establish(dom, result.is_ok());
        // The back-end looks again, because what it knew may have been old.
        self.notice(dom);
        result
    }

    /// Both sides have connected; or the back-end has not.
    fn establish(&mut self, dom: DomId, accepted: bool) {
        let mut inside = self.world.inside(dom).expect("exists");
        if !accepted {
            inside.domain.connected = false;
            inside.hang_up();
        } else if inside.domain.connected {
            let client = &mut inside.domain.session.guest.client;
            client.establish().expect("just begun");
        }
    }

    /// A front-end goes. The back-end acts on all that it was told first.
    pub fn detach(&mut self, dom: DomId) {
        if let Some(inside) = self.world.inside(dom) {
            inside.domain.session.guest.client.catch_up();
        }
        while self.hear(dom) {}
        let Some(mut inside) = self.world.inside(dom).filter(|i| i.domain.connected) else {
            return;
        };
        let drained = inside.hang_up();
        assert!(drained || inside.domain.liar, "{dom}: something is unheard");
        self.vanish(dom);
    }

    /// A front-end goes, and what it said last nobody hears.
    pub fn vanish(&mut self, dom: DomId) {
        let Some(mut inside) = self.world.inside(dom).filter(|i| i.domain.connected) else {
            return;
        };
        inside.hang_up();
        inside.domain.disconnect();
        let _ = self.handle(Event::Detach { dom });
    }

    /// A front-end is unloaded: what it cannot settle is its stock balloon's business. Not if that would at once make its
    /// own what its toolstack wants it to have, and what Xen does not have for it.
    pub fn unload(&mut self, dom: DomId) {
        let spare = self.spare();
        let Some(domain) = self.world.domains.get(&dom) else {
            return;
        };
        if domain.target.saturating_sub(domain.baseline) > spare {
            return;
        }
        if let Some(mut inside) = self.world.running(dom) {
            inside.settle();
            while self.serve(dom) | self.hear(dom) {}
        }
        self.detach(dom);
        if let Some(mut inside) = self.world.inside(dom) {
            inside.hand_over();
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
            while self.hear(*dom) {}
            let domain = &self.world.domains[dom];
            assert!(domain.open.is_empty(), "{dom}: left without an answer");
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
            request_rate: settings.request_rate,
            request_burst: settings.request_burst,
            ..Settings::parse(&settings.to_string()).expect("its own words")
        };
        self.coordinator = Coordinator::new(vec![Entry::default(); self.room], settings);
        let forgotten = unheard(&mut self.world);
        if self.world.now >= self.inherits_at {
            self.unclaimed = 0;
        }
        self.inherits_at = self.world.now + INHERITS_AFTER;
        for (dom, record) in doms.iter().zip(&records) {
            match *record {
                Some(record) if forgotten.contains(dom) => {
                    self.unclaimed += record.balance + record.in_flight as i64;
                }
                Some(record) => {
                    let _ = self.handle(Event::Recall { dom: *dom, record });
                }
                None => {}
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
}

/// What happens in a domain, and what its front-end says.
impl Sim {
    /// A process asks Dom0 for exactly so much. `false` if it is refused.
    pub fn request(&mut self, dom: DomId, pages: u64, deadline_us: u64) -> bool {
        self.wish(dom, &exactly(pages, deadline_us))
    }

    /// A process wants memory, however it comes. `false` if it is refused.
    pub fn wish(&mut self, dom: DomId, wish: &Wish) -> bool {
        let inside = self.world.running(dom);
        inside.is_some_and(|mut inside| inside.request(wish).is_ok())
    }

    /// A signal comes for a process that waits.
    pub fn interrupt(&mut self, dom: DomId) {
        if let Some(mut inside) = self.world.running(dom) {
            inside.interrupt();
        }
    }

    /// A process gives back memory that was borrowed.
    pub fn release(&mut self, dom: DomId, pages: u64) {
        if let Some(mut inside) = self.world.running(dom) {
            inside.release(pages);
        }
    }

    /// A process takes memory on the domain's credit, as far as that goes.
    pub fn draw(&mut self, dom: DomId, pages: u64) {
        let Some(mut inside) = self.world.running(dom) else {
            return;
        };
        let pages = pages.min(inside.domain.session.guest.client.credit());
        if pages > 0 {
            let exact = false;
            let wish = Wish {
                exact,
                ..exactly(pages, 0)
            };
            // If Xen has none, Dom0 is asked, which may be refused.
            let _ = inside.request(&wish);
        }
    }

    /// Dom0 hears what was drawn.
    pub fn tell_drawn(&mut self, dom: DomId) {
        if let Some(inside) = self.world.running(dom) {
            if inside.domain.lane.lie != Some(Lie::Silent) {
                inside.domain.session.guest.client.catch_up();
            }
        }
    }

    /// The timer expires that makes a front-end tell what is news.
    pub fn report(&mut self, dom: DomId) {
        if let Some(mut inside) = self.world.running(dom) {
            inside.tick();
        }
    }

    /// A front-end says how it fares: its balance has gone there and back.
    pub fn stats(&mut self, dom: DomId) {
        if let Some(inside) = self.world.running(dom) {
            inside.domain.session.moved(1);
            inside.domain.session.moved(-1);
        }
        self.report(dom);
    }

    /// A step of a front-end: it takes in what Dom0 said, and goes on with what it is at. `false` if there is nothing.
    pub fn serve(&mut self, dom: DomId) -> bool {
        let inside = self.world.inside(dom);
        let Some(mut inside) = inside.filter(|inside| !inside.domain.paused) else {
            return false;
        };
        if inside.domain.lane.lie == Some(Lie::Silent) {
            return false;
        }
        if inside.step() {
            return true;
        }
        let Some(why) = inside.fault() else {
            return false;
        };
        let given_up = std::mem::take(&mut inside.domain.session.stalled);
        assert!(
            inside.domain.liar || (given_up && why == Violation::LaneFull),
            "{dom}: Dom0 is honest, but {why}"
        );
        self.vanish(dom);
        true
    }

    /// The back-end reads one message of a front-end. `false` if there is none.
    pub fn hear(&mut self, dom: DomId) -> bool {
        let Some(domain) = self.world.domains.get_mut(&dom).filter(|d| d.connected) else {
            return false;
        };
        let read = domain
            .lane
            .read(&mut domain.session.guest, &mut self.world.random);
        let up = match read {
            Ok(None) => return false,
            Ok(Some(up)) => up,
            Err(why) => {
                self.world.disconnect(dom, why);
                let _ = self.handle(Event::SentAway { dom });
                return true;
            }
        };
        domain.watch_up(dom, &up, self.world.now);
        // It is refused if the front-end was just disconnected.
        let _ = self.handle(Event::Up { dom, up });
        true
    }
}

/// Who cheats.
impl Sim {
    /// Somebody writes a message into the lane who is not the client. `false` if there is no lane.
    pub fn forge(&mut self, dom: DomId, up: &Up) -> bool {
        let domain = self.world.domains.get_mut(&dom);
        let domain = domain.filter(|domain| domain.connected);
        domain.map(|domain| domain.lane.forge(up)).is_some()
    }

    /// A front-end begins to cheat.
    pub fn corrupt(&mut self, dom: DomId, lie: Lie) {
        let Some(domain) = self.world.domains.get_mut(&dom).filter(|d| d.connected) else {
            return;
        };
        domain.liar = true;
        domain.lane.lie = Some(lie);
        self.world.tainted = true;
        match lie {
            Lie::Floods => flood().for_each(|up| domain.lane.forge(&up)),
            Lie::Scribbles => domain.session.guest.scribble(),
            _ => {}
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
            let cap = domain.toolstack_maximum as i64;
            let most = most.unwrap_or(cap).max(domain.current as i64);
            self.world.made_up += most.abs_diff(domain.current as i64);
        }
    }
}

/// What the toolstack and the administrator do.
impl Sim {
    /// `xl mem-set`, and the back-end notices, at once or before the next change.
    pub fn mem_set(&mut self, dom: DomId, target: u64, notice: bool) {
        self.notice(dom);
        self.world.mem_set(dom, target);
        if notice {
            self.notice(dom);
        }
    }

    /// Whether Xen has for a domain what that would keep at once, if its toolstack wanted it to have `target` pages: what a
    /// front-end that was unloaded has borrowed and left to the stock balloon.
    pub fn has_for(&self, dom: DomId, target: u64) -> bool {
        let Some(domain) = self.world.domains.get(&dom) else {
            return true;
        };
        let kept = domain.left_over() - domain.left_over_at(target);
        kept <= self.spare() as i64
    }

    /// `xl mem-max`, of which nobody tells the back-end.
    pub fn mem_max(&mut self, dom: DomId, maximum: u64) {
        self.notice(dom);
        self.world.mem_max(dom, maximum);
    }

    /// The back-end hears what the toolstack wants a domain to have.
    pub(crate) fn notice(&mut self, dom: DomId) {
        let Some(target) = self.world.domains.get(&dom).map(|domain| domain.target) else {
            return;
        };
        if self.handle(Event::ToolstackChanged { dom, target }).is_ok() {
            self.world.domains.get_mut(&dom).expect("exists").cap_seen();
        }
    }

    /// The stock balloon of a domain moves towards its target, with what is not promised to others.
    pub fn balloon(&mut self, dom: DomId, pages: u64, spare: u64) {
        if let Some(mut inside) = self.world.inside(dom) {
            inside.balloon(pages, spare);
        }
    }

    /// The administrator sets the credit of each domain.
    pub fn set_credit(&mut self, pages: u64) {
        self.world.most_credit = self.world.most_credit.max(pages);
        self.handle(Event::SetCredit { pages }).expect("in range");
    }
}

/// The end.
impl Sim {
    /// Delivers every message, over and over, and lets much time pass, until nothing changes.
    pub fn come_to_rest(&mut self) {
        for domain in self.world.domains.values_mut() {
            domain.paused = false;
        }
        let doms: Vec<_> = self.world.domains.keys().copied().collect();
        for dom in &doms {
            self.notice(*dom);
        }
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            doms.iter().for_each(|dom| self.report(*dom));
            let moved = self.live(&doms, 10 * SECOND);
            quiet = if moved { 0 } else { quiet + 1 };
            if quiet == QUIET {
                break;
            }
        }
        // What the coordinator tried last, so that nothing is under way at the end.
        for _ in 0..1_000 {
            let served = doms.iter().filter(|dom| self.serve(**dom)).count();
            doms.iter().for_each(|dom| self.tell_drawn(*dom));
            let heard = doms.iter().filter(|dom| self.hear(**dom)).count();
            if served + heard == 0 {
                return;
            }
        }
        panic!("messages without end");
    }

    /// Lets time pass in which these domains run, and do at once what they are told. Returns whether they did anything.
    fn live(&mut self, doms: &[DomId], nanos: Nanos) -> bool {
        let end = self.world.now + nanos;
        let mut moved = self.deliver(doms);
        while let Some(due) = self.coordinator.next_deadline().filter(|due| *due <= end) {
            self.world.now = self.world.now.max(due);
            self.tick();
            moved |= self.deliver(doms);
        }
        self.world.now = end;
        moved
    }

    /// Delivers the messages of these domains, until none has any. Returns whether there were some.
    fn deliver(&mut self, doms: &[DomId]) -> bool {
        let mut moved = false;
        for dom in doms {
            self.tell_drawn(*dom);
            while self.serve(*dom) {
                moved = true;
            }
            while self.hear(*dom) {
                moved = true;
            }
        }
        moved
    }

    /// What Xen has free and nobody is promised.
    pub fn spare(&self) -> u64 {
        self.world.free.saturating_sub(self.rules().promised())
    }

    /// Panics unless everything that must always hold does.
    pub fn check(&self) {
        self.rules().check();
    }

    /// Panics unless a world at rest is as it should be.
    pub fn check_at_rest(&self) {
        self.rules().check_at_rest();
    }

    fn rules(&self) -> Rules<'_> {
        let unclaimed = if self.world.now < self.inherits_at {
            self.unclaimed.max(0)
        } else {
            0
        };
        Rules {
            coordinator: &self.coordinator,
            world: &self.world,
            unclaimed: unclaimed.unsigned_abs(),
        }
    }

    /// A front-end that connected is believed, and may not have more because it claimed something: `most` is what it
    /// could have before, if that is known. Of an honest one's claim `doubt` pages may be doubted: they were on their way,
    /// and its stock balloon can have used the room for them.
    fn check_claim(&mut self, dom: DomId, claim: i64, most: Option<i64>, doubt: u64) {
        let now = self.coordinator.record(dom).map(most_of);
        let domain = self.world.domains.get_mut(&dom).expect("exists");
        let unread = domain.session.guest.unread();
        let granted: u64 = unread.iter().map(granted).sum();
        assert!(
            most.is_none_or(|most| now.is_none_or(|now| now <= most + granted as i64)),
            "{dom}: may have more because it claimed something"
        );
        if let Some(known) = self.coordinator.domain(dom).filter(|_| !domain.liar) {
            if std::mem::take(&mut domain.session.used_room) {
                let doubted = (claim - known.balance).unsigned_abs();
                assert!(doubted <= doubt, "{dom}: {doubted} pages are not believed");
                domain.session.doubted |= doubted > 0;
            } else {
                assert_eq!(known.balance, claim, "{dom}: honest, and not believed");
            }
        }
    }
}

/// The most that the coordinator lets a domain have.
fn most_of(record: Record) -> i64 {
    let toolstacks = (record.toolstack_maximum + record.over_cap) as i64 - record.forgiven as i64;
    toolstacks + record.balance + (record.in_flight + record.doubtful) as i64
}
