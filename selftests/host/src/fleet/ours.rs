// SPDX-License-Identifier: GPL-2.0

//! Managed by the coordinator and by what each client decides by itself: all of it is production code,
//! but for the shell's part in moving memory and the ring between them.

use cmm::client::{
    is_worth_telling, keeps, on_demand, spare, spare_borrowed, Attempt, Auto, Holdings, Memory,
    Move, Rescues, Sample, Try, Wish, INTERVAL,
};
use cmm::coordinator::{
    Activity, Coordinator, Entry, Event, Gone, Host as Hands, Limits, Nanos, Policy, Reservation,
    SendError, Settings, MICROSECOND, MILLISECOND,
};
use cmm::protocol::{Down, RequestReason, Up, Urgency, Violation};
use cmm::DomId;

use super::host::{Host, Manager, GIVE, TAKE};
use crate::domain::CAP_MARGIN;

/// How long a message is on its way.
const HOP: Nanos = 30 * MICROSECOND;

/// What it takes to begin with a demand, or to take.
const BEGIN: Nanos = 20 * MICROSECOND;

/// How soon to look again while memory is moved.
const SOON: Nanos = 4 * MILLISECOND;

/// What is done later.
#[derive(Clone, Copy, Debug)]
pub enum Job {
    /// The coordinator has something to do.
    Tick,
    /// A front-end hears.
    Down(usize, Down),
    /// The coordinator hears.
    Up(usize, Up),
    /// A domain looks at its kernel's numbers; the so manieth time that this was planned.
    Look(usize, u32),
    /// A domain says how it fares, if that is news.
    Report(usize),
    /// A domain has done what it was told.
    Done(usize, Down),
    /// A domain has given back what it does not need.
    GaveBack(usize, u64),
    /// Who is held up may ask again.
    Rescue(usize),
}

/// A domain's front-end.
struct Client {
    auto: Auto,
    rescues: Rescues,
    /// What the kernel's OOM killer waits for.
    attempt: Option<Attempt>,
    balance: i64,
    moves: u32,
    last_id: u32,
    /// The request that it made by itself, and whether for its own.
    asked: Option<(u32, bool)>,
    /// The request of the attempt.
    urgent: Option<u32>,
    gives_back: bool,
    looks: u32,
    /// What Dom0 was told last, and after how many moves.
    told: Option<(u64, u32)>,
    /// Until when the thread has something to do.
    busy: Nanos,
}

/// What the coordinator acts on.
struct Xen {
    /// What each has and may have.
    domains: Vec<Reservation>,
    sent: Vec<(usize, Down)>,
}

impl Hands for Xen {
    fn send(&mut self, dom: DomId, message: &Down) -> Result<(), SendError> {
        self.sent.push((number(dom), *message));
        Ok(())
    }

    fn reservation(&mut self, dom: DomId) -> Option<Reservation> {
        self.domains.get(number(dom)).copied()
    }

    /// There is nobody else to take of it.
    fn free_pages(&mut self) -> Option<u64> {
        None
    }

    fn activity(&mut self, _dom: DomId) -> Option<Activity> {
        Some(Activity::Blocked)
    }

    fn boost(&mut self, _dom: DomId) {}

    fn set_maximum(&mut self, dom: DomId, pages: u64) -> Result<(), Gone> {
        self.domains[number(dom)].maximum = pages;
        Ok(())
    }

    fn disconnect(&mut self, dom: DomId, why: Violation) {
        panic!("{dom} {why}");
    }
}

fn number(dom: DomId) -> usize {
    usize::from(dom.raw()) - 1
}

fn id(dom: usize) -> DomId {
    DomId::new(dom as u16 + 1).expect("not reserved")
}

/// The coordinator, and all front-ends.
pub struct Ours {
    coordinator: Coordinator<Vec<Entry>>,
    xen: Xen,
    clients: Vec<Client>,
    /// When the coordinator is to be woken.
    armed: Nanos,
}

impl Ours {
    /// With so many pages in the reserve.
    pub fn new(domains: usize, policy: Policy, reserve: u64) -> Self {
        let settings = Settings {
            policy,
            reserve,
            ..Settings::default()
        };
        let client = || Client {
            auto: Auto::new(),
            rescues: Rescues::new(),
            attempt: None,
            balance: 0,
            moves: 0,
            last_id: 0,
            asked: None,
            urgent: None,
            gives_back: false,
            looks: 0,
            told: None,
            busy: 0,
        };
        Self {
            coordinator: Coordinator::new(vec![Entry::default(); domains], settings),
            xen: Xen {
                domains: Vec::new(),
                sent: Vec::new(),
            },
            clients: (0..domains).map(|_| client()).collect(),
            armed: Nanos::MAX,
        }
    }

    /// How often each asked by itself, was refused, and had given back too soon.
    pub fn tally(&self) -> (u64, u64, u64) {
        let tallies = self.clients.iter().map(|client| client.auto.tally());
        tallies.fold((0, 0, 0), |(asked, refused, regrets), tally| {
            (
                asked + tally.asked,
                refused + tally.refused,
                regrets + tally.regrets,
            )
        })
    }

    fn handle(&mut self, event: Event, host: &mut Host<Job>) {
        self.coordinator
            .handle(event, host.now, &mut self.xen)
            .expect("never refused");
        for (dom, down) in self.xen.sent.drain(..) {
            host.plan(host.now + HOP, Job::Down(dom, down));
        }
        if let Some(due) = self.coordinator.next_deadline() {
            let due = due.max(host.now);
            if due < self.armed || self.armed <= host.now {
                self.armed = due;
                host.plan(due, Job::Tick);
            }
        }
    }

    /// Dom0 hears, after a while.
    fn say(&mut self, dom: usize, up: Up, host: &mut Host<Job>) {
        host.plan(host.now + HOP, Job::Up(dom, up));
    }

    /// A domain's balance has changed.
    fn moved(&mut self, dom: usize, pages: i64, host: &mut Host<Job>) {
        let client = &mut self.clients[dom];
        client.balance += pages;
        client.moves = client.moves.wrapping_add(1);
        self.xen.domains[dom].current = host.tenants[dom].size;
    }

    fn holdings(&self, dom: usize, host: &Host<Job>) -> Holdings {
        Holdings {
            baseline: host.tenants[dom].baseline,
            balance: self.clients[dom].balance,
            readahead: 0,
            deferred: 0,
        }
    }

    fn look(&mut self, dom: usize, host: &mut Host<Job>) {
        let has = self.holdings(dom, host);
        let client = &mut self.clients[dom];
        if client.asked.is_some() || client.urgent.is_some() || client.gives_back {
            return self.look_in(dom, SOON, host);
        }
        let now = host.now;
        let tenant = host.tenant(dom);
        let sample = Sample {
            total: tenant.size,
            free: tenant.size - tenant.used(),
            available: tenant.available(),
            file: 0,
            reclaimable: 0,
            moves: client.moves,
        };
        let room = tenant.ceiling.saturating_sub(tenant.size);
        let (step, next) = client.auto.look(&sample, &has, room, now);
        match step {
            Move::Rest => {}
            Move::Ask { pages, own } => {
                let id = self.request(dom, &Wish::by_itself(pages, own), host);
                self.clients[dom].asked = Some((id, own));
                return;
            }
            Move::GiveBack { pages } => {
                client.gives_back = true;
                let at = client.busy.max(now) + BEGIN + pages * GIVE;
                client.busy = at;
                host.plan(at, Job::GaveBack(dom, pages));
                return;
            }
        }
        let asleep = next.asleep.unwrap_or(Nanos::MAX);
        self.look_in(dom, next.awake.min(asleep), host);
    }

    fn look_in(&mut self, dom: usize, span: Nanos, host: &mut Host<Job>) {
        let client = &mut self.clients[dom];
        client.looks = client.looks.wrapping_add(1);
        host.plan(host.now + span, Job::Look(dom, client.looks));
    }

    fn request(&mut self, dom: usize, wish: &Wish, host: &mut Host<Job>) -> u32 {
        let client = &mut self.clients[dom];
        client.last_id = client.last_id % 1_000_000 + 1;
        let id = client.last_id;
        let request = Up::Request {
            id,
            pages: wish.pages,
            deadline_us: wish.patience_us(),
            reason: wish.reason,
        };
        self.say(dom, request, host);
        id
    }

    /// Looks for memory before a process is killed.
    fn rescue(&mut self, dom: usize, host: &mut Host<Job>) {
        let now = host.now;
        let client = &mut self.clients[dom];
        if client.urgent.is_some() || !host.tenant(dom).is_held_up() {
            return;
        }
        if client.attempt.is_none() {
            client.attempt = client.rescues.begin(now);
            if client.attempt.is_none() {
                // The kernel asks again as long as there is a process that cannot go on.
                return host.plan(now + MILLISECOND, Job::Rescue(dom));
            }
        }
        let tenant = &host.tenants[dom];
        let room = tenant.ceiling.saturating_sub(tenant.size);
        let step = client
            .attempt
            .as_mut()
            .and_then(|attempt| attempt.next(room, now));
        match step {
            Some(Try::Ask(wish)) => {
                debug_assert_eq!(wish.reason, RequestReason::Emergency);
                let id = self.request(dom, &wish, host);
                self.clients[dom].urgent = Some(id);
            }
            Some(Try::Wait(nanos)) => host.plan(now + nanos, Job::Rescue(dom)),
            None => self.rescued(dom, 0, host),
        }
    }

    fn rescued(&mut self, dom: usize, pages: u64, host: &mut Host<Job>) {
        let client = &mut self.clients[dom];
        client.attempt = None;
        client.rescues.ended(pages, host.now);
        host.plan(host.now + MILLISECOND, Job::Rescue(dom));
    }

    /// A front-end hears, and begins to do what it is told.
    fn hear(&mut self, dom: usize, down: Down, host: &mut Host<Job>) {
        let work = match down {
            Down::Grant { id, pages, .. } => {
                if pages == 0 {
                    return self.got(dom, id, 0, host);
                }
                pages * TAKE
            }
            Down::Give { pages, .. } => pages * TAKE,
            Down::Reclaim { pages, urgency, .. } => {
                pages.min(self.gives(dom, urgency, host)) * GIVE
            }
            _ => return,
        };
        let client = &mut self.clients[dom];
        let from = match down {
            // Whoever asked takes it.
            Down::Grant { .. } => host.now,
            _ => client.busy.max(host.now),
        };
        let at = from + BEGIN + work;
        if !matches!(down, Down::Grant { .. }) {
            client.busy = at;
        }
        host.plan(at, Job::Done(dom, down));
    }

    fn memory(&self, dom: usize, host: &mut Host<Job>) -> Memory {
        let tenant = host.tenant(dom);
        Memory {
            total: tenant.size,
            available: tenant.available(),
            ..Memory::default()
        }
    }

    fn spare(&self, dom: usize, host: &mut Host<Job>) -> u64 {
        spare(&self.memory(dom, host))
    }

    /// What it gives if it is asked, at most.
    fn gives(&self, dom: usize, urgency: Urgency, host: &mut Host<Job>) -> u64 {
        let borrowed = self.holdings(dom, host).borrowed();
        on_demand(&self.memory(dom, host), borrowed, urgency).spare
    }

    fn done(&mut self, dom: usize, down: Down, host: &mut Host<Job>) {
        let cap = self.xen.domains[dom].maximum;
        match down {
            Down::Reclaim { id, pages, urgency } => {
                let pages = pages.min(self.gives(dom, urgency, host));
                let pages = host.give(dom, pages);
                self.moved(dom, -(pages as i64), host);
                self.say(dom, Up::Offered { id, pages }, host);
                // Dom0 believes that there is no more until it hears otherwise.
                self.clients[dom].told = None;
            }
            Down::Give { id, pages } => {
                let pages = host.take(dom, pages, cap);
                self.moved(dom, pages as i64, host);
                self.say(dom, Up::Took { id, pages }, host);
            }
            Down::Grant { id, pages, .. } => {
                let pages = host.take(dom, pages, cap);
                self.moved(dom, pages as i64, host);
                self.say(dom, Up::Took { id, pages }, host);
                self.got(dom, id, pages, host);
            }
            _ => {}
        }
    }

    /// A request has brought so much.
    fn got(&mut self, dom: usize, id: u32, pages: u64, host: &mut Host<Job>) {
        let now = host.now;
        let client = &mut self.clients[dom];
        if client.urgent == Some(id) {
            client.urgent = None;
            if pages == 0 {
                return self.rescue(dom, host);
            }
            client.auto.asked(pages, pages, now);
            self.rescued(dom, pages, host);
        } else if let Some((_, own)) = client.asked.take_if(|(asked, _)| *asked == id) {
            client.auto.asked(pages, if own { 0 } else { pages }, now);
            client.rescues.came(pages);
        }
        self.look(dom, host);
    }

    fn gave_back(&mut self, dom: usize, pages: u64, host: &mut Host<Job>) {
        let borrowed = self.holdings(dom, host).borrowed();
        let memory = self.memory(dom, host);
        let kept = keeps(&memory);
        let pages = pages.min(borrowed).min(spare_borrowed(&memory, kept));
        let pages = host.give(dom, pages);
        if pages > 0 {
            self.moved(dom, -(pages as i64), host);
            self.say(dom, Up::Release { id: 1, pages }, host);
        }
        let client = &mut self.clients[dom];
        client.gives_back = false;
        client.auto.gave_back(pages, host.now);
        self.look(dom, host);
    }

    fn report(&mut self, dom: usize, host: &mut Host<Job>) {
        host.plan(host.now + INTERVAL, Job::Report(dom));
        let available = self.spare(dom, host);
        let client = &mut self.clients[dom];
        let is_news = client
            .told
            .is_none_or(|(told, moves)| moves != client.moves || is_worth_telling(available, told));
        if is_news {
            client.told = Some((available, client.moves));
            let size = host.tenants[dom].size;
            let stats = Up::Stats {
                available,
                size,
                total_ram: size,
            };
            self.say(dom, stats, host);
        }
    }
}

impl Manager for Ours {
    type Job = Job;

    fn start(&mut self, host: &mut Host<Job>) {
        for dom in 0..host.tenants.len() {
            let tenant = &host.tenants[dom];
            let cap = tenant.size + CAP_MARGIN;
            self.xen.domains.push(Reservation {
                current: tenant.size,
                maximum: cap,
            });
            let attach = Event::Attach {
                dom: id(dom),
                claim: Some(0),
                credit: false,
                limits: Limits::by_default(tenant.size, tenant.ceiling, cap),
                target: tenant.size,
            };
            self.handle(attach, host);
            // Not all at once.
            let phase = dom as u64 * 7_919 % 100 * MILLISECOND;
            host.plan(phase, Job::Report(dom));
            self.look_in(dom, phase, host);
        }
    }

    fn work(&mut self, job: Job, host: &mut Host<Job>) {
        match job {
            Job::Tick => {
                if self.armed <= host.now {
                    self.armed = Nanos::MAX;
                    self.handle(Event::Tick, host);
                }
            }
            Job::Down(dom, down) => self.hear(dom, down, host),
            Job::Up(dom, up) => self.handle(Event::Up { dom: id(dom), up }, host),
            Job::Look(dom, which) => {
                if which == self.clients[dom].looks {
                    self.look(dom, host);
                }
            }
            Job::Report(dom) => self.report(dom, host),
            Job::Done(dom, down) => self.done(dom, down, host),
            Job::GaveBack(dom, pages) => self.gave_back(dom, pages, host),
            Job::Rescue(dom) => self.rescue(dom, host),
        }
    }

    fn held_up(&mut self, dom: usize, host: &mut Host<Job>) {
        self.rescue(dom, host);
    }
}
