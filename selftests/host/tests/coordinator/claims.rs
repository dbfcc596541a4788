// SPDX-License-Identifier: GPL-2.0

//! What a front-end says its balance is.

use super::*;

#[test]
fn what_a_borrower_gave_back_and_gave_unheard_is_believed() {
    let mut sim = three(Settings::default());
    ask(&mut sim, A, 100);
    run(&mut sim);
    let (dom, pages) = (dom(A), 50);
    sim.handle(Event::Take { dom, pages }).expect("accepted");
    sim.detach(dom);
    // It gives back what it borrowed, and then what it was asked for; nobody reads its lane any more.
    assert_eq!(sim.world.inside(dom).expect("exists").give_up(150), 150);
    sim.domain(A).session.balance = -50;
    sim.attach(dom).expect("accepted");
    assert_eq!(balance(&sim, A), -50);
    // Nothing of it is missing: all get back what is theirs.
    run(&mut sim);
    assert_eq!((balance(&sim, A), balance(&sim, B)), (0, 0));
}

#[test]
fn a_claim_is_believed_only_as_far_as_it_can_be_true() {
    let cases = [
        (Some(0), 0),
        (Some(60), 60),
        (Some(100), 100),
        (Some(1 << 40), 100),
        (Some(-1_000), 0),
    ];
    for (claim, expected) in cases {
        let mut sim = three(Settings::default());
        ask(&mut sim, A, 100);
        donors_answer(&mut sim, &[B]);
        let taken = claim.unwrap_or(0i64).clamp(0, 100);
        sim.detach(dom(A));
        assert_eq!(populate(&mut sim, A, taken as u64), taken as u64);
        connect_claiming(&mut sim, A, claim.unwrap_or(0));
        assert_eq!(balance(&sim, A), expected, "{claim:?}");
        let view = sim.coordinator.domain(dom(A)).expect("known");
        let doubts = u32::from(claim != Some(expected));
        assert_eq!(view.disbelieved, doubts, "{claim:?}");
        // It is corrected, and not thrown out.
        assert_eq!(sim.world.disconnected, []);
    }
}

/// What it claims may be true or not.
fn connect_claiming(sim: &mut Sim, number: u16, balance: i64) {
    let domain = sim.domain(number);
    domain.session.balance = balance;
    domain.liar = true;
    sim.attach(dom(number)).expect("accepted");
}

#[test]
fn without_a_claim_what_was_taken_is_what_the_domain_has() {
    for taken in [0, 60, 100] {
        let mut sim = three(Settings::default());
        ask(&mut sim, A, 100);
        donors_answer(&mut sim, &[B]);
        sim.detach(dom(A));
        assert_eq!(populate(&mut sim, A, taken), taken);
        attach_claiming_nothing(&mut sim, A, 2_000);
        assert_eq!(balance(&sim, A), taken as i64);
        assert_eq!(
            sim.coordinator.domain(dom(A)).expect("known").disbelieved,
            0
        );
    }
}

#[test]
fn who_took_more_than_it_claims_is_corrected_and_not_thrown_out() {
    for (claim, expected) in [(0, 744), (500, 744), (744, 744), (900, 900)] {
        let mut sim = three(Settings::default());
        ask(&mut sim, A, 1_000);
        donors_answer(&mut sim, &[B, C]);
        sim.detach(dom(A));
        assert_eq!(populate(&mut sim, A, 1_000), 1_000);
        connect_claiming(&mut sim, A, claim);
        assert_eq!(sim.world.disconnected, []);
        // But for its slack.
        assert_eq!(balance(&sim, A), expected, "claims {claim}");
        assert_eq!(
            sim.world.domains[&dom(A)].maximum,
            2_000 + CAP_MARGIN + expected as u64
        );
    }
}

#[test]
fn who_kept_what_it_was_asked_for_and_claims_otherwise_is_corrected() {
    let mut sim = three(Settings::default());
    prefer_b(&mut sim);
    ask(&mut sim, A, 1_000);
    sim.vanish(dom(B));
    connect_claiming(&mut sim, B, -1_000);
    assert_eq!(sim.world.disconnected, []);
    assert_eq!(balance(&sim, B), -(CAP_MARGIN as i64));
}

#[test]
fn a_lender_is_owed_less_only_if_it_has_the_pages() {
    let cases = [
        (40, -60, -60),
        (39, -60, -100),
        (0, -60, -100),
        (100, 0, 0),
        (200, 100, -100),
    ];
    for (got, claim, expected) in cases {
        let mut sim = lent_by_b(100);
        assert_eq!(balance(&sim, B), -100);
        sim.detach(dom(B));
        assert_eq!(populate(&mut sim, B, got), got);
        connect_claiming(&mut sim, B, claim);
        assert_eq!(balance(&sim, B), expected, "{got} pages, claims {claim}");
        // What it got elsewhere it got from its slack, which it does not have twice.
        let cap = 2_000 + CAP_MARGIN - 100;
        assert_eq!(sim.world.domains[&dom(B)].maximum, cap);
    }
}

/// A connects again, and lies about what it has lent.
fn reconnect_claiming(sim: &mut Sim, claim: i64) {
    sim.detach(dom(A));
    let domain = sim.domain(A);
    domain.false_by = claim - domain.session.balance;
    domain.liar = true;
    sim.attach(dom(A)).expect("accepted");
}

#[test]
fn memory_is_made_of_nothing_up_to_the_slack_and_not_over_and_over() {
    for reload in [false, true] {
        let settings = Settings {
            donor_timeout: 100 * SECOND,
            ..Settings::default()
        };
        let mut sim = three(settings);
        sim.corrupt(dom(C), Lie::Silent);
        // B takes whatever A says it gave.
        assert!(sim.request(dom(B), 2_000, 60_000_000));
        while sim.hear(dom(B)) {}
        let free = sim.world.free;
        for _ in 0..8 {
            reconnect_claiming(&mut sim, -(CAP_MARGIN as i64));
            reconnect_claiming(&mut sim, 0);
            if reload {
                sim.reload();
                while sim.serve(dom(B)) {}
                assert!(sim.request(dom(B), 2_000, 60_000_000));
                while sim.hear(dom(B)) {}
            }
        }
        // It takes at once what it is granted: now, or at the deadline.
        donors_answer(&mut sim, &[B]);
        sim.advance(60 * SECOND);
        donors_answer(&mut sim, &[B]);
        assert_eq!(balance(&sim, A), 0);
        assert_eq!(sim.world.free, free - CAP_MARGIN, "reload: {reload}");
        assert_eq!(sim.world.domains[&dom(A)].maximum, 2_000);

        // The toolstack's word counts, and begins anew.
        sim.mem_set(dom(A), 2_100, true);
        assert_eq!(sim.world.domains[&dom(A)].maximum, 2_100 + CAP_MARGIN);
    }
}

#[test]
fn who_took_nothing_is_believed_though_the_toolstack_let_it_grow_and_shrink_unheard() {
    let mut sim = three(Settings::default());
    let (dom, pages) = (dom(B), 10);
    sim.handle(Event::Give { dom, pages }).expect("accepted");
    sim.mem_set(dom, 2_300, false);
    sim.balloon(dom, 300, 1_000);
    // It is as large as it could be if it had taken them, and larger than it now may be.
    sim.reload_after(|world| {
        world.mem_set(dom, 300);
        Vec::new()
    });
    let view = sim.coordinator.domain(dom).expect("known");
    assert_eq!((view.balance, view.disbelieved), (0, 0));
}
