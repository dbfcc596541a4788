// SPDX-License-Identifier: GPL-2.0

//! Boosting: whom a transfer waits for runs soon.

use super::*;

/// Asks for 100 pages, with everybody waiting for a CPU whenever something is done for the request. Returns who was
/// boosted, in order.
fn boosted_in_a_transfer(boost: bool) -> Vec<DomId> {
    let mut sim = three(Settings {
        boost,
        ..Settings::default()
    });
    let starve_all = |sim: &mut Sim| [A, B, C].map(|number| starve(sim, number));
    starve_all(&mut sim);
    ask(&mut sim, A, 100);
    starve_all(&mut sim);
    donors_answer(&mut sim, &[B, C]);
    starve_all(&mut sim);
    run(&mut sim);
    assert_eq!(balance(&sim, A), 100);
    std::mem::take(&mut sim.world.boosted)
}

#[test]
fn whom_a_transfer_waits_for_is_boosted() {
    // The requester, when it is granted the memory and when it has taken it; not the donor, which is busy already.
    assert_eq!(boosted_in_a_transfer(true), [dom(A), dom(A)]);
    assert_eq!(boosted_in_a_transfer(false), []);
}

/// Starves everybody for `ms` milliseconds. Returns how often which domain was boosted.
fn boosted_while_starving(sim: &mut Sim, ms: u64) -> [usize; 3] {
    sim.world.boosted.clear();
    for _ in 0..ms {
        for number in [A, B, C] {
            starve(sim, number);
        }
        sim.advance(MILLISECOND);
    }
    let boosted = &sim.world.boosted;
    [A, B, C].map(|number| boosted.iter().filter(|d| **d == dom(number)).count())
}

#[test]
fn who_does_not_answer_is_boosted_again_some_times() {
    let mut sim = three(Settings {
        boost: true,
        donor_timeout: 10 * SECOND,
        ..Settings::default()
    });
    assert!(sim.request(dom(A), 100, 20_000_000));
    while sim.hear(dom(A)) {}
    assert_eq!(boosted_while_starving(&mut sim, 500), [0, 6, 0]);
    donors_answer(&mut sim, &[B]);
    assert_eq!(boosted_while_starving(&mut sim, 500), [6, 0, 0]);
    run(&mut sim);
    assert_eq!(balance(&sim, A), 100);
    assert_eq!(boosted_while_starving(&mut sim, 500), [0, 0, 0]);
}

#[test]
fn a_donor_that_is_passed_over_is_not_boosted() {
    let mut sim = three(Settings {
        boost: true,
        donor_timeout: 2 * MILLISECOND,
        ..Settings::default()
    });
    ask(&mut sim, A, 1);
    // After 1.1 ms; by 3.3 ms nobody waits for it any more.
    let [_, b, _] = boosted_while_starving(&mut sim, 500);
    assert_eq!(b, 1);
}

#[test]
fn nobody_is_boosted_for_the_reserve() {
    let mut sim = three(Settings {
        boost: true,
        ..Settings::default()
    });
    sim.handle(Event::SetReserve { pages: 100 })
        .expect("in range");
    sim.advance(100 * MILLISECOND);
    assert_eq!(boosted_while_starving(&mut sim, 50), [0, 0, 0]);
    run(&mut sim);
    assert_eq!(sim.coordinator.pool(), 100);
}
