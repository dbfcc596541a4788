// SPDX-License-Identifier: GPL-2.0

//! What is written down, and read by the next back-end.

use super::*;

#[test]
fn a_pool_waits_for_the_lenders_that_an_earlier_back_end_knew() {
    let mut sim = three(Settings::default());
    // The lender's number is the last, so that the others are there before it.
    for number in [A, B] {
        let domain = sim.domain(number);
        domain.needs = domain.current;
        sim.stats(dom(number));
    }
    run(&mut sim);
    ask(&mut sim, A, 100);
    donors_answer(&mut sim, &[C]);
    assert_eq!(balance(&sim, C), -100);
    // What was granted and not taken is the pool's as soon as A is back.
    sim.reload();
    run(&mut sim);
    assert_eq!((balance(&sim, A), balance(&sim, C)), (0, 0));
}

#[test]
fn balances_survive_a_reload() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    sim.reload();
    assert_eq!((balance(&sim, A), balance(&sim, B)), (100, -100));
    sim.release(dom(A), 100);
    run(&mut sim);
    assert_eq!((balance(&sim, A), balance(&sim, B)), (0, 0));
}

#[test]
fn a_lender_is_made_whole_when_its_borrower_died_unheard() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    let size = sim.world.domains[&dom(B)].current;
    sim.reload_after(|world| {
        world.destroy(dom(A));
        Vec::new()
    });
    run(&mut sim);
    assert_eq!(balance(&sim, B), 0);
    assert_eq!(sim.world.domains[&dom(B)].current, size + 100);
}

#[test]
fn a_lender_is_made_whole_when_nobody_can_say_that_its_borrower_died() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    let size = sim.world.domains[&dom(B)].current;
    sim.reload_after(|world| {
        world.destroy(dom(A));
        vec![dom(A)]
    });
    // Others go on meanwhile.
    ask(&mut sim, C, 100);
    sim.advance(11 * SECOND);
    run(&mut sim);
    assert_eq!(balance(&sim, B), 0);
    assert_eq!(sim.world.domains[&dom(B)].current, size + 100);
}

#[test]
fn records_that_make_no_sense_are_refused() {
    for text in [
        "",
        "1 2 3",
        "1 2 3 4 5 6 7 8 9 10",
        "1 2 3 4 5 6 7 8 9 10 11 12 13",
        "1 2 3 4 5 6 7 8 9 10 11 -12",
        "a 2 3 4 5 6 7 8 9 10 11",
        "1 -2 3 4 5 6 7 8 9 10 11",
        "99999999999999 0 0 0 0 0 0 0 0 9 100",
        "0 0 0 0 0 0 0 0 9 8 100",
        "0 0 0 0 0 0 0 0 8 9 0",
    ] {
        assert_eq!(Record::parse(text), None, "{text}");
    }
    for text in [
        "",
        "1 2 3 largest 4 0",
        "1 2 3 largest 4 0 1 0 0",
        "1 2 3 largest 4 0 1 none",
        "1 2 3 largest 4 0 1 -99999999999999",
        "1 2 3 largest 4 0 2",
        "1 2 3 smallest 4 0 1",
        "1 2 0 largest 4 0 1",
        "99999999999999 2 3 largest 4 0 1",
    ] {
        assert_eq!(Settings::parse(text), None, "{text}");
    }
    let mut coordinator = Coordinator::new(vec![Entry::default(); 1], Settings::default());
    let mut world = cmm_host_tests::world::World::new(0);
    let record = Record {
        balance: i64::MIN,
        ..Record::default()
    };
    let event = Event::Recall {
        dom: dom(A),
        record,
    };
    assert_eq!(
        coordinator.handle(event, 0, &mut world),
        Err(Refused::OutOfRange)
    );
}

#[test]
fn no_number_of_a_record_is_beyond_what_a_machine_can_hold() {
    // A balance, a margin and seven sizes, in the order of the text; the limits have checks of their own.
    const NUMBERS: [usize; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 11];
    for place in NUMBERS {
        for (number, sane) in [
            (1u64 << 40, true),
            ((1 << 40) + 1, false),
            (u64::MAX, false),
        ] {
            let mut words = ["0"; 12].map(String::from);
            (words[9], words[10]) = ("1000".into(), "1".into());
            words[place] = number.to_string();
            let text = words.join(" ");
            assert_eq!(Record::parse(&text).is_some(), sane, "{text}");
        }
    }
    for (pool, sane) in [(1u64 << 40, true), ((1 << 40) + 1, false)] {
        let text = format!("1 2 3 largest {pool} 0 1");
        assert_eq!(Settings::parse(&text).is_some(), sane, "{text}");
    }
}

#[test]
fn records_of_earlier_back_ends_are_read() {
    let record = Record::parse("1 2 3 4 5 6 7 8 9 10 11").expect("all there was");
    assert_eq!((record.limits.weight, record.forgiven), (11, 0));
}

#[test]
fn what_the_administrator_set_is_recorded() {
    let limits = Limits {
        floor: 1_000,
        ceiling: 3_000,
        weight: 7,
        protected: true,
    };
    let mut sim = Sim::new(10_000, 8, Settings::default());
    assert!(sim.boot(dom(A), 2_000, limits));
    for event in [
        Event::SetCredit { pages: 5 },
        Event::SetReserve { pages: 6 },
        Event::SetPolicy(Policy::Spread),
        Event::SetBoost(true),
        Event::SetAskReady(false),
    ] {
        sim.handle(event).expect("sensible");
    }
    let settings = sim.coordinator.settings();
    let written = Settings::parse(&settings.to_string()).expect("its own words");
    assert_eq!(written, settings);

    let mut next = Coordinator::new(vec![Entry::default(); 1], written);
    let recall = Event::Recall {
        dom: dom(A),
        record: sim.coordinator.record(dom(A)).expect("known"),
    };
    next.handle(recall, 0, &mut sim.world).expect("sensible");
    assert_eq!(next.domain(dom(A)).expect("recalled").limits, limits);
}
