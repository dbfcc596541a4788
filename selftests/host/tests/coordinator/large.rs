// SPDX-License-Identifier: GPL-2.0

//! Large requests: in portions, and given the time that it takes to move so much.

use super::*;

/// What a page takes a donor that is neither fast nor slow.
const PAGE: Nanos = 2_000;

/// The most that one question is for.
const PORTION: u64 = 4_096;

/// Donors that take their time.
struct Busy {
    /// Who they are, and how much longer than others each takes over an answer.
    donors: Vec<(u16, Nanos)>,
    /// When each is done with what it was asked first.
    done: Vec<Option<Nanos>>,
}

impl Busy {
    fn new(donors: impl IntoIterator<Item = (u16, Nanos)>) -> Self {
        let donors: Vec<_> = donors.into_iter().collect();
        Self {
            done: vec![None; donors.len()],
            donors,
        }
    }

    /// Lets them work for a while.
    fn work(&mut self, sim: &mut Sim, step: Nanos) {
        sim.advance(step);
        for ((donor, longer), done) in self.donors.iter().zip(&mut self.done) {
            let asked = sim
                .coordinator
                .domain(dom(*donor))
                .expect("known")
                .reclaiming;
            if asked == 0 {
                continue;
            }
            let now = sim.world.now;
            let at = *done.get_or_insert_with(|| now + asked.min(PORTION) * PAGE + longer);
            if at <= now {
                *done = None;
                let before = balance(sim, *donor);
                while balance(sim, *donor) == before
                    && (sim.serve(dom(*donor)) | sim.hear(dom(*donor)))
                {}
            }
        }
    }

    /// Lets them work until there is a grant, for so long at most. Returns it, and how long it took.
    fn until_granted(
        &mut self,
        sim: &mut Sim,
        number: u16,
        most: Nanos,
    ) -> ((u64, GrantReason), Nanos) {
        let began = sim.world.now;
        while sim.world.now - began < most {
            self.work(sim, MILLISECOND);
            if let Some(grant) = grant(sim, number) {
                return (grant, sim.world.now - began);
            }
        }
        panic!("not answered in {most} ns");
    }
}

/// So many donors of `spare` pages, the numbers of which begin with B.
fn crowd(donors: u16, spare: u64) -> Sim {
    let mut sim = Sim::new(20_000_000, 256, Settings::default());
    for number in A..=A + donors {
        assert!(sim.boot(dom(number), spare + 500, Limits::default()));
        sim.domain(number).needs = if number == A { spare + 500 } else { 500 };
        sim.stats(dom(number));
        while sim.serve(dom(number)) | sim.hear(dom(number)) {}
    }
    sim
}

#[test]
fn a_large_request_is_met_by_donors_that_take_the_time_it_takes() {
    for pages in [50_000, 400_000] {
        let mut sim = crowd(8, 60_000);
        ask(&mut sim, A, pages);
        let mut busy = Busy::new((B..=B + 7).map(|donor| (donor, 0)));
        let (grant, _) = busy.until_granted(&mut sim, A, 10 * SECOND);
        assert_eq!(grant, (pages, GrantReason::Full));
        // Nobody gave what another has given.
        let given: i64 = (B..=B + 7).map(|donor| balance(&sim, donor)).sum();
        assert_eq!(given, -(pages as i64));
    }
}

#[test]
fn donors_are_not_late_for_being_asked_for_much() {
    let mut sim = crowd(2, 400_000);
    ask(&mut sim, A, 400_000);
    let mut busy = Busy::new([(B, 0), (C, 0)]);
    let (grant, _) = busy.until_granted(&mut sim, A, 10 * SECOND);
    assert_eq!(grant, (400_000, GrantReason::Full));
    for donor in [B, C] {
        let view = sim.coordinator.domain(dom(donor)).expect("known");
        assert_eq!(view.penalty, 0);
    }
}

#[test]
fn a_slow_donor_keeps_no_other_waiting() {
    let slow = |donor: u16| if donor % 10 == 0 { 75 * MILLISECOND } else { 0 };
    let mut sim = crowd(100, 2_500);
    ask(&mut sim, A, 250_000);
    let mut busy = Busy::new((B..=100 + A).map(|donor| (donor, slow(donor))));
    let (grant, took) = busy.until_granted(&mut sim, A, 10 * SECOND);
    assert_eq!(grant, (250_000, GrantReason::Full));
    // In rounds of eight, each as slow as its slowest, it would be more than 800 ms.
    assert!(took < 500 * MILLISECOND, "{} ms", took / MILLISECOND);
}

#[test]
fn a_small_request_waits_behind_one_portion_of_a_large_one() {
    let mut sim = crowd(1, 100_000);
    ask(&mut sim, A, 90_000);
    ask(&mut sim, A, 1);
    let mut busy = Busy::new([(B, 0)]);
    let (small, took) = busy.until_granted(&mut sim, A, 10 * SECOND);
    assert_eq!(small, (1, GrantReason::Full));
    assert!(took < 3 * PORTION * PAGE, "{} ms", took / MILLISECOND);
}

#[test]
fn nobody_pays_for_what_liars_do_not_give() {
    for liars in [4, 32] {
        let mut sim = crowd(liars, 400_000);
        for liar in B..B + liars {
            sim.domain(liar).needs = u64::MAX;
        }
        ask(&mut sim, A, 400_000);
        let all: Vec<_> = (B..B + liars).collect();
        donors_answer(&mut sim, &all);
        assert_eq!(grant(&sim, A), Some((0, GrantReason::NoDonor)));
        run(&mut sim);
        ask(&mut sim, A, 1);
        assert_eq!(grant(&sim, A), Some((0, GrantReason::NoDonor)));
    }
}
