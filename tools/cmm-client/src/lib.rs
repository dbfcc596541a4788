// SPDX-License-Identifier: MIT

//! Lets a program in a Xen DomU ask for memory of other domains, and give it back.
//!
//! A program that knows that it is about to need memory can have it before it does: the domain then
//! need not run short first. What it asked for goes back when it says so, and when it ends, by
//! whatever end it comes to.
//!
//! ```no_run
//! use cmm_client::Asker;
//! use std::time::Duration;
//!
//! let asker = Asker::open()?;
//! let answer = asker.ask(256 << 20, Some(Duration::from_millis(200)))?;
//! println!("got {} bytes: {}", answer.bytes, answer.reason);
//! // ... the burst ...
//! asker.give_back(answer.bytes)?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What has come is with the kernel, for whoever allocates: to ask makes room, and nothing else.
//! Sizes are in bytes here, and are rounded up to pages. The interface is `/dev/cmm`, of the driver
//! xen-cmmfront; `xen_cmm.h` beside this crate describes it for C.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::ioctl::{ioctl, opcode, Getter, Opcode, Updater};

/// The device that programs ask by.
pub const DEVICE: &str = "/dev/cmm";

/// `struct cmm_ask`.
#[repr(C)]
struct Ask {
    wanted_kb: u64,
    deadline_us: u64,
    got_kb: u64,
    reason: u64,
}

/// `struct cmm_give_back`.
#[repr(C)]
struct GiveBack {
    wanted_kb: u64,
    given_kb: u64,
}

const ASK: Opcode = opcode::read_write::<Ask>(0xd5, 1);
const GIVE_BACK: Opcode = opcode::read_write::<GiveBack>(0xd5, 2);
const HELD: Opcode = opcode::read::<u64>(0xd5, 3);

/// The commands as numbers, to be compared with those of `xen_cmm.h`.
#[doc(hidden)]
pub const COMMANDS: [Opcode; 3] = [ASK, GIVE_BACK, HELD];

/// Why no more came than did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// All came.
    Granted,
    /// Nobody can spare more.
    NoDonor,
    /// The domain is as large as it may be.
    Ceiling,
    /// The domain has asked for too much lately.
    RateLimit,
    /// Those who were asked have not answered in time.
    Deadline,
    /// Dom0's driver is being unloaded.
    ShuttingDown,
    /// Nobody waited for it any more.
    Cancelled,
    /// The domain has more than its toolstack wants, and cannot give that up.
    AboveTarget,
    /// It was granted, and somebody else took it.
    Lost,
    /// One that this crate does not know.
    Other(u64),
}

impl Reason {
    fn from_number(number: u64) -> Self {
        match number {
            0 => Self::Granted,
            1 => Self::NoDonor,
            2 => Self::Ceiling,
            3 => Self::RateLimit,
            4 => Self::Deadline,
            5 => Self::ShuttingDown,
            6 => Self::Cancelled,
            0xffff_fffe => Self::AboveTarget,
            0xffff_ffff => Self::Lost,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Granted => "all of it came",
            Self::NoDonor => "nobody can spare more",
            Self::Ceiling => "the domain is as large as it may be",
            Self::RateLimit => "the domain has asked for too much lately",
            Self::Deadline => "those who were asked have not answered in time",
            Self::ShuttingDown => "Dom0's driver is being unloaded",
            Self::Cancelled => "nobody waited for it any more",
            Self::AboveTarget => "the domain has more than its toolstack wants",
            Self::Lost => "somebody else took it",
            Self::Other(_) => "for a reason that is not known here",
        })
    }
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How much has come, in bytes.
    pub bytes: u64,
    /// Why no more has.
    pub reason: Reason,
}

/// Somebody who asks, apart from all others, of the same program too. What it holds goes back when it
/// is dropped: what the kernel cannot spare then, as soon as it can.
#[derive(Debug)]
pub struct Asker {
    device: File,
}

impl Asker {
    /// Opens `/dev/cmm`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`]: the driver is not loaded, or the domain has no such device;
    /// [`io::ErrorKind::PermissionDenied`]: the device is root's, unless somebody has changed that.
    pub fn open() -> io::Result<Self> {
        Self::open_at(DEVICE)
    }

    /// As [`Asker::open`], if the device is elsewhere: in a container, say.
    ///
    /// # Errors
    ///
    /// As [`Asker::open`].
    pub fn open_at(path: impl AsRef<Path>) -> io::Result<Self> {
        let device = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Self { device })
    }

    /// Asks for `bytes`, and waits for them until the deadline, if there is one, or for as long as
    /// that usually takes. Less may come, or nothing: the answer says why.
    ///
    /// # Errors
    ///
    /// The kernel's: `EINVAL` for no size, or a deadline of more than a minute; `EDQUOT` for more
    /// than the domain's ceiling leaves; `EBUSY` if eight are asking already; `ENODEV` if there is no
    /// connection to Dom0; `EINTR` if a signal came, in which case nothing of it stays; `ETIMEDOUT`
    /// if Dom0 says nothing.
    pub fn ask(&self, bytes: u64, deadline: Option<Duration>) -> io::Result<Answer> {
        let micros = |deadline: Duration| u64::try_from(deadline.as_micros()).unwrap_or(u64::MAX);
        let mut ask = Ask {
            wanted_kb: bytes.div_ceil(1 << 10),
            // 0 stands for none.
            deadline_us: deadline.map_or(0, |deadline| micros(deadline).max(1)),
            got_kb: 0,
            reason: 0,
        };
        // SAFETY: The command reads and writes a `struct cmm_ask`, which is laid out as an `Ask`, and
        // is there for the call.
        unsafe { ioctl(&self.device, Updater::<ASK, Ask>::new(&mut ask)) }?;
        Ok(Answer {
            bytes: ask.got_kb << 10,
            reason: Reason::from_number(ask.reason),
        })
    }

    /// Gives back `bytes` of what it holds. Returns how many went back: less, if the kernel cannot
    /// spare them now.
    ///
    /// # Errors
    ///
    /// The kernel's: `EINVAL` if it does not hold that much, `ENODEV` if there is no connection to
    /// Dom0.
    pub fn give_back(&self, bytes: u64) -> io::Result<u64> {
        let mut give_back = GiveBack {
            wanted_kb: bytes.div_ceil(1 << 10),
            given_kb: 0,
        };
        // SAFETY: The command reads and writes a `struct cmm_give_back`, which is laid out as a
        // `GiveBack`, and is there for the call.
        unsafe {
            ioctl(
                &self.device,
                Updater::<GIVE_BACK, GiveBack>::new(&mut give_back),
            )
        }?;
        Ok(give_back.given_kb << 10)
    }

    /// How much it holds, in bytes.
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn held(&self) -> io::Result<u64> {
        // SAFETY: The command writes a 64-bit number.
        let kib: u64 = unsafe { ioctl(&self.device, Getter::<HELD, u64>::new()) }?;
        Ok(kib << 10)
    }

    /// Waits until memory runs short in the domain, for `timeout` at most: who can do without some of
    /// what it has should give that up. Returns whether it does.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal came.
    pub fn wait_for_pressure(&self, timeout: Duration) -> io::Result<bool> {
        let timeout = Timespec::try_from(timeout)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut waits = [PollFd::new(&self.device, PollFlags::PRI)];
        poll(&mut waits, Some(&timeout))?;
        Ok(waits[0].revents().contains(PollFlags::PRI))
    }
}

impl AsFd for Asker {
    /// For an event loop of one's own: `POLLPRI` says that memory runs short.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}
