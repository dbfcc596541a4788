// SPDX-License-Identifier: GPL-2.0

//! Why a request got no more than it got.

use cmm::client::Reason;
use cmm::protocol::GrantReason;

#[test]
fn what_was_granted_and_did_not_come_is_lost() {
    const SAID: GrantReason = GrantReason::NoDonor;
    let answered = Reason::Answered(SAID);
    let cases = [
        // Wanted, granted, taken.
        (100, 100, 100, Reason::GRANTED),
        (100, 512, 100, Reason::GRANTED),
        (100, 100, 99, Reason::Lost),
        (100, 100, 0, Reason::Lost),
        (100, 512, 99, Reason::Lost),
        (100, 60, 60, answered),
        (100, 60, 59, Reason::Lost),
        (100, 0, 0, answered),
    ];
    for (wanted, granted, taken, reason) in cases {
        assert_eq!(
            Reason::of(wanted, granted, SAID, taken),
            reason,
            "{wanted} {granted} {taken}"
        );
    }
}

#[test]
fn each_has_a_name_of_its_own() {
    let said = [
        GrantReason::Full,
        GrantReason::NoDonor,
        GrantReason::Ceiling,
        GrantReason::RateLimit,
        GrantReason::Deadline,
        GrantReason::ShuttingDown,
        GrantReason::Cancelled,
    ];
    let said = said.into_iter().map(Reason::Answered);
    let all: Vec<_> = said.chain([Reason::Lost, Reason::AboveTarget]).collect();
    let mut names: Vec<_> = all
        .iter()
        .map(|reason| Reason::name(reason.to_number()).expect("named"))
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
    assert_eq!(Reason::name(all.len() as u32), None);
}
