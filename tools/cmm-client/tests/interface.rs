// SPDX-License-Identifier: MIT

//! What there is to be seen without the device.

use std::io::ErrorKind;
use std::process::Command;
use std::time::Duration;

use cmm::client::commands;
use cmm_client::Asker;

#[test]
fn without_the_driver_there_is_no_device() {
    let opened = Asker::open_at("/nonexistent/cmm").expect_err("no device");
    assert_eq!(opened.kind(), ErrorKind::NotFound);
}

#[test]
fn what_is_no_such_device_knows_no_command() {
    let asker = Asker::open_at("/dev/null").expect("is there");
    assert!(asker.ask(1 << 20, Some(Duration::ZERO)).is_err());
    assert!(asker.give_back(1 << 20).is_err());
    assert!(asker.held().is_err());
}

/// The header, the crate and the driver say the same: a program in C prints the commands of the one.
#[test]
fn the_header_has_the_same_commands() {
    let program = "#include <stdio.h>\n#include \"xen_cmm.h\"\n\
        int main(void) { printf(\"%#lx %#lx %#lx\\n\", (long)CMM_ASK, (long)CMM_GIVE_BACK, (long)CMM_HELD); }";
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, binary) = (dir.join("commands.c"), dir.join("commands"));
    std::fs::write(&source, program).expect("written");
    let mut cc = Command::new("cc");
    cc.args([
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-I",
        env!("CARGO_MANIFEST_DIR"),
    ]);
    let compiled = cc.arg("-o").arg(&binary).arg(&source).status();
    assert!(compiled.expect("a compiler").success());
    let output = Command::new(&binary).output().expect("runs");
    let said = String::from_utf8(output.stdout).expect("text");
    assert_eq!(said.trim(), "0xc020d501 0xc010d502 0x8008d503");
    assert_eq!(
        cmm_client::COMMANDS,
        [0xc020_d501, 0xc010_d502, 0x8008_d503]
    );
    assert_eq!(
        cmm_client::COMMANDS,
        [commands::ASK, commands::GIVE_BACK, commands::HELD]
    );
}
