// SPDX-License-Identifier: GPL-2.0

//! The wire protocol: what is accepted is exactly what may be written.

use cmm::protocol::{
    default_deadline_us, Bytes, Down, GrantReason, RequestReason, Up, Urgency, Violation,
    MAX_PAGES, MESSAGE_SIZE,
};
use proptest::prelude::*;

const OURS: u32 = 1 << 31;

fn message(words: &[(usize, u64, usize)]) -> Bytes {
    let mut bytes = [0; MESSAGE_SIZE];
    for (offset, value, size) in words {
        bytes[*offset..offset + size].copy_from_slice(&value.to_le_bytes()[..*size]);
    }
    bytes
}

/// Kind, id and the first 64-bit field.
fn plain(kind: u32, id: u32, pages: u64) -> Bytes {
    message(&[(0, kind.into(), 4), (4, id.into(), 4), (8, pages, 8)])
}

#[test]
fn layout_is_as_documented() {
    let request = Up::Request {
        id: 0x0102_0304,
        pages: 0x0506_0708,
        deadline_us: 0x1112_1314_1516_1718,
        reason: RequestReason::Emergency,
    };
    let expected = message(&[
        (0, 1, 4),
        (4, 0x0102_0304, 4),
        (8, 0x0506_0708, 8),
        (16, 0x1112_1314_1516_1718, 8),
        (24, 2, 4),
    ]);
    assert_eq!(request.encode(), expected);
    let cases = [
        (Up::Release { id: 1, pages: 2 }.encode(), plain(2, 1, 2)),
        (
            Up::Offered { id: OURS, pages: 0 }.encode(),
            plain(3, OURS, 0),
        ),
        (Up::Took { id: 7, pages: 9 }.encode(), plain(4, 7, 9)),
        (
            Up::Stats {
                available: 1,
                size: 2,
                total_ram: 3,
            }
            .encode(),
            message(&[(0, 5, 4), (8, 1, 8), (16, 2, 8), (24, 3, 8)]),
        ),
        (
            Down::Grant {
                id: 3,
                pages: 4,
                reason: GrantReason::ShuttingDown,
            }
            .encode(),
            message(&[(0, 1, 4), (4, 3, 4), (8, 4, 8), (16, 5, 4)]),
        ),
        (
            Down::Reclaim {
                id: OURS | 1,
                pages: 4,
                urgency: Urgency::Urgent,
            }
            .encode(),
            message(&[(0, 2, 4), (4, (OURS | 1).into(), 4), (8, 4, 8), (16, 2, 4)]),
        ),
        (
            Down::Limits {
                floor: 1,
                ceiling: 2,
            }
            .encode(),
            message(&[(0, 3, 4), (8, 1, 8), (16, 2, 8)]),
        ),
        (
            Down::Give {
                id: OURS | 1,
                pages: 4,
            }
            .encode(),
            plain(4, OURS | 1, 4),
        ),
        (Up::Drew { id: 7, pages: 9 }.encode(), plain(6, 7, 9)),
        (
            Up::Cancel { id: 7 }.encode(),
            message(&[(0, 7, 4), (4, 7, 4)]),
        ),
        (Down::Credit { pages: 4 }.encode(), plain(5, 0, 4)),
        (
            Down::Revoke {
                id: OURS | 1,
                pages: 4,
            }
            .encode(),
            plain(6, OURS | 1, 4),
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn what_a_frontend_may_not_write() {
    let mut padded = plain(2, 1, 1);
    padded[63] = 1;
    let mut reason = plain(1, 1, 1);
    reason[24] = 3;
    let cases = [
        (plain(0, 1, 1), Violation::Kind(0)),
        (plain(8, 1, 1), Violation::Kind(8)),
        (plain(1, 0, 1), Violation::Id(0)),
        (plain(1, OURS, 1), Violation::Id(OURS)),
        (plain(2, OURS, 1), Violation::Id(OURS)),
        (plain(3, 1, 1), Violation::Id(1)),
        (plain(4, 0, 1), Violation::Id(0)),
        (plain(5, 1, 1), Violation::Id(1)),
        (plain(6, OURS, 1), Violation::Id(OURS)),
        (plain(6, 1, 0), Violation::Pages(0)),
        (plain(1, 1, 0), Violation::Pages(0)),
        (plain(2, 1, 0), Violation::Pages(0)),
        (
            plain(3, OURS, MAX_PAGES + 1),
            Violation::Pages(MAX_PAGES + 1),
        ),
        (plain(4, 1, u64::MAX), Violation::Pages(u64::MAX)),
        (padded, Violation::Padding),
        (reason, Violation::Reason(3)),
    ];
    for (bytes, violation) in cases {
        assert_eq!(Up::decode(&bytes), Err(violation));
        assert!(!violation.to_string().is_empty());
    }
}

#[test]
fn what_a_backend_may_not_write() {
    let mut urgency = plain(2, OURS, 1);
    urgency[16] = 3;
    let mut reason = plain(1, 1, 1);
    reason[16] = 7;
    let cases = [
        (plain(7, 1, 1), Violation::Kind(7)),
        (plain(5, 1, 1), Violation::Id(1)),
        (plain(5, 0, 0), Violation::Pages(0)),
        (plain(6, 1, 1), Violation::Id(1)),
        (plain(6, OURS, 0), Violation::Pages(0)),
        (plain(1, OURS, 1), Violation::Id(OURS)),
        (plain(2, 1, 1), Violation::Id(1)),
        (plain(4, 1, 1), Violation::Id(1)),
        (plain(3, 1, 0), Violation::Id(1)),
        // "In full" and nothing at all contradict each other.
        (plain(1, 1, 0), Violation::Pages(0)),
        (plain(4, OURS, 0), Violation::Pages(0)),
        (
            plain(3, 0, 1),
            Violation::Limits {
                floor: 1,
                ceiling: 0,
            },
        ),
        (urgency, Violation::Urgency(3)),
        (reason, Violation::Reason(7)),
    ];
    for (bytes, violation) in cases {
        assert_eq!(Down::decode(&bytes), Err(violation));
    }
}

/// Bytes that are nearly a message more often than chance would have it.
fn bytes() -> impl Strategy<Value = Bytes> {
    let wild = prop::collection::vec(any::<u8>(), MESSAGE_SIZE)
        .prop_map(|bytes| bytes.try_into().expect("as many bytes"));
    let field = prop_oneof![Just(0), 0..8u64, Just(MAX_PAGES), any::<u64>()];
    let id = prop_oneof![0..4u32, any::<u32>()];
    let near = (0..8u32, id, field.clone(), field.clone(), field).prop_map(
        |(kind, id, first, second, third)| {
            message(&[
                (0, kind.into(), 4),
                (4, id.into(), 4),
                (8, first, 8),
                (16, second, 8),
                (24, third, 8),
            ])
        },
    );
    prop_oneof![wild, near.clone(), near]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    /// Whatever decodes, encodes to the same bytes: there is one way to write each message.
    #[test]
    fn decoding_is_the_inverse_of_encoding(bytes in bytes()) {
        if let Ok(up) = Up::decode(&bytes) {
            prop_assert_eq!(up.encode(), bytes);
        }
        if let Ok(down) = Down::decode(&bytes) {
            prop_assert_eq!(down.encode(), bytes);
        }
    }
}

#[test]
fn a_large_request_may_take_longer() {
    let cases = [
        (0, 1_000_000),
        (1, 1_000_064),
        (262_144, 17_777_216),
        (MAX_PAGES, 60_000_000),
    ];
    for (pages, us) in cases {
        assert_eq!(default_deadline_us(pages), us, "{pages}");
    }
}
