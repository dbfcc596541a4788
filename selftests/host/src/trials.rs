// SPDX-License-Identifier: GPL-2.0

//! What can be made to happen to the coordinator, by front-ends and others, at its worst.
//!
//! Each trial brings a machine into a state in which one kind of event is dear, and then lets it
//! happen, over and over. What is called a lane is what one front-end can have the coordinator do
//! before the lock is let go.

use cmm::coordinator::{Event, Nanos, Policy, Settings, MILLISECOND, SECOND};
use cmm::protocol::{Down, Up, MAX_ASKS, MAX_PAGES, MAX_REQUESTS};

use crate::machine::{chunk, dom, Machine, SIZE};

/// Of a small request, in pages.
const PAGES: u64 = 16;
/// What one donor does not have.
const LARGE: u64 = 8 * 65_536;
/// So long that nothing that happened before matters any more.
const LONG: Nanos = 1_000 * SECOND;
/// As long as a request may wait, in microseconds.
const PATIENT: u64 = 60_000_000;
/// How many messages there can be in the lane up.
const LANE: u64 = 33;
/// How many domains crowd at one donor.
const CROWD: u16 = 16;
/// How many domains have all their requests due at once.
const DUE: u16 = 500;

/// A kind of event.
pub struct Trial {
    /// In a few words.
    pub name: &'static str,
    /// Makes a machine with so many domains.
    pub machine: fn(u16) -> Machine,
    /// Prepares the next round; `false` if there is none.
    pub prepare: fn(&mut Machine, usize) -> bool,
    /// What is measured.
    pub act: fn(&mut Machine, usize),
}

/// All trials.
pub const TRIALS: &[Trial] = &[
    Trial {
        name: "stats",
        machine: idle,
        prepare: |machine, _| next_round(machine),
        act: |machine, round| machine.stats(machine.in_turn(round), 100),
    },
    Trial {
        name: "tick, nothing due",
        machine: idle,
        prepare: |machine, _| next_round(machine),
        act: |machine, _| machine.handle(Event::Tick),
    },
    Trial {
        name: "request, one donor",
        machine: plenty,
        prepare: |machine, round| give_back(machine, round, PAGES),
        act: |machine, round| machine.request(machine.in_turn(round), PAGES, 0),
    },
    Trial {
        name: "request, eight donors",
        machine: plenty,
        prepare: |machine, round| give_back(machine, round, LARGE),
        act: |machine, round| machine.request(machine.in_turn(round), LARGE, 0),
    },
    Trial {
        name: "request, spread",
        machine: |domains| {
            let mut machine = plenty(domains);
            machine.handle(Event::SetPolicy(Policy::Spread));
            machine
        },
        prepare: |machine, round| give_back(machine, round, PAGES),
        act: |machine, round| machine.request(machine.in_turn(round), PAGES, 0),
    },
    Trial {
        name: "request, from the reserve",
        machine: reserved,
        prepare: |machine, round| give_back(machine, round, PAGES),
        act: |machine, round| machine.request(machine.in_turn(round), PAGES, 0),
    },
    Trial {
        name: "request, nobody has any",
        machine: idle,
        prepare: |machine, _| next_round(machine),
        act: |machine, round| machine.request(machine.in_turn(round), PAGES, 0),
    },
    Trial {
        name: "request, of what it lent",
        machine: lender,
        prepare: |machine, _| leave_unanswered(machine),
        act: |machine, _| machine.request(dom(1), 8, 1_000),
    },
    Trial {
        name: "request, all donors paused",
        machine: paused,
        prepare: |machine, _| {
            machine.answer_all();
            machine.now += LONG;
            true
        },
        act: |machine, _| machine.request(dom(1), PAGES, 1_000),
    },
    Trial {
        name: "tick, all donors paused",
        machine: |domains| {
            let mut machine = paused(domains);
            machine.request(dom(1), PAGES, PATIENT);
            machine
        },
        prepare: |machine, _| machine.is_due(),
        act: |machine, _| machine.handle(Event::Tick),
    },
    Trial {
        name: "request, all donors full",
        machine: full,
        prepare: |machine, _| {
            machine.replace(dom(1));
            next_round(machine)
        },
        act: |machine, _| machine.request(dom(1), 1, PATIENT),
    },
    Trial {
        name: "offered, and granted",
        machine: plenty,
        prepare: |machine, round| {
            give_back(machine, round, PAGES);
            machine.request(machine.in_turn(round), PAGES, 0);
            true
        },
        act: |machine, _| {
            // There is nothing else.
            for (donor, down) in machine.take_sent() {
                machine.answer(donor, &down);
            }
        },
    },
    Trial {
        name: "stats, a crowd waits",
        machine: crowded,
        prepare: |machine, _| next_round(machine),
        act: |machine, _| machine.stats(dom(2), 0),
    },
    Trial {
        name: "lane of stats, a crowd waits",
        machine: crowded,
        prepare: |machine, _| next_round(machine),
        act: |machine, _| (0..LANE).for_each(|_| machine.stats(dom(2), 0)),
    },
    Trial {
        name: "lane of requests for all",
        machine: plenty,
        prepare: |machine, _| {
            replace_all_asked(machine);
            machine.replace(dom(1));
            next_round(machine)
        },
        act: |machine, _| {
            for _ in 0..MAX_REQUESTS {
                machine.request(dom(1), MAX_PAGES, PATIENT);
            }
            for _ in MAX_REQUESTS as u64..LANE {
                machine.stats(dom(1), 0);
            }
        },
    },
    Trial {
        name: "lane of releases",
        machine: borrower,
        prepare: |machine, _| borrow_again(machine, LANE),
        act: |machine, _| {
            for _ in 0..LANE {
                machine.resize(dom(1), -1);
                machine.release(dom(1), 1);
            }
        },
    },
    Trial {
        name: "lane of draws",
        machine: |domains| {
            let mut machine = reserved(domains);
            machine.handle(Event::SetCredit { pages: 2 * LANE });
            machine.quiet();
            machine
        },
        prepare: |machine, round| {
            if round > 0 {
                let who = machine.in_turn(round - 1);
                machine.answer_all();
                machine.resize(who, -(LANE as i64));
                machine.release(who, LANE);
                machine.quiet();
            }
            machine.resize(machine.in_turn(round), LANE as i64);
            next_round(machine)
        },
        act: |machine, round| {
            let who = machine.in_turn(round);
            for _ in 0..LANE {
                machine.say(who, Up::Drew { id: 1, pages: 1 });
            }
        },
    },
    Trial {
        name: "release, eight lenders",
        machine: borrower,
        prepare: |machine, _| borrow_again(machine, 8 * PAGES),
        act: |machine, _| {
            machine.resize(dom(1), -(8 * PAGES as i64));
            machine.release(dom(1), 8 * PAGES);
        },
    },
    Trial {
        name: "tick, 4 000 deadlines",
        machine: |domains| {
            let mut machine = due(domains);
            machine.now += SECOND;
            machine
        },
        prepare: |machine, _| machine.is_due(),
        act: |machine, _| machine.handle(Event::Tick),
    },
    Trial {
        name: "tick, nobody has taken",
        machine: |domains| {
            let mut machine = reserved(domains);
            for requester in 1..=DUE.min(domains) {
                machine.request(dom(requester), PAGES, 0);
            }
            machine.forget_sent();
            machine.now += 3 * SECOND;
            machine
        },
        prepare: |machine, _| {
            machine.forget_sent();
            machine.is_due()
        },
        act: |machine, _| machine.handle(Event::Tick),
    },
    Trial {
        name: "tick, the reserve lacks",
        machine: |domains| {
            let mut machine = idle(domains);
            machine.handle(Event::SetReserve { pages: LARGE });
            machine
        },
        prepare: |machine, _| match machine.coordinator.next_deadline() {
            Some(due) => {
                machine.now = machine.now.max(due);
                true
            }
            None => false,
        },
        act: |machine, _| machine.handle(Event::Tick),
    },
    Trial {
        name: "tick, all credits change",
        machine: |domains| {
            let mut machine = reserved(domains);
            let credit = credit_for_all(&machine);
            machine.handle(credit);
            machine
        },
        prepare: |machine, _| {
            machine.forget_sent();
            machine.is_due()
        },
        act: |machine, _| machine.handle(Event::Tick),
    },
    Trial {
        name: "attach",
        machine: plenty,
        prepare: |machine, _| {
            machine.handle(Event::Died { dom: dom(1) });
            next_round(machine)
        },
        act: |machine, _| machine.attach(dom(1)),
    },
    Trial {
        name: "died",
        machine: plenty,
        prepare: |machine, round| {
            if round > 0 {
                machine.attach(dom(1));
            }
            next_round(machine)
        },
        act: |machine, _| machine.handle(Event::Died { dom: dom(1) }),
    },
    Trial {
        name: "detach, all open",
        machine: idle,
        prepare: |machine, _| open_all(machine),
        act: |machine, _| machine.handle(Event::Detach { dom: dom(1) }),
    },
    Trial {
        name: "retarget",
        machine: plenty,
        prepare: |machine, round| {
            machine.set_maximum(machine.in_turn(round), target(round) + 256);
            next_round(machine)
        },
        act: |machine, round| {
            machine.handle(Event::ToolstackChanged {
                dom: machine.in_turn(round),
                target: target(round),
            });
        },
    },
    Trial {
        name: "knob: floor",
        machine: plenty,
        prepare: |machine, _| next_round(machine),
        act: |machine, round| {
            machine.handle(Event::SetFloor {
                dom: machine.in_turn(round),
                pages: target(round) / 2,
            });
        },
    },
    Trial {
        name: "knob: reserve",
        machine: plenty,
        prepare: |machine, _| {
            machine.answer_all();
            machine.handle(Event::SetReserve { pages: 0 });
            machine.answer_all();
            machine.now += LONG;
            next_round(machine)
        },
        act: |machine, _| machine.handle(Event::SetReserve { pages: LARGE }),
    },
    Trial {
        name: "knob: credit",
        machine: reserved,
        prepare: |machine, _| {
            machine.handle(Event::SetCredit { pages: 0 });
            machine.quiet();
            next_round(machine)
        },
        act: |machine, _| {
            let credit = credit_for_all(machine);
            machine.handle(credit);
        },
    },
    Trial {
        name: "knob: credit, as it was",
        machine: |domains| {
            let mut machine = reserved(domains);
            let credit = credit_for_all(&machine);
            machine.handle(credit);
            machine.quiet();
            machine
        },
        prepare: |machine, _| next_round(machine),
        act: |machine, _| {
            let credit = credit_for_all(machine);
            machine.handle(credit);
        },
    },
    Trial {
        name: "knob: donor timeout",
        machine: due,
        prepare: |machine, _| next_round(machine),
        act: |machine, round| {
            machine.handle(Event::SetDonorTimeout {
                nanos: LONG + round as u64,
            });
            machine.handle(Event::Tick);
        },
    },
    Trial {
        name: "shut down, 4 000 wait",
        machine: due,
        prepare: |_, round| round == 0,
        act: |machine, _| machine.handle(Event::ShutDown),
    },
    Trial {
        name: "grow",
        machine: plenty,
        prepare: |machine, round| {
            if round > 0 {
                machine.coordinator.storage_mut().inner_mut().0.pop();
            }
            machine.more = Some(chunk());
            true
        },
        act: |machine, _| {
            let chunks = &mut machine.coordinator.storage_mut().inner_mut().0;
            chunks.extend(machine.more.take());
        },
    },
];

/// Every millisecond something else happens, and nobody reads what was sent.
fn next_round(machine: &mut Machine) -> bool {
    machine.forget_sent();
    machine.now += MILLISECOND;
    true
}

fn target(round: usize) -> u64 {
    SIZE - (round % 2) as u64 * 1_024
}

/// What holds unless a trial says otherwise. The rate limit would be in the way of doing it a
/// thousand times.
fn settings() -> Settings {
    Settings {
        request_rate: 0,
        ..Settings::default()
    }
}

/// Nobody wants anything, and nobody has anything to spare.
fn idle(domains: u16) -> Machine {
    Machine::new(domains, settings())
}

/// Nobody wants anything, and all have much to spare.
fn plenty(domains: u16) -> Machine {
    let mut machine = idle(domains);
    machine.all_spare();
    machine.forget_sent();
    machine
}

/// There is a reserve, for each domain as much as a few requests, and it is full.
fn reserved(domains: u16) -> Machine {
    let mut machine = plenty(domains);
    let pages = 16 * PAGES * u64::from(domains);
    machine.handle(Event::SetReserve { pages });
    machine.quiet();
    assert!(machine.coordinator.pool() >= pages / 4 * 3);
    machine
}

/// The last to ask takes what it was granted and gives it back, to those who lent it.
fn give_back(machine: &mut Machine, round: usize, pages: u64) -> bool {
    if round > 0 {
        let who = machine.in_turn(round - 1);
        machine.answer_all();
        machine.resize(who, -(pages as i64));
        machine.release(who, pages);
        machine.answer_all();
    }
    machine.now += LONG;
    machine.answer_all();
    next_round(machine)
}

/// Domain 1 lent each of the others a page.
fn lender(domains: u16) -> Machine {
    let mut machine = idle(domains);
    machine.stats(dom(1), SIZE / 2);
    for borrower in machine.all().skip(1) {
        machine.request(borrower, 1, 0);
        machine.answer_all();
    }
    assert_eq!(machine.lenders(), 1);
    machine.stats(dom(1), 0);
    machine
}

/// Those who were asked give nothing, but too late.
fn leave_unanswered(machine: &mut Machine) -> bool {
    let asked = machine.take_sent();
    machine.now += 2 * MILLISECOND;
    while machine.is_due() {
        machine.handle(Event::Tick);
    }
    for (donor, down) in asked {
        if let Down::Reclaim { id, .. } = down {
            machine.say(donor, Up::Offered { id, pages: 0 });
        }
    }
    machine.now += LONG;
    while machine.is_due() {
        machine.handle(Event::Tick);
    }
    assert_eq!(machine.waiting(), 0);
    next_round(machine)
}

/// All have much to spare, and all but domain 1 are paused, which has not been noticed.
fn paused(domains: u16) -> Machine {
    let mut machine = plenty(domains);
    machine.pause_from(2);
    machine.now += LONG;
    machine
}

/// Of all domains but the first, two thirds have much to spare, and have been asked as often as
/// they can be.
fn full(domains: u16) -> Machine {
    let mut machine = Machine::new(
        domains,
        Settings {
            donor_timeout: LONG,
            ..settings()
        },
    );
    let asking = (domains - 1) / 3;
    let donors = 2 * asking;
    for donor in 2..2 + donors {
        machine.stats(dom(donor), SIZE / 2);
    }
    for i in 0..donors * MAX_ASKS as u16 {
        machine.request(dom(2 + donors + i / MAX_REQUESTS as u16), 1, PATIENT);
    }
    let asked = machine.take_sent().len();
    assert_eq!(asked, usize::from(donors) * MAX_ASKS);
    machine
}

/// Domain 1 is the only one that has anything, has been asked as often as it can be, and 16 others
/// want it, too.
fn crowded(domains: u16) -> Machine {
    let mut machine = Machine::new(
        domains,
        Settings {
            donor_timeout: LONG,
            ..settings()
        },
    );
    let crowd = CROWD.min(domains - 3);
    machine.stats(dom(1), SIZE / 2);
    for _ in 0..MAX_ASKS {
        machine.request(dom(3), 1, PATIENT);
    }
    // In turn, so that those who have waited longest are many domains.
    for _ in 0..MAX_REQUESTS {
        for i in 0..crowd {
            machine.request(dom(4 + i), LARGE, PATIENT);
        }
    }
    let waiting = MAX_ASKS + MAX_REQUESTS * usize::from(crowd);
    assert_eq!(machine.waiting(), waiting);
    machine
}

/// Puts others in the place of all that have been asked to give.
fn replace_all_asked(machine: &mut Machine) {
    for (donor, down) in machine.take_sent() {
        if matches!(down, Down::Reclaim { .. }) && donor != dom(1) {
            machine.replace(donor);
            machine.stats(donor, SIZE / 4);
        }
    }
}

/// Domain 1 has borrowed from the other half, from each a little.
fn borrower(domains: u16) -> Machine {
    let mut machine = idle(domains);
    for lender in 2..=1 + domains / 2 {
        machine.stats(dom(lender), PAGES);
        machine.request(dom(1), PAGES, 0);
        machine.answer_all();
    }
    assert_eq!(machine.lenders(), usize::from(domains / 2));
    machine
}

/// Those who have been paid back have it to spare, and domain 1 has it again.
fn borrow_again(machine: &mut Machine, pages: u64) -> bool {
    machine.answer_all();
    let lent = machine.coordinator.domains().map(|view| view.balance);
    let lent: i64 = lent.filter(|balance| *balance < 0).sum();
    let all = u64::from(machine.domains() / 2) * PAGES;
    if lent.unsigned_abs() < all {
        machine.request(dom(1), all - lent.unsigned_abs(), 0);
        machine.answer_all();
    }
    next_round(machine) && pages <= all
}

/// Up to 500 domains, the last that came, have as many requests as they may, and all their
/// deadlines are within this second.
fn due(domains: u16) -> Machine {
    let mut machine = idle(domains);
    let asking = DUE.min(domains / 2);
    let donors = domains - asking;
    for donor in 1..=donors {
        machine.stats(dom(donor), SIZE / 2);
    }
    for requester in donors + 1..=domains {
        for _ in 0..MAX_REQUESTS {
            machine.request(dom(requester), 1, 200_000);
        }
    }
    let waiting = usize::from(asking) * MAX_REQUESTS;
    assert_eq!(machine.waiting(), waiting);
    machine
}

/// Domain 1 has been asked by four others, and has asked for all that it may itself.
fn open_all(machine: &mut Machine) -> bool {
    for number in 1..=6 {
        machine.replace(dom(number));
    }
    machine.now += LONG;
    machine.stats(dom(1), SIZE / 2);
    for requester in 2..=5 {
        machine.request(dom(requester), 1, PATIENT);
    }
    machine.stats(dom(6), SIZE / 4);
    for _ in 0..MAX_REQUESTS {
        machine.request(dom(1), 1, PATIENT);
    }
    assert_eq!(machine.waiting(), 4 + MAX_REQUESTS);
    next_round(machine)
}

/// A credit of which all domains together want the same, however many they are: what is asked of donors for it is not to
/// depend on that either.
fn credit_for_all(machine: &Machine) -> Event {
    Event::SetCredit {
        pages: LARGE / u64::from(machine.domains()),
    }
}
