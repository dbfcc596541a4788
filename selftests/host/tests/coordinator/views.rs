// SPDX-License-Identifier: GPL-2.0

//! What the outside may see.

use super::*;

fn view(sim: &Sim, number: u16) -> View {
    sim.coordinator.domain(dom(number)).expect("known")
}

#[test]
fn domains_are_counted() {
    let mut sim = Sim::new(10_000, 8, Settings::default());
    assert_eq!(
        (sim.coordinator.len(), sim.coordinator.is_empty()),
        (0, true)
    );
    for number in [A, B] {
        assert!(sim.boot(dom(number), 2_000, Limits::default()));
    }
    assert_eq!(
        (sim.coordinator.len(), sim.coordinator.is_empty()),
        (2, false)
    );
    sim.die(dom(A));
    assert_eq!(sim.coordinator.len(), 1);
}

#[test]
fn a_domain_has_borrowed_or_lent_and_its_baseline_stays() {
    let mut sim = lent_by_b(100);
    [A, B].into_iter().for_each(|number| sim.stats(dom(number)));
    run(&mut sim);
    let (a, b) = (view(&sim, A), view(&sim, B));
    assert_eq!((a.borrowed(), a.lent(), a.baseline()), (100, 0, 2_000));
    assert_eq!((b.borrowed(), b.lent(), b.baseline()), (0, 100, 2_000));
}

/// The id under which a domain was asked for, or given, something that it has not read.
fn unread_question(sim: &Sim, number: u16) -> Option<u32> {
    let unread = sim.world.domains[&dom(number)].session.guest.unread();
    unread.iter().find_map(|message| match message {
        Down::Reclaim { id, .. } | Down::Give { id, .. } => Some(*id),
        _ => None,
    })
}

#[test]
fn what_a_domain_was_asked_is_known_until_it_answers() {
    let mut sim = three(Settings::default());
    prefer_b(&mut sim);
    ask(&mut sim, A, 100);
    let (asked, id) = (sim.world.now, unread_question(&sim, B).expect("asked"));
    sim.advance(MILLISECOND);
    let question = sim.coordinator.question(dom(B), id);
    let expected = Question {
        pages: 100,
        since: asked,
        requester: Some(dom(A)),
    };
    assert_eq!(question, Some(expected));
    assert_eq!(sim.coordinator.question(dom(A), id), None);
    run(&mut sim);
    assert_eq!(sim.coordinator.question(dom(B), id), None);
}

#[test]
fn what_a_domain_is_paid_back_no_request_waits_for() {
    let mut sim = lent_by_b(100);
    release(&mut sim, A, 100);
    let id = unread_question(&sim, B).expect("paid back");
    let question = sim.coordinator.question(dom(B), id).expect("not answered");
    assert_eq!((question.pages, question.requester), (100, None));
}
