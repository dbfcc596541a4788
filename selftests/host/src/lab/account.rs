// SPDX-License-Identifier: GPL-2.0

//! What came of what was played, in memory that outlives the process that plays: that one may be killed.

use std::ffi::{c_int, c_long, c_void};
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr;

use cmm::coordinator::{Nanos, MILLISECOND};

use crate::fleet::demand::Segment;
use crate::fleet::tenant::{rise, Burst};

/// A page that took longer than this was waited for. The lab's domains share a CPU: who has all the memory it needs waits
/// for its turn, 6 ms at most.
pub const WAITED: Nanos = 10 * MILLISECOND;

/// Bursts that there is room for.
const ROOM: usize = 256;

/// All of it. Times are since the play began.
#[derive(Clone, Copy)]
pub struct Account {
    /// Bursts that have ended.
    bursts: [Burst; ROOM],
    count: usize,
    /// The one under way, and since when.
    burst: Option<(Burst, Nanos)>,
    /// The segment that is played.
    pub segment: usize,
    /// What would be used, to what it rises, and how fast.
    level: f64,
    goal: f64,
    rate: f64,
    since: Nanos,
    /// Pages times seconds that were wanted, and that were missing.
    pub wanted: f64,
    /// As `wanted`.
    pub lacked: f64,
    /// Pages by which what is wanted has risen.
    pub risen: f64,
    /// How often a player was killed.
    pub killed: u64,
    /// The longest that a page was waited for.
    pub longest: Nanos,
    /// Pages that were waited for.
    pub waits: u64,
}

impl Account {
    const NEW: Self = Self {
        bursts: [Burst {
            stalled: 0,
            lasted: 0,
            killed: false,
        }; ROOM],
        count: 0,
        burst: None,
        segment: 0,
        level: 0.0,
        goal: 0.0,
        rate: 0.0,
        since: 0,
        wanted: 0.0,
        lacked: 0.0,
        risen: 0.0,
        killed: 0,
        longest: 0,
        waits: 0,
    };

    /// Until now so many pages were used since the last time.
    pub fn passed(&mut self, used: u64, now: Nanos) {
        let seconds = now.saturating_sub(self.since) as f64 / 1e9;
        let (level, wanted) = rise(self.level, self.goal, self.rate, seconds);
        self.level = level;
        self.since = self.since.max(now);
        self.wanted += wanted;
        self.lacked += (wanted - used as f64 * seconds).max(0.0);
    }

    /// What is wanted changes now. It has passed until now.
    pub fn change(&mut self, segment: &Segment) {
        let goal = segment.goal as f64;
        self.risen += (goal - self.goal).max(0.0);
        (self.goal, self.rate) = (goal, segment.rate);
        if goal < self.level || segment.rate == 0.0 {
            self.level = goal;
        }
        if segment.begins {
            self.end(segment.from);
            self.burst = (goal > self.level).then_some((Burst::default(), segment.from));
        }
    }

    /// The burst under way, if one is, is over.
    pub fn end(&mut self, now: Nanos) {
        let Some((mut burst, began)) = self.burst.take() else {
            return;
        };
        burst.lasted = now - began;
        if let Some(place) = self.bursts.get_mut(self.count) {
            *place = burst;
            self.count += 1;
        }
    }

    /// A page took so long to come.
    pub fn touched(&mut self, took: Nanos) {
        self.longest = self.longest.max(took);
        if took > WAITED {
            self.waits += 1;
            if let Some((burst, _)) = &mut self.burst {
                burst.stalled += took;
            }
        }
    }

    /// The player was killed: until then, when the burst would end, it does nothing.
    pub fn was_killed(&mut self, now: Nanos, until: Nanos) {
        self.killed += 1;
        if let Some((burst, _)) = &mut self.burst {
            burst.killed = true;
            burst.stalled += until.saturating_sub(now);
        }
    }

    /// Bursts that have ended.
    pub fn bursts(&self) -> &[Burst] {
        &self.bursts[..self.count]
    }
}

extern "C" {
    fn mmap(
        at: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: c_long,
    ) -> *mut c_void;
}

const READ_AND_WRITE: c_int = 1 | 2;
const SHARED: c_int = 0x01 | 0x20;

/// An account that a process and those it has forked see. It stays until the last has ended.
pub struct Shared(*mut Account);

impl Shared {
    /// A new one.
    ///
    /// # Errors
    ///
    /// There is no room for it.
    pub fn new() -> io::Result<Self> {
        // SAFETY: Nothing is at a new mapping of the kernel's choice.
        let at = unsafe {
            mmap(
                ptr::null_mut(),
                size_of::<Account>(),
                READ_AND_WRITE,
                SHARED,
                -1,
                0,
            )
        };
        if at as isize == -1 {
            return Err(io::Error::last_os_error());
        }
        let account: *mut Account = at.cast();
        // SAFETY: The mapping is as large, aligned to a page, and nobody else knows of it.
        unsafe { account.write(Account::NEW) };
        Ok(Self(account))
    }
}

impl Deref for Shared {
    type Target = Account;

    fn deref(&self) -> &Account {
        // SAFETY: It was written when it was made, and is never unmapped. The two processes take turns: one looks only
        // when the other has ended.
        unsafe { &*self.0 }
    }
}

impl DerefMut for Shared {
    fn deref_mut(&mut self) -> &mut Account {
        // SAFETY: As in `deref`.
        unsafe { &mut *self.0 }
    }
}
