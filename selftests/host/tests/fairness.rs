// SPDX-License-Identifier: GPL-2.0

//! All want more than there is: then each gets its share, whatever one of them does to get more.

use std::collections::BTreeMap;

use cmm::coordinator::{Event, Settings, MILLISECOND, SECOND};
use cmm::protocol::{Down, RequestReason, Up, MAX_REQUESTS};
use cmm::DomId;
use cmm_host_tests::machine::{dom, Machine, SIZE};

/// What all who give can give together.
const SUPPLY: u64 = SIZE / 4 * 3;
/// What Jain's index is at least when all are served alike.
const FAIR: f64 = 0.95;
/// As long as a request may wait, in microseconds.
const PATIENT: u64 = 60_000_000;

/// How one domain asks.
#[derive(Clone, Copy)]
struct Habit {
    /// For how much at once, in pages.
    pages: u64,
    /// How many requests it has open.
    open: usize,
    reason: RequestReason,
    weight: u32,
    /// Whether it gives back at once what it got, and asks again.
    churns: bool,
}

/// For more than comes at once, one request after the other.
const HONEST: Habit = Habit {
    pages: 8_192,
    open: 1,
    reason: RequestReason::Automatic,
    weight: 100,
    churns: false,
};

/// Those who ask, with what each has open and has got.
struct Crowd {
    machine: Machine,
    askers: BTreeMap<DomId, Asker>,
    /// What each who gives can still give.
    supply: BTreeMap<DomId, u64>,
    /// What they were asked, and have not answered.
    asked: Vec<(DomId, Down)>,
}

struct Asker {
    habit: Habit,
    open: usize,
    got: u64,
    last_id: u32,
}

impl Crowd {
    /// Those with these habits, and one who gives.
    fn new(habits: &[Habit]) -> Self {
        Self::with_donors(1, habits)
    }

    /// Likewise, and so many who give, before them in number.
    fn with_donors(donors: u16, habits: &[Habit]) -> Self {
        let settings = Settings {
            donor_timeout: 50 * SECOND,
            ..Settings::default()
        };
        let mut machine = Machine::new(habits.len() as u16 + donors, settings);
        let numbered = (donors + 1..).map(dom).zip(habits);
        let askers = numbered.map(|(dom, habit)| {
            let weight = habit.weight;
            machine.handle(Event::SetWeight { dom, weight });
            let asker = Asker {
                habit: *habit,
                open: 0,
                got: 0,
                last_id: 0,
            };
            (dom, asker)
        });
        let askers = askers.collect();
        let each = SUPPLY / u64::from(donors);
        let supply: BTreeMap<_, _> = (1..=donors).map(|donor| (dom(donor), each)).collect();
        for (donor, supply) in &supply {
            machine.stats(*donor, *supply);
        }
        machine.forget_sent();
        Self {
            machine,
            askers,
            supply,
            asked: Vec::new(),
        }
    }

    /// Of those who ask, by number from 0.
    fn asker(&self, number: usize) -> DomId {
        *self.askers.keys().nth(number).expect("so many ask")
    }

    /// Everybody asks for as much as it does, and takes what it is granted.
    fn ask(&mut self) {
        for (dom, asker) in &mut self.askers {
            while asker.open < asker.habit.open {
                asker.open += 1;
                asker.last_id += 1;
                let request = Up::Request {
                    id: asker.last_id,
                    pages: asker.habit.pages,
                    deadline_us: PATIENT,
                    reason: asker.habit.reason,
                };
                self.machine.say(*dom, request);
            }
        }
        self.hear();
    }

    fn hear(&mut self) {
        while self.machine.is_due() {
            self.machine.handle(Event::Tick);
        }
        for (who, down) in self.machine.take_sent() {
            let (Some(asker), Down::Grant { pages, .. }) = (self.askers.get_mut(&who), down) else {
                if self.supply.contains_key(&who) {
                    self.asked.push((who, down));
                }
                continue;
            };
            asker.open -= 1;
            asker.got += pages;
            self.machine.answer(who, &down);
            if asker.habit.churns {
                self.machine.resize(who, -(pages as i64));
                self.machine.release(who, pages);
            }
        }
    }

    /// A donor answers one question.
    fn answer(&mut self) {
        if !self.asked.is_empty() {
            let (donor, down) = self.asked.remove(0);
            let supply = self.supply.get_mut(&donor).expect("it gives");
            match down {
                Down::Reclaim { pages, .. } => *supply = supply.saturating_sub(pages),
                Down::Give { pages, .. } => *supply += pages,
                _ => {}
            }
            let supply = *supply;
            self.machine.answer(donor, &down);
            self.machine.stats(donor, supply);
        }
        self.hear();
    }

    /// Plays until nobody has any more, or for so many rounds. Returns what each got.
    fn play(&mut self, rounds: usize) -> Vec<u64> {
        for _ in 0..rounds {
            if self.supply.values().all(|supply| *supply == 0) {
                break;
            }
            self.ask();
            self.machine.now += MILLISECOND;
            self.answer();
        }
        self.machine.coordinator.check().expect("the books balance");
        self.askers.values().map(|asker| asker.got).collect()
    }
}

/// What each got of its share, by its weight, makes Jain's index.
fn jain(got: &[u64], habits: &[Habit]) -> f64 {
    let shares = got.iter().zip(habits);
    let shares: Vec<_> = shares
        .map(|(got, habit)| *got as f64 / f64::from(habit.weight))
        .collect();
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    sum * sum / (shares.len() as f64 * squares)
}

/// All get their share, whether one gives or several do.
#[track_caller]
fn all_get_their_share(habits: &[Habit]) {
    for donors in [1, 2, 7] {
        let mut crowd = Crowd::with_donors(donors, habits);
        crowd.ask();
        let got = crowd.play(usize::MAX);
        let index = jain(&got, habits);
        assert!(index >= FAIR, "{donors} give: {index}: {got:?}");
    }
}

fn beside_four(greedy: Habit) -> [Habit; 5] {
    [greedy, HONEST, HONEST, HONEST, HONEST]
}

#[test]
fn who_asks_for_all_at_once_gets_its_share() {
    all_get_their_share(&beside_four(Habit {
        pages: 1_000_000,
        ..HONEST
    }));
}

#[test]
fn who_has_eight_requests_open_gets_its_share() {
    all_get_their_share(&beside_four(Habit {
        open: MAX_REQUESTS,
        ..HONEST
    }));
    all_get_their_share(&beside_four(Habit {
        open: MAX_REQUESTS,
        pages: 1_000_000,
        ..HONEST
    }));
}

#[test]
fn who_says_that_all_is_an_emergency_gets_its_share() {
    all_get_their_share(&beside_four(Habit {
        open: MAX_REQUESTS,
        reason: RequestReason::Emergency,
        ..HONEST
    }));
}

#[test]
fn all_get_their_share_by_weight() {
    let weighing = |weight| Habit { weight, ..HONEST };
    all_get_their_share(&[50, 100, 200, 400].map(weighing));
    all_get_their_share(&[1, 2, 4, 8].map(weighing));
    all_get_their_share(&[u32::MAX / 8, u32::MAX / 4, u32::MAX / 2, u32::MAX].map(weighing));
}

#[test]
fn sixty_get_their_share() {
    let mut habits = vec![HONEST; 60];
    habits[0].pages = 1_000_000;
    all_get_their_share(&habits);
}

/// Who asks for next to nothing as often as it may, and keeps it or gives it back, takes nothing from the others.
#[test]
fn others_get_their_share_beside_one_who_floods() {
    for churns in [false, true] {
        for reason in [RequestReason::Automatic, RequestReason::Emergency] {
            let habits = beside_four(Habit {
                pages: 1,
                open: MAX_REQUESTS,
                reason,
                churns,
                ..HONEST
            });
            let got = Crowd::new(&habits).play(400);
            let (flood, others) = got.split_first().expect("five");
            let index = jain(others, &habits[1..]);
            assert!(index >= FAIR, "{index}: {got:?}");
            assert!(others.iter().all(|got| got > flood), "{got:?}");
        }
    }
}

/// Who has lent may have that back before others, and once: not if it gives it back to ask again.
#[test]
fn who_asks_for_its_own_again_and_again_gets_its_share() {
    let habits = beside_four(Habit {
        pages: 64,
        open: MAX_REQUESTS,
        churns: true,
        ..HONEST
    });
    let mut crowd = Crowd::new(&habits);
    // It has lent what somebody else has.
    let lender = crowd.asker(0);
    crowd.machine.stats(dom(1), 0);
    crowd.machine.stats(lender, 512);
    let borrower = crowd.asker(1);
    crowd.machine.request(borrower, 512, 0);
    crowd.machine.answer_all();
    let view = crowd.machine.coordinator.domain(lender).expect("known");
    assert_eq!(view.balance, -512);
    crowd.machine.stats(lender, 0);
    crowd.machine.stats(dom(1), SUPPLY);
    let got = crowd.play(100);
    let (lender, others) = got.split_first().expect("five");
    let index = jain(others, &habits[1..]);
    assert!(index >= FAIR, "{index}: {got:?}");
    let least = *others.iter().min().expect("four");
    assert!(*lender <= least + HONEST.pages, "{got:?}");
}

/// Somebody who asks for little need not wait until all questions for much have been answered.
#[test]
fn a_small_request_has_its_turn_with_the_next_answer() {
    let greedy = Habit {
        pages: 1_000_000,
        open: MAX_REQUESTS,
        ..HONEST
    };
    let small = Habit {
        pages: 10,
        open: 0,
        ..HONEST
    };
    let mut crowd = Crowd::new(&[greedy, greedy, small]);
    crowd.play(3);
    let small = crowd.asker(2);
    crowd.askers.get_mut(&small).expect("three").habit.open = 1;
    let got = crowd.play(1);
    assert_eq!(got[2], 10, "{got:?}");
}

/// An emergency goes before all that is none, within a budget.
#[test]
fn an_emergency_goes_first() {
    let emergency = Habit {
        reason: RequestReason::Emergency,
        ..HONEST
    };
    let greedy = Habit {
        pages: 1_000_000,
        ..HONEST
    };
    let mut crowd = Crowd::new(&[greedy, greedy, emergency]);
    let got = crowd.play(8);
    assert_eq!(got[2], 2 * emergency.pages, "{got:?}");
}

/// Who had much when nobody else wanted any does not pay for that when others come.
#[test]
fn what_nobody_wanted_is_not_held_against_who_had_it() {
    let habits = [HONEST, HONEST];
    let mut crowd = Crowd::new(&habits);
    let late = crowd.asker(1);
    crowd.askers.get_mut(&late).expect("two").habit.open = 0;
    let before = crowd.play(20);
    assert!(before[0] > 10_000 && before[1] == 0, "{before:?}");
    crowd.askers.get_mut(&late).expect("two").habit.open = 1;
    let after = crowd.play(40);
    let got: Vec<_> = after.iter().zip(before).map(|(a, b)| a - b).collect();
    let index = jain(&got, &habits);
    assert!(index >= FAIR, "{index}: {got:?}");
}

/// What is given to another is shared, too, with who finds nobody to ask: but it waits for that as long as for a donor of
/// its own, and no longer.
#[test]
fn who_finds_nobody_to_ask_has_its_turn_of_what_others_have_asked_for() {
    let greedy = Habit {
        pages: 1_000_000,
        ..HONEST
    };
    let small = Habit {
        pages: 10,
        open: 0,
        ..HONEST
    };
    let mut crowd = Crowd::new(&[greedy, small]);
    let donor = dom(1);
    // It has been asked for all it has.
    crowd.machine.stats(donor, 2_000);
    crowd.ask();
    let small = crowd.asker(1);
    crowd.askers.get_mut(&small).expect("two").habit.open = 1;
    crowd.ask();
    assert_eq!(crowd.askers[&small].open, 1, "it waits");
    crowd.answer();
    assert_eq!(crowd.askers[&small].got, 10);
    // And if nothing comes:
    crowd.machine.stats(donor, 100);
    crowd.machine.now += SECOND;
    crowd.ask();
    crowd.machine.now += 50 * SECOND - 1;
    crowd.hear();
    assert_eq!(crowd.askers[&small].open, 1, "it waits");
    crowd.machine.now += 1;
    crowd.hear();
    assert_eq!(crowd.askers[&small].open, 0, "it knows that there is none");
}

/// Whoever gets nothing while one portion is under way for others has its turn of that portion.
#[test]
fn one_portion_is_shared_with_who_came_while_it_was_under_way() {
    let greedy = Habit {
        pages: 1 << 20,
        open: MAX_REQUESTS,
        reason: RequestReason::Emergency,
        ..HONEST
    };
    let late = Habit {
        pages: 4_096,
        open: 0,
        reason: RequestReason::Manual,
        ..HONEST
    };
    let mut crowd = Crowd::new(&[greedy, late]);
    crowd.machine.stats(dom(1), 4_096);
    crowd.ask();
    let late = crowd.asker(1);
    crowd.askers.get_mut(&late).expect("two").habit.open = 1;
    crowd.machine.now += 2 * SECOND;
    crowd.ask();
    assert_eq!(crowd.askers[&late].open, 1, "it waits");
    crowd.answer();
    let got: Vec<_> = crowd.askers.values().map(|asker| asker.got).collect();
    assert_eq!(got, [2_048, 2_048]);
}
