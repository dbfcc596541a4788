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
