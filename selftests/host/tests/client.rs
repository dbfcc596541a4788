// SPDX-License-Identifier: GPL-2.0

//! The client's rules, one by one: its connection, requests, demands, credit, reports, settling.

use cmm::client::{
    plan, plan_frozen, take_again, Answer, Change, Demand, Figures, Holdings, Outcome, Refusal,
    SendError, Stage, Step, Task, Ticket, Way, Wish, IDLE,
};
use cmm::protocol::{
    Down, GrantReason, RequestReason, Up, Urgency, Violation, COORDINATOR_ID, MAX_ASKS,
    MAX_REQUESTS,
};
use cmm::time::SECOND;
use cmm_host_tests::guest::Guest;

const NOW: u64 = 1_000 * SECOND;
const ASK: u32 = COORDINATOR_ID;

fn has(balance: i64) -> Holdings {
    Holdings {
        baseline: 2_000,
        balance,
        readahead: 0,
    }
}

fn wish(pages: u64) -> Wish {
    Wish {
        pages,
        deadline_us: 1_000,
        reason: RequestReason::Manual,
        exact: false,
    }
}

fn ask(guest: &mut Guest, pages: u64) -> Ticket {
    match guest.client.request(&wish(pages), &has(0), NOW) {
        Ok(Way::Dom0(ticket)) => ticket,
        other => panic!("{other:?}"),
    }
}

fn grant(ticket: Ticket, pages: u64) -> Down {
    let reason = GrantReason::NoDonor;
    let id = ticket.serial;
    Down::Grant { id, pages, reason }
}

fn reclaim(n: u32) -> Down {
    Down::Reclaim {
        id: ASK + n,
        pages: 10,
        urgency: Urgency::Normal,
    }
}

#[test]
fn a_connection_changes_as_the_table_says_and_not_otherwise() {
    for stage in Stage::ALL {
        for change in Change::ALL {
            let mut guest = Guest::default();
            if stage != Stage::Closed {
                guest.begin();
            }
            match stage {
                Stage::Open => guest.client.establish().expect("in the table"),
                Stage::Broken => guest.client.break_off(Violation::Padding),
                Stage::Closed | Stage::Opening => {}
            }
            assert_eq!(guest.client.stage(), stage);
            let done = match change {
                Change::Begin => guest.client.begin(Default::default()).is_ok(),
                Change::Establish => guest.client.establish().is_ok(),
                Change::HangUp => guest.client.hang_up().is_some() || stage.after(change).is_some(),
                Change::BreakOff => {
                    guest.client.break_off(Violation::LaneFull);
                    stage.after(change).is_some()
                }
                Change::Report => guest.client.report_fault() == Ok(Violation::Padding),
            };
            let expected = stage.after(change);
            assert_eq!(done, expected.is_some(), "{stage:?} {change:?}");
            assert_eq!(
                guest.client.stage(),
                expected.unwrap_or(stage),
                "{stage:?} {change:?}"
            );
        }
    }
}

#[test]
fn a_request_is_answered_taken_and_forgotten() {
    let mut guest = Guest::open();
    let ticket = ask(&mut guest, 100);
    assert!(matches!(guest.hear(), Some(Up::Request { pages: 100, .. })));
    assert_eq!(guest.client.outcome(ticket), None);
    guest.tell(&grant(ticket, 60), NOW + 1);
    let answer = Answer {
        pages: 60,
        reason: GrantReason::NoDonor,
        at: NOW + 1,
    };
    let outcome = Some(Outcome::Answered(answer));
    assert_eq!(guest.client.outcome(ticket), outcome);
    guest.client.took(ticket, 60, 50);
    let (id, pages) = (ticket.serial, 50);
    assert_eq!(guest.hear_all(), [Up::Took { id, pages }]);
    assert_eq!(guest.client.open_requests(), 0);
}

#[test]
fn what_is_granted_to_nobody_goes_back() {
    let mut guest = Guest::open();
    let ticket = ask(&mut guest, 100);
    guest.client.give_up(ticket);
    guest.hear_all();
    assert_eq!(guest.client.open_requests(), 1, "as in Dom0");
    guest.tell(&grant(ticket, 60), NOW);
    let (id, pages) = (ticket.serial, 0);
    assert_eq!(guest.hear_all(), [Up::Took { id, pages }]);
    assert_eq!(guest.client.open_requests(), 0);
}

#[test]
fn no_more_requests_are_open_than_may_be() {
    let mut guest = Guest::open();
    for _ in 0..MAX_REQUESTS {
        ask(&mut guest, 1_000);
    }
    let refused = guest.client.request(&wish(1_000), &has(0), NOW);
    assert_eq!(refused, Err(Refusal::TooMany));
}

#[test]
fn nobody_asks_for_more_than_the_ceiling_allows() {
    let mut guest = Guest::open();
    let (floor, ceiling) = (0, 2_100);
    guest.tell(&Down::Limits { floor, ceiling }, NOW);
    let refused = guest.client.request(&wish(101), &has(0), NOW);
    assert_eq!(refused, Err(Refusal::Ceiling));
    ask(&mut guest, 100);
}

#[test]
fn requests_are_lost_with_their_connection() {
    let mut guest = Guest::open();
    let (lost, gone) = (ask(&mut guest, 100), ask(&mut guest, 100));
    guest.client.give_up(gone);
    assert!(guest.client.hang_up().is_some());
    assert_eq!(guest.client.open_requests(), 1);
    assert_eq!(guest.client.outcome(lost), Some(Outcome::Lost));
    assert_eq!(guest.client.open_requests(), 0);
}

#[test]
fn what_was_granted_in_an_earlier_connection_is_not_told() {
    let mut guest = Guest::open();
    let ticket = ask(&mut guest, 100);
    guest.tell(&grant(ticket, 100), NOW);
    guest.client.hang_up();
    guest.begin();
    guest.client.took(ticket, 100, 0);
    assert_eq!(guest.hear_all(), []);
    assert_eq!(guest.client.open_requests(), 0);
}

#[test]
fn a_wrong_answer_breaks_the_connection_off() {
    let cases = [
        (
            grant(
                Ticket {
                    serial: 77,
                    epoch: 1,
                },
                1,
            ),
            Violation::Unasked(77),
        ),
        (
            grant(
                Ticket {
                    serial: 1,
                    epoch: 1,
                },
                101,
            ),
            Violation::Excess {
                id: 1,
                said: 101,
                allowed: 100,
            },
        ),
    ];
    for (answer, violation) in cases {
        let mut guest = Guest::open();
        ask(&mut guest, 100);
        guest.tell(&answer, NOW);
        assert_eq!(guest.client.stage(), Stage::Broken);
        assert_eq!(guest.wire.woken.get(), 1);
        assert_eq!(guest.client.report_fault(), Ok(violation));
    }
}

#[test]
fn demands_are_met_in_order_and_each_answered_once() {
    let mut guest = Guest::open();
    for n in 0..MAX_ASKS as u32 {
        guest.tell(&reclaim(n), NOW);
    }
    for n in 0..MAX_ASKS as u32 {
        let (demand, epoch) = guest.client.next_demand().expect("waits");
        assert!(matches!(demand, Demand::Reclaim { serial, .. } if serial == ASK + n));
        assert!(guest.client.answer(epoch, &demand, 10));
        let (id, pages) = (ASK + n, 10);
        assert_eq!(guest.hear_all(), [Up::Offered { id, pages }]);
    }
    assert_eq!(
        (guest.client.next_demand(), guest.client.open_demands()),
        (None, 0)
    );
}

#[test]
fn more_demands_than_there_may_be_are_a_violation() {
    let mut guest = Guest::open();
    guest.tell(&reclaim(0), NOW);
    // It counts until it is answered.
    assert!(guest.client.next_demand().is_some());
    for n in 1..=MAX_ASKS as u32 {
        guest.tell(&reclaim(n), NOW);
    }
    assert_eq!(guest.client.report_fault(), Ok(Violation::LaneFull));
}

#[test]
fn a_demand_of_an_earlier_connection_is_neither_met_nor_answered() {
    let mut guest = Guest::open();
    guest.tell(&reclaim(0), NOW);
    guest.tell(&reclaim(1), NOW);
    let (demand, epoch) = guest.client.next_demand().expect("waits");
    guest.client.hang_up();
    guest.begin();
    assert_eq!(guest.client.admit(epoch, &demand), None);
    assert!(!guest.client.answer(epoch, &demand, 10));
    assert_eq!(
        (guest.client.next_demand(), guest.hear_all()),
        (None, vec![])
    );
}

#[test]
fn a_domain_about_to_be_saved_takes_nothing() {
    let mut guest = Guest::open();
    guest.tell(&Down::Credit { pages: 64 }, NOW);
    let (id, pages) = (ASK, 10);
    guest.tell(&Down::Give { id, pages }, NOW);
    guest.client.set_suspending(true);
    let (demand, epoch) = guest.client.next_demand().expect("waits");
    let task = guest.client.admit(epoch, &demand);
    assert_eq!(task, Some(Task::Take { pages: 0 }));
    assert_eq!(guest.client.prepopulate(), None);
}

#[test]
fn credit_is_drawn_told_and_revoked() {
    let mut guest = Guest::open();
    guest.tell(&Down::Credit { pages: 100 }, NOW);
    assert_eq!(guest.client.prepopulate(), Some(100));
    let way = guest.client.request(&wish(30), &has(0), NOW);
    let Ok(Way::Credit { epoch }) = way else {
        panic!("{way:?}");
    };
    guest.client.drew(epoch, 30, 20);
    assert_eq!((guest.client.credit(), guest.client.untold()), (80, 20));
    assert_eq!(guest.hear_all(), []);
    guest.client.catch_up();
    assert!(matches!(guest.hear_all()[..], [Up::Drew { pages: 20, .. }]));
    assert_eq!(guest.client.untold(), 0);
    let (id, pages) = (ASK, 50);
    guest.tell(&Down::Revoke { id, pages }, NOW);
    let (demand, epoch) = guest.client.next_demand().expect("waits");
    let task = guest.client.admit(epoch, &demand);
    let (surplus, returned) = (40, 50);
    assert_eq!(task, Some(Task::PutAway { surplus, returned }));
    assert_eq!(guest.client.credit(), 30);
}

#[test]
fn dom0_hears_at_once_when_half_of_the_credit_is_used() {
    let mut guest = Guest::open();
    guest.tell(&Down::Credit { pages: 100 }, NOW);
    let epoch = guest.client.epoch();
    for (pages, told) in [(50, 0), (1, 1)] {
        assert!(guest.client.request(&wish(pages), &has(0), NOW).is_ok());
        guest.client.drew(epoch, pages, pages);
        assert_eq!(guest.hear_all().len(), told);
    }
}

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

#[test]
fn dom0_is_told_what_is_news_and_nothing_else() {
    let mut guest = Guest::open();
    let mut figures = Figures {
        has: has(0),
        spare: 1_000,
        total_ram: 2_000,
        moves: 0,
        has_leftovers: false,
    };
    let told = |guest: &mut Guest, figures: &Figures| {
        assert!(guest.client.tick(figures, NOW));
        guest.hear_all().len()
    };
    assert_eq!(told(&mut guest, &figures), 1, "a new connection");
    assert_eq!(told(&mut guest, &figures), 0);
    figures.spare += 256;
    assert_eq!(told(&mut guest, &figures), 0, "too little");
    figures.spare += 1;
    assert_eq!(told(&mut guest, &figures), 1);
    figures.moves += 2;
    assert_eq!(told(&mut guest, &figures), 1, "there and back");
    guest.tell(&reclaim(0), NOW);
    let (demand, epoch) = guest.client.next_demand().expect("waits");
    guest.client.answer(epoch, &demand, 9);
    guest.hear_all();
    assert_eq!(told(&mut guest, &figures), 1, "it gave less");
    guest.client.hang_up();
    assert!(
        !guest.client.tick(&figures, NOW),
        "until the next connection"
    );
}

#[test]
fn what_was_read_ahead_is_used_first_and_given_up_when_nobody_asks() {
    let mut guest = Guest::open();
    let ahead = Holdings {
        readahead: 50,
        ..has(50)
    };
    let way = guest.client.request(&wish(50), &ahead, NOW);
    assert_eq!(way, Ok(Way::Readahead));
    assert!(!guest.client.is_untidy(&ahead, true, NOW + IDLE));
    assert!(guest.client.is_untidy(&ahead, true, NOW + IDLE + 1));
    guest.client.set_readahead_limit(0);
    assert!(guest.client.is_untidy(&ahead, false, NOW));
}

#[test]
fn nothing_is_released_that_was_not_borrowed() {
    let mut guest = Guest::open();
    let refused = guest.client.release(11, &has(10)).err();
    assert_eq!(refused, Some(Refusal::NotBorrowed));
    let ticket = guest.client.release(10, &has(10)).expect("borrowed");
    assert_eq!(guest.client.released(ticket, 10), Ok(()));
    assert!(matches!(
        guest.hear_all()[..],
        [Up::Release { pages: 10, .. }]
    ));
}

#[test]
fn a_domain_settles_as_it_stands() {
    assert_eq!(plan(&has(0)), None);
    assert_eq!(plan(&has(7)), Some(Step::Release(7)));
    assert_eq!(plan(&has(-7)), Some(Step::TakeBack(7)));
    let plenty = 1 << 20;
    let frozen = |balance, stage| plan_frozen(&has(balance), plenty, stage);
    assert_eq!(frozen(700, Stage::Open), Ok(Some(Step::Release(700))));
    assert_eq!(frozen(700, Stage::Opening), Ok(None));
    assert_eq!(frozen(700, Stage::Closed), Ok(Some(Step::GiveUnheard(700))));
    assert_eq!(
        plan_frozen(&has(700), 0, Stage::Open),
        Err(700),
        "it could not be restored"
    );
    assert_eq!(take_again(700, 100), 0);
    assert_eq!(take_again(700, 600), 100);
}
