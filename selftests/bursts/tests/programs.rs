// SPDX-License-Identifier: GPL-2.0

//! The programs, run: what one records is what the other did.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use cmm_bursts::recording::{read, Head, Row, Writer};

fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    output.expect("it was built for this test")
}

/// A place for this test's files.
fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn record(arguments: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_burst-record"), arguments)
}

#[test]
fn the_machine_is_recorded() {
    let file = place("machine.rec");
    let output = record(&[
        "--for",
        "0.2",
        "--name",
        "all",
        file.to_str().expect("a path"),
    ]);
    assert!(output.status.success(), "{output:?}");
    let recording = read(&fs::read(&file).expect("it was written")).expect("a recording");
    assert_eq!(recording.head.name, "all");
    assert_eq!(recording.head.scope, "machine");
    assert!(recording.rows[0].need > 0 && recording.rows[0].available > 0);
    let cost = recording.cost.expect("it ended");
    assert!(cost.looks > 1 && cost.cpu > 0);
    assert!((200_000..60_000_000).contains(&cost.wall), "{cost:?}");
}

#[test]
fn what_a_command_has_started_ends_with_it() {
    let (file, note) = (place("group.rec"), place("group.pid"));
    let script = format!("sleep 1000 & echo $! > {}; wait", note.display());
    let path = file.to_str().expect("a path");
    let output = record(&["--for", "1", path, "--", "sh", "-c", &script]);
    assert!(output.status.success(), "{output:?}");
    let pid = fs::read_to_string(&note).expect("the script wrote it");
    let stat = PathBuf::from(format!("/proc/{}/stat", pid.trim()));
    let is_alive = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    for _ in 0..1_000 {
        if !is_alive() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{pid} lives on");
}

#[test]
fn what_cannot_be_is_said() {
    let path = place("none.rec");
    let path = path.to_str().expect("a path");
    let failed = record(&[path, "--", "sh", "-c", "exit 3"]);
    assert_eq!(failed.status.code(), Some(1));
    let no_group = record(&["--cgroup", "/nonexistent", "--for", "1", path]);
    assert_eq!(no_group.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&no_group.stderr).contains("/nonexistent"));
    for wrong in [
        &[path][..],
        &["--every", "0.1", "--for", "1", path],
        &["--for"],
    ] {
        assert_eq!(record(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_recording_is_played() {
    let file = place("played.rec");
    let head = Head {
        name: "played".into(),
        scope: "cgroup".into(),
        start: 0,
        every: 2_000,
    };
    let mut bytes = Vec::new();
    let mut writer = Writer::begin(&mut bytes, &head).expect("memory takes all");
    for (time, need) in [(0, 100), (20_000, 5_000), (60_000, 200), (80_000, 3_000)] {
        let row = Row {
            time,
            need,
            ..Row::default()
        };
        writer.add(&row).expect("memory takes all");
    }
    fs::write(&file, bytes).expect("there is room");
    let path = file.to_str().expect("a path");
    let output = run(env!("CARGO_BIN_EXE_burst-play"), &["--scale", "50", path]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(
        text.starts_with("{\"bursts\":2,\"stall_p50_ns\":"),
        "{text}"
    );
    let none = run(env!("CARGO_BIN_EXE_burst-play"), &["--like", "none", path]);
    assert_eq!(none.status.code(), Some(1));
}
