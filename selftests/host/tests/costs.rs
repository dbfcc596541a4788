// SPDX-License-Identifier: GPL-2.0

//! What an event costs does not depend on how many domains there are, counted without a clock.

use cmm_host_tests::trials::{Trial, TRIALS};

const FEW: u16 = 100;
const MANY: u16 = 10_000;
/// How many rounds of each are played: what is dear is dear in the first ones.
const ROUNDS: usize = 100;
/// What may cost so much more among many than among few.
const TIMES: u64 = 3;
/// What any of them may cost.
const MOST: u64 = 20_000;

/// How often the storage is used in the dearest round of a trial; `None` if there is none.
fn steps(trial: &Trial, domains: u16) -> Option<u64> {
    let mut machine = (trial.machine)(domains);
    let mut most = None;
    for round in 0..ROUNDS {
        if !(trial.prepare)(&mut machine, round) {
            break;
        }
        machine.take_steps();
        (trial.act)(&mut machine, round);
        most = most.max(Some(machine.take_steps()));
    }
    machine.coordinator.check().expect("the books balance");
    most
}

#[test]
fn no_event_is_dearer_among_many() {
    let mut dear = Vec::new();
    for trial in TRIALS {
        let (few, many) = (steps(trial, FEW), steps(trial, MANY));
        let many = many.expect("it happens");
        println!("{:30} {few:?} {many}", trial.name);
        let too_many = few.is_some_and(|few| many > TIMES * few);
        if too_many || many > MOST {
            dear.push((trial.name, few, many));
        }
    }
    assert!(dear.is_empty(), "steps among few and many: {dear:#?}");
}
