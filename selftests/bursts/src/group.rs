// SPDX-License-Identifier: GPL-2.0

//! A command, and all that it starts.

use std::ffi::c_int;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

extern "C" {
    fn kill(pid: c_int, signal: c_int) -> c_int;
}

const SIGKILL: c_int = 9;

/// A command that runs in a process group of its own.
#[derive(Debug)]
pub struct Group {
    first: Child,
}

impl Group {
    /// Starts a command.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start(program: &str, arguments: &[String]) -> io::Result<Self> {
        let mut command = Command::new(program);
        let child = command.args(arguments).process_group(0).spawn();
        let named = |err: io::Error| io::Error::new(err.kind(), format!("{program}: {err}"));
        Ok(Self {
            first: child.map_err(named)?,
        })
    }

    /// Whether it was content, if it has ended.
    ///
    /// # Errors
    ///
    /// It is none of this program's.
    pub fn ended(&mut self) -> io::Result<Option<bool>> {
        Ok(self.first.try_wait()?.map(|status| status.success()))
    }

    /// Ends it, and all that it has started and that has not left its group.
    pub fn end(mut self) {
        if let Ok(id) = c_int::try_from(self.first.id()) {
            // SAFETY: No memory is involved. The group is ours: its first process has not been
            // waited for, or was its leader until just now.
            unsafe { kill(-id, SIGKILL) };
        }
        // It has ended, or was just killed.
        let _ = self.first.wait();
    }
}
