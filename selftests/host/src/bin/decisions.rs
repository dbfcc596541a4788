// SPDX-License-Identifier: GPL-2.0

//! Measures how long the coordinator takes to decide, with few domains and with many.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::mem;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cmm::coordinator::{
    Activity, Coordinator, Domain, Event, Gone, Host, Limits, Nanos, Reservation, SendError,
    Settings, MICROSECOND, SECOND,
};
use cmm::protocol::{Down, RequestReason, Up, Violation};
use cmm::DomId;

const USAGE: &str = "\
Usage: decisions DIRECTORY

Measures the time the coordinator takes for everything that one request makes it
do, with 10, 100, 1 000 and 10 000 domains, and writes DIRECTORY/decisions.csv.
What Xen and the ring take is not in it: the hands do nothing but write down.
";

/// How many domains are tried.
const CROWDS: [u16; 4] = [10, 100, 1_000, 10_000];
/// How many requests are measured of each kind, and how many before that to warm up.
const REQUESTS: usize = 2_000;
const WARM_UP: usize = 200;
/// Of each domain, in pages.
const SIZE: u64 = 262_144;
const SPARE: u64 = 65_536;
/// Of each request, in pages.
const PAGES: u64 = 16;
/// The reserve, where there is one, in pages.
const RESERVE: u64 = 16_384;

/// Hands that only write down, and pay nothing for it.
struct Hands {
    sizes: Vec<Reservation>,
    sent: Vec<(DomId, Down)>,
}

impl Hands {
    fn size(&mut self, dom: DomId) -> &mut Reservation {
        &mut self.sizes[usize::from(dom.raw())]
    }
}

impl Host for Hands {
    fn send(&mut self, dom: DomId, message: &Down) -> Result<(), SendError> {
        self.sent.push((dom, *message));
        Ok(())
    }

    fn reservation(&mut self, dom: DomId) -> Option<Reservation> {
        Some(*self.size(dom))
    }

    fn activity(&mut self, _dom: DomId) -> Option<Activity> {
        Some(Activity::Blocked)
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

/// A machine full of domains that do as they are told.
struct Machine {
    coordinator: Coordinator<Vec<Domain>>,
    hands: Hands,
    now: Nanos,
    /// What the coordinator has taken since the clock was reset.
    spent: Duration,
    next_id: u32,
}

impl Machine {
    fn new(domains: u16, settings: Settings) -> Self {
        let sizes = Reservation {
            current: SIZE,
            maximum: SIZE + 256,
        };
        let room = usize::from(domains) + 1;
        let mut machine = Self {
            coordinator: Coordinator::new(vec![Domain::default(); room], settings),
            hands: Hands {
                sizes: vec![sizes; room],
                sent: Vec::with_capacity(64),
            },
            now: 0,
            spent: Duration::ZERO,
            next_id: 0,
        };
        for dom in (1..=domains).map(dom) {
            machine.handle(Event::Attach {
                dom,
                claim: Some(0),
                credit: true,
                limits: Limits::default(),
                target: 0,
            });
            // No two alike, so that there is something to choose.
            let available = SPARE + u64::from(dom.raw()) * 7_919 % 1_021;
            machine.say(
                dom,
                Up::Stats {
                    available,
                    size: SIZE,
                    total_ram: SIZE,
                },
            );
        }
        machine.settle();
        machine
    }

    /// Lets time pass until nothing is due any more.
    fn settle(&mut self) {
        self.answer_all();
        while let Some(due) = self.coordinator.next_deadline() {
            self.now = self.now.max(due);
            self.handle(Event::Tick);
            self.answer_all();
        }
    }

    fn handle(&mut self, event: Event) {
        self.now += 10 * MICROSECOND;
        let start = Instant::now();
        let result = self
            .coordinator
            .handle(black_box(event), self.now, &mut self.hands);
        self.spent += start.elapsed();
        result.expect("never refused");
    }

    fn say(&mut self, dom: DomId, up: Up) {
        self.handle(Event::Up { dom, up });
    }

    /// All domains do what they have been told, and what follows from that, until there is nothing left to do.
    fn answer_all(&mut self) {
        loop {
            while let Some((dom, down)) = self.hands.sent.pop() {
                self.answer(dom, &down);
            }
            match self.coordinator.next_deadline() {
                Some(due) if due <= self.now => self.handle(Event::Tick),
                _ => return,
            }
        }
    }

    fn answer(&mut self, dom: DomId, down: &Down) {
        match *down {
            Down::Grant { id, pages, .. } | Down::Give { id, pages } if pages > 0 => {
                self.hands.size(dom).current += pages;
                self.say(dom, Up::Took { id, pages });
            }
            Down::Reclaim { id, pages, .. } => {
                self.hands.size(dom).current -= pages;
                self.say(dom, Up::Offered { id, pages });
            }
            Down::Revoke { id, pages } => self.say(dom, Up::Offered { id, pages }),
            _ => {}
        }
    }

    fn request(&mut self, dom: DomId) {
        self.next_id = self.next_id % 1_000 + 1;
        let request = Up::Request {
            id: self.next_id,
            pages: PAGES,
            deadline_us: 0,
            reason: RequestReason::Automatic,
        };
        self.say(dom, request);
    }

    fn release(&mut self, dom: DomId) {
        self.hands.size(dom).current -= PAGES;
        self.say(
            dom,
            Up::Release {
                id: 1,
                pages: PAGES,
            },
        );
    }
}

/// How a domain gets memory.
#[derive(Clone, Copy)]
enum Path {
    /// From a donor that is asked.
    Cold,
    /// From the reserve.
    Reserve,
    /// On credit.
    Credit,
    /// From a second donor, because the first does not answer in time; measured from when it is passed over.
    Late,
}

impl Path {
    const ALL: [Self; 4] = [Self::Cold, Self::Reserve, Self::Credit, Self::Late];

    fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Reserve => "reserve",
            Self::Credit => "credit",
            Self::Late => "late",
        }
    }

    fn machine(self, domains: u16) -> Machine {
        let mut settings = Settings {
            request_rate: 0,
            ..Settings::default()
        };
        match self {
            Self::Cold | Self::Late => {}
            Self::Reserve => settings.reserve = RESERVE,
            Self::Credit => {
                settings.reserve = RESERVE;
                settings.credit = 2 * PAGES;
            }
        }
        Machine::new(domains, settings)
    }
}

fn dom(number: u16) -> DomId {
    DomId::new(number).expect("not reserved")
}

/// One request from its beginning to its end. Returns what the coordinator took.
fn one(machine: &mut Machine, path: Path, who: DomId) -> Duration {
    let mut late = Vec::new();
    if let Path::Late = path {
        machine.request(who);
        late = mem::take(&mut machine.hands.sent);
        machine.now = machine
            .coordinator
            .next_deadline()
            .expect("a donor is late");
    }
    machine.spent = Duration::ZERO;
    match path {
        Path::Credit => {
            machine.hands.size(who).current += PAGES;
            machine.say(
                who,
                Up::Drew {
                    id: 1,
                    pages: PAGES,
                },
            );
        }
        Path::Late => machine.handle(Event::Tick),
        Path::Cold | Path::Reserve => machine.request(who),
    }
    machine.answer_all();
    let spent = machine.spent;
    // Not measured: everything goes back to where it was.
    for (donor, down) in late {
        machine.answer(donor, &down);
        machine.now += 1_000 * SECOND;
    }
    machine.release(who);
    machine.answer_all();
    spent
}

/// The times of many requests, the shortest first.
fn measure(path: Path, domains: u16) -> Vec<Duration> {
    let mut machine = path.machine(domains);
    let mut times = Vec::with_capacity(REQUESTS);
    for i in 0..WARM_UP + REQUESTS {
        // Now here, now there, so that no domain's slot is always in the cache.
        let who = dom((i * 7_919 % usize::from(domains)) as u16 + 1);
        let spent = one(&mut machine, path, who);
        if i >= WARM_UP {
            times.push(spent);
        }
    }
    machine.coordinator.check().expect("the books balance");
    times.sort_unstable();
    times
}

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [directory] = arguments.as_slice() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    if directory == "--help" {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let mut table = "path,domains,p50_ns,p99_ns,max_ns\n".to_owned();
    println!(
        "{:8} {:>7} {:>9} {:>9} {:>9}",
        "path", "domains", "p50 ns", "p99 ns", "max ns"
    );
    for path in Path::ALL {
        for domains in CROWDS {
            let times = measure(path, domains);
            let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_nanos();
            let (p50, p99, max) = (at(50), at(99), at(100));
            let name = path.name();
            println!("{name:8} {domains:7} {p50:9} {p99:9} {max:9}");
            writeln!(table, "{name},{domains},{p50},{p99},{max}").expect("memory");
        }
    }
    let file = PathBuf::from(directory).join("decisions.csv");
    if let Err(error) = fs::write(&file, table) {
        eprintln!("decisions: error: cannot write {}: {error}", file.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
