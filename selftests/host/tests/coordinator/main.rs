// SPDX-License-Identifier: GPL-2.0

//! The coordinator's rules, one by one.

mod admin;
mod boost;
mod cap;
mod claims;
mod credit;
mod crowd;
mod donors;
mod large;
mod liars;
mod missing;
mod protected;
mod records;
mod requests;
mod reserve;
mod returns;
mod toolstack;
mod untaken;
mod views;

use cmm::coordinator::{
    Coordinator, Entry, Event, Limits, Nanos, Policy, Question, Record, Refused, Settings, View,
    MICROSECOND, MILLISECOND, SECOND,
};
use cmm::protocol::{
    Down, GrantReason, RequestReason, Up, Urgency, Violation, DONOR_PAGE_NANOS, MAX_ASKS,
    MAX_REQUESTS,
};
use cmm::{pages, DomId};
use cmm_host_tests::domain::{self, CAP_MARGIN};
use cmm_host_tests::liar::Lie;
use cmm_host_tests::sim::Sim;

const A: u16 = 1;
const B: u16 = 2;
const C: u16 = 3;
const D: u16 = 4;

fn dom(number: u16) -> DomId {
    DomId::new(number).expect("not reserved")
}

/// A [`Sim`] of domains that are known by their numbers.
trait Numbered {
    /// A domain as it truly is.
    fn domain(&mut self, number: u16) -> &mut domain::Domain;
}

impl Numbered for Sim {
    fn domain(&mut self, number: u16) -> &mut domain::Domain {
        self.world.domains.get_mut(&dom(number)).expect("exists")
    }
}

/// Three domains of 2000 pages, of which each needs a quarter.
fn three(settings: Settings) -> Sim {
    let mut sim = Sim::new(10_000, 8, settings);
    for number in [A, B, C] {
        assert!(sim.boot(dom(number), 2_000, Limits::default()));
        sim.stats(dom(number));
        run(&mut sim);
    }
    sim
}

/// Delivers messages until there are none.
fn run(sim: &mut Sim) {
    loop {
        let moved = (A..=C).filter(|d| sim.serve(dom(*d)) | sim.hear(dom(*d)));
        if moved.count() == 0 {
            return;
        }
    }
}

/// As [`run`], and lets the time pass after which the reserve is filled.
fn run_and_fill(sim: &mut Sim) {
    run(sim);
    sim.advance(100 * MILLISECOND);
    run(sim);
}

fn balance(sim: &Sim, number: u16) -> i64 {
    sim.coordinator.domain(dom(number)).expect("known").balance
}

/// The last grant that lies unread in a domain's lane.
fn grant(sim: &Sim, number: u16) -> Option<(u64, GrantReason)> {
    let unread = sim.world.domains[&dom(number)].session.guest.unread();
    unread.iter().rev().find_map(|message| match message {
        Down::Grant { pages, reason, .. } => Some((*pages, *reason)),
        _ => None,
    })
}

fn ask(sim: &mut Sim, number: u16, pages: u64) {
    assert!(sim.request(dom(number), pages, 0));
    while sim.hear(dom(number)) {}
}

/// Lets the donors answer, but not the requester read.
fn donors_answer(sim: &mut Sim, donors: &[u16]) {
    let moves = |sim: &mut Sim, donor| sim.serve(dom(donor)) | sim.hear(dom(donor));
    while donors.iter().filter(|donor| moves(sim, **donor)).count() > 0 {}
}

/// When a donor is late of which nothing is known, after it was asked for so much.
fn late(pages: u64) -> Nanos {
    Settings::default().donor_timeout + pages * DONOR_PAGE_NANOS
}

fn starve(sim: &mut Sim, number: u16) {
    sim.domain(number).starved = true;
}

fn pause(sim: &mut Sim, number: u16) {
    sim.domain(number).paused = true;
}

/// Makes B the best donor by far.
fn prefer_b(sim: &mut Sim) {
    let (dom, weight) = (dom(C), 1_000);
    sim.handle(Event::SetWeight { dom, weight })
        .expect("accepted");
}

/// [`three`], of which A has borrowed so many pages that B has lent.
fn lent_by_b(pages: u64) -> Sim {
    let mut sim = three(Settings::default());
    prefer_b(&mut sim);
    ask(&mut sim, A, pages);
    run(&mut sim);
    sim
}

/// Eleven domains, of which the first asks, the second has little to spare, and the others have much and are paused.
fn all_but_a_small_one_are_paused(settings: Settings) -> Sim {
    let mut sim = Sim::new(100_000, 16, settings);
    for number in 1..=11 {
        let pages = if number <= B { 2_000 } else { 4_000 };
        assert!(sim.boot(dom(number), pages, Limits::default()));
        sim.stats(dom(number));
        while sim.serve(dom(number)) | sim.hear(dom(number)) {}
        if number > B {
            pause(&mut sim, number);
        }
    }
    sim
}

/// A front-end gives pages that nobody asked it for: those that it borrowed first, then its own. Ours never does so; the
/// message is written by hand.
fn release(sim: &mut Sim, number: u16, pages: u64) {
    let mut inside = sim.world.inside(dom(number)).expect("exists");
    assert_eq!(inside.give_up(pages), pages);
    inside.domain.session.moved(-(pages as i64));
    assert!(sim.forge(dom(number), &Up::Release { id: 1, pages }));
    while sim.hear(dom(number)) {}
}

/// A domain gets memory that its front-end does not know of.
fn populate(sim: &mut Sim, number: u16, pages: u64) -> u64 {
    let mut inside = sim.world.inside(dom(number)).expect("exists");
    inside.populate(pages)
}

/// Leaves a domain so many pages that it could give. It does not tell.
fn leave(sim: &mut Sim, number: u16, pages: u64) {
    let domain = sim.domain(number);
    domain.needs = domain.current - pages;
}

/// [`three`], of which only B has something to spare.
fn only_b_has_some(settings: Settings) -> Sim {
    let mut sim = three(settings);
    for number in [A, C] {
        leave(&mut sim, number, 0);
        sim.stats(dom(number));
    }
    run(&mut sim);
    sim
}

/// Attaches a front-end without an account of its own, when the back-end knows of this target.
fn attach_claiming_nothing(sim: &mut Sim, number: u16, target: u64) {
    let domain = sim.domain(number);
    domain.connected = true;
    domain.session.guest.begin();
    let attach = Event::Attach {
        dom: dom(number),
        claim: None,
        credit: true,
        limits: Limits::default(),
        target,
    };
    sim.handle(attach).expect("accepted");
}
