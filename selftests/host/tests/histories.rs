// SPDX-License-Identifier: GPL-2.0

//! Random histories of a whole machine. What must always hold is checked after every event, in `Sim::check`.

use cmm::client::Wish;
use cmm::coordinator::{Event, Limits, Policy, Settings, MICROSECOND, MILLISECOND};
use cmm::protocol::MAX_PAGES;
use cmm::DomId;
use cmm_host_tests::inside::exactly;
use cmm_host_tests::liar::Lie;
use cmm_host_tests::sim::Sim;
use proptest::prelude::*;

/// Domains in a history, and the most pages one starts with.
const DOMAINS: u16 = 6;
const MOST: u64 = 4_000;

/// Something that happens. Domains are given by number, sizes in pages.
#[derive(Clone, Debug)]
enum Step {
    Boot(u16, u64, Limits),
    Die(u16),
    Attach(u16),
    Detach(u16),
    /// A front-end goes, and what it said last nobody hears.
    Vanish(u16),
    /// A front-end is unloaded.
    Unload(u16),
    /// A domain is saved and restored.
    Suspend(u16),
    Pause(u16, bool),
    /// A domain waits for a CPU, or does not.
    Starve(u16, bool),
    /// A process asks Dom0 for exactly so much.
    Request(u16, u64, u64),
    /// A process wants memory, however it comes.
    Want(u16, u64),
    /// A signal comes for a process that waits.
    Interrupt(u16),
    Release(u16, u64),
    Draw(u16, u64),
    /// A front-end says what it drew.
    Tell(u16),
    Needs(u16, u64),
    Stats(u16),
    Serve(u16),
    Hear(u16),
    /// Everybody serves and is heard so many times.
    Run(u8),
    Advance(u64),
    MemSet(u16, u64, bool),
    MemMax(u16, u64),
    Balloon(u16, u64),
    Floor(u16, u64),
    Ceiling(u16, u64),
    Weight(u16, u32),
    Protect(u16, bool),
    Reserve(u64),
    Credit(u64),
    Timeout(u64),
    Policy(Policy),
    AskReady(bool),
    Boost(bool),
    Give(u16, u64),
    Take(u16, u64),
    Reload,
    /// As before, and meanwhile a domain dies, of which there is a record or not.
    ReloadAndDie(u16, bool),
    /// As before, and meanwhile a domain is made larger or smaller.
    ReloadAndSet(u16, u64),
    /// Kernels move less than they should, so many times of a thousand.
    Shortfalls(u64),
    Corrupt(u16, Lie),
    /// A front-end connects again, and says that its balance is so much more than it is.
    Falsify(u16, i64),
    /// The toolstack takes free memory, promised or not.
    Steal(u64),
}

fn dom(number: u16) -> DomId {
    DomId::new(number + 1).expect("a small number")
}

fn play(sim: &mut Sim, step: &Step) {
    match step.clone() {
        Step::Boot(d, pages, limits) => {
            if pages <= sim.spare() {
                sim.boot(dom(d), pages, limits);
            }
        }
        Step::Die(d) => sim.die(dom(d)),
        Step::Attach(d) => {
            let _ = sim.attach(dom(d));
        }
        Step::Detach(d) => sim.detach(dom(d)),
        Step::Vanish(d) => sim.vanish(dom(d)),
        Step::Unload(d) => sim.unload(dom(d)),
        Step::Suspend(d) => {
            sim.suspend(dom(d));
        }
        Step::Pause(d, paused) => {
            if let Some(domain) = sim.world.domains.get_mut(&dom(d)) {
                domain.paused = paused;
            }
        }
        Step::Starve(d, starved) => {
            if let Some(domain) = sim.world.domains.get_mut(&dom(d)) {
                domain.starved = starved;
            }
        }
        Step::Request(d, pages, deadline) => {
            sim.request(dom(d), pages, deadline);
        }
        Step::Want(d, pages) => {
            let exact = false;
            let wish = Wish {
                exact,
                ..exactly(pages, 0)
            };
            sim.wish(dom(d), &wish);
        }
        Step::Interrupt(d) => sim.interrupt(dom(d)),
        Step::Release(d, pages) => sim.release(dom(d), pages),
        Step::Draw(d, pages) => sim.draw(dom(d), pages),
        Step::Tell(d) => sim.tell_drawn(dom(d)),
        Step::Needs(d, pages) => {
            if let Some(domain) = sim.world.domains.get_mut(&dom(d)) {
                domain.needs = pages;
            }
        }
        Step::Stats(d) => sim.stats(dom(d)),
        Step::Serve(d) => {
            sim.serve(dom(d));
        }
        Step::Hear(d) => {
            sim.hear(dom(d));
        }
        Step::Run(rounds) => {
            for _ in 0..rounds {
                for d in 0..DOMAINS {
                    sim.serve(dom(d));
                    sim.hear(dom(d));
                }
            }
        }
        Step::Advance(nanos) => sim.advance(nanos),
        Step::MemSet(d, target, notice) => {
            if sim.has_for(dom(d), target) {
                sim.mem_set(dom(d), target, notice);
            }
        }
        Step::MemMax(d, maximum) => sim.mem_max(dom(d), maximum),
        Step::Balloon(d, pages) => {
            let spare = sim.spare();
            sim.balloon(dom(d), pages, spare);
        }
        Step::Floor(d, pages) => {
            limit(sim, d, |limits| limits.floor = pages);
        }
        Step::Ceiling(d, pages) => {
            limit(sim, d, |limits| limits.ceiling = pages);
        }
        Step::Weight(d, weight) => {
            limit(sim, d, |limits| limits.weight = weight);
        }
        Step::Protect(d, protected) => {
            limit(sim, d, |limits| limits.protected = protected);
        }
        Step::Reserve(pages) => sim.handle(Event::SetReserve { pages }).expect("in range"),
        Step::Credit(pages) => sim.set_credit(pages),
        Step::Timeout(nanos) => sim
            .handle(Event::SetDonorTimeout { nanos })
            .expect("in range"),
        Step::Policy(policy) => sim.handle(Event::SetPolicy(policy)).expect("never refused"),
        Step::AskReady(ready) => sim
            .handle(Event::SetAskReady(ready))
            .expect("never refused"),
        Step::Boost(boost) => sim.handle(Event::SetBoost(boost)).expect("never refused"),
        Step::Give(d, pages) => {
            if pages <= sim.spare() {
                let _ = sim.handle(Event::Give { dom: dom(d), pages });
            }
        }
        Step::Take(d, pages) => {
            let _ = sim.handle(Event::Take { dom: dom(d), pages });
        }
        Step::Reload => sim.reload(),
        Step::ReloadAndDie(d, forgotten) => sim.reload_after(|world| {
            world.destroy(dom(d));
            Vec::from_iter(forgotten.then_some(dom(d)))
        }),
        Step::ReloadAndSet(d, target) => {
            let has = sim.has_for(dom(d), target);
            sim.reload_after(|world| {
                if has {
                    world.mem_set(dom(d), target);
                }
                Vec::new()
            });
        }
        Step::Shortfalls(permille) => sim.world.shortfalls = permille,
        Step::Corrupt(d, lie) => sim.corrupt(dom(d), lie),
        Step::Falsify(d, pages) => {
            sim.detach(dom(d));
            sim.falsify(dom(d), pages);
            let _ = sim.attach(dom(d));
        }
        Step::Steal(pages) => {
            let taken = pages.min(sim.world.free);
            sim.world.free -= taken;
            sim.world.total -= taken;
            sim.world.tainted = true;
        }
    }
    sim.check();
}

/// Sets one limit in the coordinator, and in the world if it must be accepted.
fn limit(sim: &mut Sim, d: u16, change: impl FnOnce(&mut Limits)) {
    let Some(domain) = sim.world.domains.get_mut(&dom(d)) else {
        return;
    };
    let (known, before) = (sim.coordinator.domain(dom(d)).is_some(), domain.limits);
    let mut after = before;
    change(&mut after);
    let allowed = known && after.check().is_ok();
    if allowed {
        // The world must know before the coordinator tells the front-end.
        domain.limits = after;
    }
    let events = [
        Event::SetFloor {
            dom: dom(d),
            pages: after.floor,
        },
        Event::SetCeiling {
            dom: dom(d),
            pages: after.ceiling,
        },
        Event::SetWeight {
            dom: dom(d),
            weight: after.weight,
        },
        Event::SetProtected {
            dom: dom(d),
            protected: after.protected,
        },
    ];
    let event = if after.floor != before.floor {
        events[0]
    } else if after.ceiling != before.ceiling {
        events[1]
    } else if after.protected != before.protected {
        events[3]
    } else {
        events[2]
    };
    let result = sim.coordinator.handle(event, sim.world.now, &mut sim.world);
    assert_eq!(result.is_ok(), allowed);
}

fn limits() -> impl Strategy<Value = Limits> {
    let ceiling = prop_oneof![Just(MAX_PAGES), 1..2 * MOST];
    let protected = prop::bool::weighted(0.1);
    (0..MOST / 2, ceiling, 1..1_000u32, protected).prop_map(
        |(floor, ceiling, weight, protected)| Limits {
            floor: floor.min(ceiling),
            ceiling,
            weight,
            protected,
        },
    )
}

fn honest_step() -> impl Strategy<Value = Step> {
    let d = || 0..DOMAINS;
    let pages = || prop_oneof![1..8u64, 1..MOST];
    let deadline = prop_oneof![Just(0u64), 1..1_000_000u64, Just(u64::MAX)];
    let time = prop_oneof![
        0..100 * MICROSECOND,
        0..300 * MILLISECOND,
        0..5_000 * MILLISECOND
    ];
    let timeout = 1..500 * MILLISECOND;
    prop_oneof![
        2 => (d(), 300..MOST, limits()).prop_map(|(d, p, l)| Step::Boot(d, p, l)),
        1 => d().prop_map(Step::Die),
        2 => d().prop_map(Step::Attach),
        1 => d().prop_map(Step::Detach),
        1 => d().prop_map(Step::Vanish),
        1 => d().prop_map(Step::Unload),
        1 => d().prop_map(Step::Suspend),
        1 => (d(), any::<bool>()).prop_map(|(d, p)| Step::Pause(d, p)),
        2 => (d(), any::<bool>()).prop_map(|(d, s)| Step::Starve(d, s)),
        12 => (d(), pages(), deadline).prop_map(|(d, p, t)| Step::Request(d, p, t)),
        6 => (d(), pages()).prop_map(|(d, p)| Step::Want(d, p)),
        2 => d().prop_map(Step::Interrupt),
        3 => (d(), pages()).prop_map(|(d, p)| Step::Release(d, p)),
        6 => (d(), pages()).prop_map(|(d, p)| Step::Draw(d, p)),
        4 => d().prop_map(Step::Tell),
        2 => (d(), 0..MOST).prop_map(|(d, p)| Step::Needs(d, p)),
        6 => d().prop_map(Step::Stats),
        12 => d().prop_map(Step::Serve),
        12 => d().prop_map(Step::Hear),
        6 => (1..6u8).prop_map(Step::Run),
        5 => time.prop_map(Step::Advance),
        2 => (d(), 300..MOST, any::<bool>()).prop_map(|(d, p, n)| Step::MemSet(d, p, n)),
        1 => (d(), 300..2 * MOST).prop_map(|(d, p)| Step::MemMax(d, p)),
        2 => (d(), pages()).prop_map(|(d, p)| Step::Balloon(d, p)),
        1 => (d(), 0..MOST).prop_map(|(d, p)| Step::Floor(d, p)),
        1 => (d(), 0..2 * MOST).prop_map(|(d, p)| Step::Ceiling(d, p)),
        1 => (d(), 0..1_000u32).prop_map(|(d, w)| Step::Weight(d, w)),
        1 => (d(), any::<bool>()).prop_map(|(d, p)| Step::Protect(d, p)),
        1 => prop_oneof![Just(0), 0..MOST].prop_map(Step::Reserve),
        1 => prop_oneof![Just(0), 0..64u64].prop_map(Step::Credit),
        1 => timeout.prop_map(Step::Timeout),
        1 => prop_oneof![Just(Policy::Largest), Just(Policy::Spread)].prop_map(Step::Policy),
        1 => any::<bool>().prop_map(Step::AskReady),
        1 => any::<bool>().prop_map(Step::Boost),
        1 => (d(), pages()).prop_map(|(d, p)| Step::Give(d, p)),
        1 => (d(), pages()).prop_map(|(d, p)| Step::Take(d, p)),
        1 => Just(Step::Reload),
        1 => (d(), any::<bool>()).prop_map(|(d, f)| Step::ReloadAndDie(d, f)),
        1 => (d(), 300..MOST).prop_map(|(d, p)| Step::ReloadAndSet(d, p)),
        1 => prop_oneof![Just(0u64), Just(100)].prop_map(Step::Shortfalls),
    ]
}

fn false_claim() -> impl Strategy<Value = Step> {
    let pages = prop_oneof![
        Just(-256),
        Just(0),
        Just(256),
        -300..300i64,
        -(MOST as i64)..MOST as i64
    ];
    (0..DOMAINS, pages).prop_map(|(d, p)| Step::Falsify(d, p))
}

fn any_step() -> impl Strategy<Value = Step> {
    let lie = prop::sample::select(&Lie::ALL[..]);
    prop_oneof![
        20 => honest_step(),
        1 => (0..DOMAINS, lie).prop_map(|(d, lie)| Step::Corrupt(d, lie)),
        1 => false_claim(),
        1 => (1..MOST).prop_map(Step::Steal),
    ]
}

fn begin(settings: Settings) -> Sim {
    let mut sim = Sim::new(20_000, usize::from(DOMAINS), settings);
    for d in 0..4 {
        sim.boot(dom(d), 2_000, Limits::default());
        sim.stats(dom(d));
        sim.hear(dom(d));
    }
    sim
}

fn steps(step: impl Strategy<Value = Step>) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step, 0..250)
}

/// What proptest reads from the environment comes first: PROPTEST_CASES, PROPTEST_MAX_SHRINK_ITERS.
fn config() -> ProptestConfig {
    let given = |name| std::env::var_os(name).is_some();
    let mut config = ProptestConfig::default();
    if !given("PROPTEST_CASES") {
        config.cases = 2_500;
    }
    if !given("PROPTEST_MAX_SHRINK_ITERS") {
        config.max_shrink_iters = 3_000;
    }
    config
}

proptest! {
    #![proptest_config(config())]

    /// Nobody cheats: then in the end every request is answered, and every page accounted for.
    #[test]
    fn honest(steps in steps(honest_step())) {
        let mut sim = begin(Settings::default());
        for step in &steps {
            play(&mut sim, step);
        }
        sim.come_to_rest();
        sim.check_at_rest();
    }

    /// Some cheat, and the toolstack takes memory that was promised: the honest ones notice nothing but shortage.
    #[test]
    fn with_liars(steps in steps(any_step())) {
        let mut sim = begin(Settings::default());
        for step in &steps {
            play(&mut sim, step);
        }
        sim.come_to_rest();
        sim.check_at_rest();
    }

    /// Some lie about their balance, over and over: what that makes of nothing is limited.
    #[test]
    fn with_false_claims(steps in steps(prop_oneof![6 => honest_step(), 1 => false_claim()])) {
        let mut sim = begin(Settings::default());
        for step in &steps {
            play(&mut sim, step);
        }
        sim.come_to_rest();
        sim.check_at_rest();
    }

    /// The rate limit is narrow: requests are denied, yet answered.
    #[test]
    fn with_a_rate_limit(steps in steps(honest_step())) {
        let settings = Settings { request_rate: 5, request_burst: 2, ..Settings::default() };
        let mut sim = begin(settings);
        for step in &steps {
            play(&mut sim, step);
        }
        sim.come_to_rest();
        sim.check_at_rest();
    }
}
