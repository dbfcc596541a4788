// SPDX-License-Identifier: GPL-2.0

//! What is written is read again, and what is no recording is not taken for one.

use cmm_bursts::recording::{read, Cost, Head, Mistake, Row, Writer};
use cmm_bursts::varint;

fn head() -> Head {
    Head {
        name: "shape".into(),
        scope: "cgroup".into(),
        start: 123_456_789,
        every: 2_000,
    }
}

fn rows() -> Vec<Row> {
    let row = |i: u64| Row {
        time: i * 2_000 + i * i % 97,
        need: 5_000 + i * 7 % 13 * 1_000,
        cache: 800,
        available: if i % 10 == 0 { u64::MAX - i } else { i },
        faults: i * i,
        major: i / 50,
        refaults: i / 3,
        some: i * 11,
        full: i / 7,
    };
    (0..300).map(row).collect()
}

fn written(rows: &[Row], cost: Option<Cost>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = Writer::begin(&mut file, &head()).expect("memory takes all");
    for row in rows {
        writer.add(row).expect("memory takes all");
    }
    if let Some(cost) = cost {
        writer.end(&cost).expect("memory takes all");
    }
    file
}

const COST: Cost = Cost {
    cpu: 5,
    wall: 1_000,
    looks: 300,
    longest: 2_100,
};

#[test]
fn what_is_written_is_read() {
    let recording = read(&written(&rows(), Some(COST))).expect("a recording");
    assert_eq!(recording.head, head());
    assert_eq!(recording.rows, rows());
    assert_eq!(recording.cost, Some(COST));
    assert!((COST.percent() - 0.5).abs() < 1e-9);
}

#[test]
fn rows_without_news_are_left_out() {
    let row = rows()[7];
    let later = |time| Row { time, ..row };
    let changed = Row {
        need: row.need + 1,
        ..later(99_000)
    };
    let all = [later(10), later(2_010), later(4_010), changed];
    let recording = read(&written(&all, Some(COST))).expect("a recording");
    assert_eq!(recording.rows, [later(10), changed]);
}

#[test]
fn a_small_change_takes_few_bytes() {
    let calm = |i: u64| Row {
        time: i * 2_000 + i % 60,
        need: 5_000 + i % 50,
        ..Row::default()
    };
    let all: Vec<_> = (0..1_000).map(calm).collect();
    let size = written(&all, None).len() - written(&[], None).len();
    assert!(size < 3_200, "{size} bytes for 1 000 rows");
}

#[test]
fn a_file_that_breaks_off_is_read_as_far_as_it_goes() {
    let (file, whole) = (written(&rows(), Some(COST)), rows());
    let head = written(&[], None).len();
    let end = written(&rows(), None).len();
    for length in head..=end {
        let recording = read(&file[..length]).expect("a recording");
        assert!(whole.starts_with(&recording.rows));
        assert_eq!(recording.cost, None);
        assert!(length < end || recording.rows.len() == whole.len());
    }
}

#[test]
fn what_is_none_is_refused() {
    assert_eq!(read(b""), Err(Mistake::Foreign));
    assert_eq!(read(b"something else\n\n"), Err(Mistake::Foreign));
    assert_eq!(read(b"cmm-bursts 1\n\n"), Err(Mistake::Head("columns")));
    let text = String::from_utf8(written(&[], None)).expect("its head is text");
    let other = text.replace("need cache", "cache need");
    assert_eq!(read(other.as_bytes()), Err(Mistake::Columns));
    let other = text.replace("every_us=2000", "every_us=often");
    assert_eq!(read(other.as_bytes()), Err(Mistake::Head("every_us")));
    let mut file = written(&rows()[..3], None);
    file.extend([2, 0, 0]);
    assert_eq!(read(&file), Err(Mistake::Row(3)));
}

#[test]
fn numbers_of_any_size_are_kept() {
    for number in (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, u64::MAX >> bit]) {
        let mut bytes = Vec::new();
        varint::put(&mut bytes, number);
        varint::put_signed(&mut bytes, number as i64);
        varint::put_signed(&mut bytes, (number as i64).wrapping_neg());
        let mut rest = bytes.as_slice();
        assert_eq!(varint::take(&mut rest), Some(number));
        assert_eq!(varint::take_signed(&mut rest), Some(number as i64));
        let back = varint::take_signed(&mut rest);
        assert_eq!(back, Some((number as i64).wrapping_neg()));
        assert!(rest.is_empty());
    }
    assert_eq!(varint::take(&mut [0xff; 11].as_slice()), None);
    assert_eq!(varint::take(&mut [0x80].as_slice()), None);
}
