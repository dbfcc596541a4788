// SPDX-License-Identifier: GPL-2.0

//! The states of a connection, and what ends it.

use super::*;

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
