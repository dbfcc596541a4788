// SPDX-License-Identifier: GPL-2.0

//! A lane that nobody reads.

use super::*;

#[test]
fn answers_fit_in_a_lane_that_nobody_reads() {
    let mut guest = Guest::open();
    guest.tell(&Down::Credit { pages: 1_000 }, NOW);
    let mut tickets: Vec<_> = (0..MAX_REQUESTS).map(|_| ask(&mut guest, 2_000)).collect();
    while guest.client.released(tickets[0], 1) != Err(SendError::Full) {}
    for n in 0..MAX_ASKS as u32 {
        guest.tell(&reclaim(n), NOW);
    }
    let epoch = guest.client.epoch();
    // Something untold is in the way of each.
    let draw = |guest: &mut Guest| {
        assert!(guest.client.request(&wish(1), &has(0), NOW).is_ok());
        guest.client.drew(epoch, 1, 1);
    };
    for ticket in tickets.drain(..) {
        guest.client.give_up(ticket);
        draw(&mut guest);
        guest.tell(&grant(ticket, 1), NOW);
    }
    while let Some((demand, epoch)) = guest.client.next_demand() {
        draw(&mut guest);
        assert!(guest.client.answer(epoch, &demand, 10));
    }
    assert_eq!(guest.client.stage(), Stage::Open);
    assert_eq!(guest.client.untold(), (MAX_REQUESTS + MAX_ASKS) as u64);
}
