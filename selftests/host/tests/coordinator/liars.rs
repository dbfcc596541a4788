// SPDX-License-Identifier: GPL-2.0

//! Who breaks the protocol.

use super::*;

#[test]
fn liars_are_disconnected_and_nobody_else() {
    let cases = [
        (Lie::Keeps, B),
        (Lie::Hides, A),
        (Lie::Repeats, B),
        (Lie::Exaggerates, B),
        (Lie::Invents, B),
        (Lie::Floods, B),
        (Lie::Scribbles, B),
    ];
    for (lie, liar) in cases {
        let mut sim = three(Settings::default());
        // Without slack under its cap, to which a lie could go unnoticed.
        let domain = sim.domain(liar);
        domain.cap_margin = 0;
        domain.toolstack_maximum -= CAP_MARGIN;
        domain.maximum -= CAP_MARGIN;
        sim.coordinator = Coordinator::new(vec![Entry::default(); 8], Settings::default());
        for number in [A, B, C] {
            sim.domain(number).connected = false;
        }
        for number in [A, B, C] {
            sim.attach(dom(number)).expect("room");
            sim.stats(dom(number));
            run(&mut sim);
        }
        sim.corrupt(dom(liar), lie);
        while sim.hear(dom(liar)) {}
        ask(&mut sim, A, 100);
        run(&mut sim);
        let who: Vec<_> = sim.world.disconnected.iter().map(|(dom, _)| *dom).collect();
        assert_eq!(who, [dom(liar)], "{lie:?}");
    }
}

#[test]
fn a_repeated_request_is_a_violation() {
    let mut sim = three(Settings::default());
    sim.corrupt(dom(A), Lie::Silent);
    assert!(sim.request(dom(A), 100, 0));
    let id = sim.domain(A).session.waiting[0].ticket.serial;
    let again = Up::Request {
        id,
        pages: 100,
        deadline_us: 0,
        reason: RequestReason::Manual,
    };
    sim.forge(dom(A), &again);
    run(&mut sim);
    assert_eq!(sim.world.disconnected, [(dom(A), Violation::Repeated(id))]);
}

#[test]
fn a_gift_counts_if_it_is_heard_before_the_stock_balloon_makes_up_for_it() {
    for heard in [true, false] {
        let mut sim = three(Settings::default());
        prefer_b(&mut sim);
        ask(&mut sim, A, 1_000);
        sim.domain(B).liar = true;
        while sim.serve(dom(B)) {}
        if heard {
            sim.unload(dom(B));
        }
        populate(&mut sim, B, 1_000);
        while sim.hear(dom(B)) {}
        let kept = sim
            .world
            .disconnected
            .iter()
            .any(|(_, why)| matches!(why, Violation::Kept { .. }));
        assert_eq!(kept, !heard);
    }
}
