// SPDX-License-Identifier: GPL-2.0

//! Those for whose requests no donor has room.

use cmm_host_tests::machine::{self, Machine, SIZE};

use super::*;

/// How many may be asked for before the only donor has no room.
const DONORS_ROOM: usize = MAX_ASKS;
const TIMEOUT: u64 = 100 * MILLISECOND;

/// Domain 1 is the only one that has anything, and all others of so many have asked for a page.
fn one_donor(domains: u16) -> Machine {
    one_donor_of(domains, domains)
}

/// Likewise, but the last of so many domains have not.
fn one_donor_of(domains: u16, last: u16) -> Machine {
    let mut machine = Machine::new(domains, Settings::default());
    machine.stats(machine::dom(1), SIZE / 2);
    for number in 2..=last {
        machine.request(machine::dom(number), 1, 30_000_000);
    }
    assert_eq!(machine.waiting(), usize::from(last) - 1);
    machine
}

fn reclaims(machine: &mut Machine) -> Vec<Down> {
    let sent = machine.take_sent().into_iter().map(|(_, down)| down);
    sent.filter(|down| matches!(down, Down::Reclaim { .. }))
        .collect()
}

fn catch_up(machine: &mut Machine) {
    while machine.is_due() {
        machine.handle(Event::Tick);
    }
    machine.coordinator.check().expect("the books balance");
}

#[test]
fn whoever_crowds_at_a_silent_donor_is_answered_when_that_is_given_up() {
    let mut machine = one_donor(200);
    machine.now += TIMEOUT - 1;
    catch_up(&mut machine);
    assert_eq!(machine.waiting(), 199);
    // Besides, it may take as long as so many pages take.
    machine.now += 1 + DONORS_ROOM as u64 * DONOR_PAGE_NANOS;
    catch_up(&mut machine);
    assert_eq!(machine.waiting(), 0);
}

#[test]
fn whoever_crowds_has_the_place_that_becomes_free() {
    let mut machine = one_donor(40);
    let mut asked = reclaims(&mut machine);
    assert_eq!(asked.len(), DONORS_ROOM);
    let mut waiting = 39;
    while waiting > DONORS_ROOM {
        let answered = asked.remove(0);
        machine.answer(machine::dom(1), &answered);
        catch_up(&mut machine);
        waiting -= 1;
        assert_eq!(machine.waiting(), waiting);
        // For each answer there is another question.
        let more = reclaims(&mut machine);
        assert_eq!(more.len(), 1);
        asked.extend(more);
    }
}

#[test]
fn whoever_crowds_is_served_by_a_donor_that_comes() {
    let mut machine = one_donor_of(41, 40);
    catch_up(&mut machine);
    machine.forget_sent();
    machine.stats(machine::dom(41), SIZE / 2);
    catch_up(&mut machine);
    assert_eq!(reclaims(&mut machine).len(), DONORS_ROOM);
}

#[test]
fn whoever_crowds_has_its_turn_as_it_came() {
    let mut machine = one_donor(40);
    let mut sent = machine.take_sent();
    let mut granted = Vec::new();
    while !sent.is_empty() {
        let (dom, down) = sent.remove(0);
        if let Down::Grant { pages: 1, .. } = down {
            granted.push(dom.raw());
        }
        machine.answer(dom, &down);
        catch_up(&mut machine);
        sent.extend(machine.take_sent());
    }
    assert_eq!(granted, (2..=40).collect::<Vec<_>>());
}

#[test]
fn the_question_that_is_late_is_given_up_and_no_other() {
    let mut machine = one_donor_of(4, 3);
    // The first is answered; what is asked next has its place in the table.
    let first = reclaims(&mut machine).remove(0);
    machine.answer(machine::dom(1), &first);
    machine.now += TIMEOUT / 2;
    machine.request(machine::dom(4), 1, 30_000_000);
    assert_eq!(machine.waiting(), 2);
    machine.now += TIMEOUT / 2 + 2 * DONOR_PAGE_NANOS;
    catch_up(&mut machine);
    assert_eq!(machine.waiting(), 1);
}
