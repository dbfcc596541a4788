// SPDX-License-Identifier: GPL-2.0

//! When somebody looks how the domain fares.

use super::*;

/// A connection that has been looked at and told of, when its domain's CPUs had worked for a second.
fn looked_at() -> Guest {
    let mut guest = Guest::open();
    assert!(guest.client.tick(&at_rest(SECOND), NOW).is_some());
    guest.hear_all();
    guest
}

#[test]
fn who_sleeps_is_not_woken() {
    let mut guest = looked_at();
    let next = guest.client.tick(&at_rest(SECOND), NOW + INTERVAL);
    assert_eq!(next.expect("connected").asleep, None);
}

#[test]
fn after_something_has_run_there_is_one_look_more() {
    let mut guest = looked_at();
    let ran = SECOND + 3 * MILLISECOND;
    let next = guest.client.tick(&at_rest(ran), NOW + INTERVAL);
    assert_eq!(next.expect("connected").asleep, Some(INTERVAL));
    // The look takes its time, too, which is nothing that could change anything.
    let next = guest
        .client
        .tick(&at_rest(ran + 3 * MILLISECOND - 1), NOW + 2 * INTERVAL);
    assert_eq!(next.expect("connected").asleep, None);
}

/// A timer that wakes nobody expires in the very interrupt that wakes the domain, before what that is for has run.
#[test]
fn who_wakes_up_is_looked_at_again_soon() {
    let mut guest = looked_at();
    let woken = NOW + 10 * SECOND;
    let next = guest
        .client
        .tick(&at_rest(SECOND), woken)
        .expect("connected");
    assert_eq!(next.asleep, None);
    assert!(next.awake <= 5 * MILLISECOND, "{}", next.awake);
    // It removes a large file, and sleeps again: that is not the last word.
    let again = woken + next.awake;
    assert_eq!(guest.client.tick_is_due_in(again), 0);
    let next = guest.client.tick(&at_rest(SECOND + next.awake), again);
    assert_eq!(next.expect("connected").asleep, Some(INTERVAL));
}

#[test]
fn one_look_does_for_all_cpus() {
    let mut guest = looked_at();
    let next = guest.client.tick(&at_rest(2 * SECOND), NOW + INTERVAL);
    let due = NOW + INTERVAL + next.expect("connected").awake;
    assert_eq!(guest.client.tick_is_due_in(due - 1), 1);
    assert_eq!(guest.client.tick_is_due_in(due), 0);
}

/// In how long a sleeping domain is woken that is as `change` has it.
fn woken_in(guest: &mut Guest, now: Nanos, change: impl FnOnce(&mut Figures)) -> Option<Nanos> {
    let mut figures = at_rest(SECOND);
    change(&mut figures);
    let next = guest.client.tick(&figures, now);
    next.expect("connected").asleep
}

#[test]
fn who_has_something_to_do_is_woken_for_that() {
    let now = NOW + INTERVAL;
    let mut guest = looked_at();
    let ticket = ask(&mut guest, 1);
    guest.tell(&grant(ticket, 1), NOW);
    guest.client.took(ticket, 1, 1);
    guest.hear_all();
    let leftovers = |figures: &mut Figures| figures.has_leftovers = true;
    let idle = NOW + IDLE + 1 - now;
    assert_eq!(woken_in(&mut guest, now, leftovers), Some(idle));

    // Until the kernel may be asked again, Dom0 believes that there is less.
    let mut guest = looked_at();
    guest.client.refused_by_kernel(5_000, NOW);
    assert_eq!(
        woken_in(&mut guest, now, |_| ()),
        Some(10 * SECOND - INTERVAL)
    );

    // What is too much could not be given back.
    let mut guest = looked_at();
    guest.client.set_largest(1_000);
    guest.client.returned_above_largest(0, NOW);
    let above = |figures: &mut Figures| figures.has = has(2_000);
    assert!(woken_in(&mut guest, now, above).is_some());
}
