// SPDX-License-Identifier: GPL-2.0

//! What the administrator does.

use super::*;

#[test]
fn limits_by_default_leave_a_domain_what_its_toolstack_lets_it_have() {
    let mib = |mib: u64| mib * 256;
    // Target, largest, cap; floor, ceiling.
    for (target, largest, cap, floor, ceiling) in [
        (mib(1024), mib(2048), mib(1025), mib(256), mib(2048)),
        (mib(128), mib(128), mib(129), mib(64), mib(129)),
        (mib(32), mib(32), mib(33), mib(32), mib(33)),
    ] {
        let limits = Limits::by_default(target, largest, cap);
        assert_eq!((limits.floor, limits.ceiling), (floor, ceiling));
        assert_eq!(limits.check(), Ok(()));
    }
}

#[test]
fn by_hand_memory_comes_from_and_goes_to_xen() {
    let mut sim = three(Settings::default());
    let free = sim.world.free;
    let give = |pages| Event::Give { dom: dom(A), pages };
    let take = |pages| Event::Take { dom: dom(A), pages };
    sim.handle(give(100)).expect("accepted");
    run(&mut sim);
    assert_eq!((balance(&sim, A), sim.world.free), (100, free - 100));
    sim.handle(take(150)).expect("accepted");
    run(&mut sim);
    assert_eq!((balance(&sim, A), sim.world.free), (-50, free + 50));
    assert_eq!(sim.handle(give(0)), Err(Refused::OutOfRange));
    assert_eq!(sim.handle(give(1 << 28)), Err(Refused::AboveCeiling));
    assert_eq!(sim.handle(take(2_000)), Err(Refused::BelowFloor));
    let unknown = Event::Give {
        dom: dom(9),
        pages: 1,
    };
    assert_eq!(sim.handle(unknown), Err(Refused::UnknownDomain));
}

#[test]
fn storage_grows() {
    let mut sim = Sim::new(10_000, 1, Settings::default());
    assert!(sim.boot(dom(B), 100, Limits::default()));
    assert!(!sim.boot(dom(A), 100, Limits::default()));
    sim.coordinator.storage_mut().push(Entry::default());
    sim.attach(dom(A)).expect("room");
    let mut doms: Vec<_> = sim.coordinator.domains().map(|view| view.dom).collect();
    doms.sort_unstable();
    assert_eq!(doms, [dom(A), dom(B)]);
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let mut sim = three(Settings::default());
    let events = [
        Event::SetFloor {
            dom: dom(A),
            pages: u64::MAX,
        },
        Event::SetCeiling {
            dom: dom(A),
            pages: u64::MAX,
        },
        Event::SetWeight {
            dom: dom(A),
            weight: 0,
        },
        Event::SetReserve { pages: u64::MAX },
        Event::SetCredit { pages: u64::MAX },
        Event::SetDonorTimeout { nanos: 0 },
        Event::Died { dom: dom(9) },
        Event::Detach { dom: dom(9) },
        Event::SentAway { dom: dom(9) },
    ];
    for event in events {
        let refused = sim.handle(event).expect_err("nonsense");
        assert!(!refused.to_string().is_empty());
    }
    assert_eq!(
        sim.coordinator.domain(dom(A)).expect("known").limits,
        Limits::default()
    );
}

#[test]
fn kib_are_rounded_up_to_pages() {
    let cases = [
        (0, Some(0)),
        (1, Some(1)),
        (4, Some(1)),
        (5, Some(2)),
        (u64::MAX, None),
    ];
    for (kib, expected) in cases {
        assert_eq!(pages::from_kib(kib), expected);
    }
    assert_eq!(pages::to_kib(3), 12);
}

#[test]
fn what_is_above_the_floor_is_taken_by_hand_and_no_page_more() {
    let mut sim = three(Settings::default());
    let (dom, pages) = (dom(A), 1_900);
    sim.domain(A).limits.floor = pages;
    sim.handle(Event::SetFloor { dom, pages })
        .expect("accepted");
    let pages = 101;
    let refused = sim.handle(Event::Take { dom, pages });
    assert_eq!(refused, Err(Refused::BelowFloor));
    let pages = 100;
    assert_eq!(sim.handle(Event::Take { dom, pages }), Ok(()));
}
