// SPDX-License-Identifier: GPL-2.0

//! Errnos: `/dev/cmm`, by which programs ask for memory. Each open file is an asker, and what it holds
//! goes back when it is closed.
//!
//! The commands are in `tools/cmm-client/xen_cmm.h`.

use crate::{
    auto::{
        Automatic,
        Hand, //
    },
    session::Session, //
};
use cmm::{
    client::{
        self,
        commands::{
            ASK,
            GIVE_BACK,
            HELD, //
        }, //
    },
    pages::{
        from_kib,
        to_kib, //
    },
    protocol::LONGEST_DEADLINE_US, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};
use xen::{
    misc_device::{
        OpenFile,
        Opener,
        Waiter,
        POLLPRI, //
    },
    worker::Worker, //
};

/// Those who ask.
pub(crate) struct Askers(pub(crate) Arc<Worker<Hand>>);

/// A program that asks, and has the device open.
#[pin_data(PinnedDrop)]
pub(crate) struct Asker {
    hand: Arc<Worker<Hand>>,
    #[pin]
    account: Mutex<client::Asker>,
}

impl Opener for Askers {
    type File = Asker;

    fn open(&self) -> Result<Pin<KBox<Asker>>> {
        let asker = pin_init!(Asker {
            hand: self.0.clone(),
            account <- new_mutex!(client::Asker::default()),
        });
        KBox::pin_init(asker, GFP_KERNEL)
    }
}

impl OpenFile for Asker {
    const COMMANDS: &'static [u32] = &[ASK, GIVE_BACK, HELD];

    fn command(&self, command: u32, words: &mut [u64]) -> Result {
        match (command, words) {
            (ASK, [kib, deadline_us, got_kib, reason]) => {
                let (got, why) = self.ask(some_pages(*kib)?, *deadline_us)?;
                *got_kib = to_kib(got);
                *reason = why.to_number().into();
            }
            (GIVE_BACK, [kib, given_kib]) => {
                *given_kib = to_kib(self.give_back(some_pages(*kib)?)?);
            }
            (HELD, [kib]) => *kib = to_kib(self.account.lock().held()),
            _ => return Err(ENOTTY),
        }
        Ok(())
    }

    /// `POLLPRI`: memory runs short.
    fn poll(&self, waiter: &Waiter<'_>) -> u32 {
        let automatic = self.automatic();
        waiter.listen(&automatic.pressure_changed);
        if automatic.is_pressed() {
            POLLPRI
        } else {
            0
        }
    }
}

impl Asker {
    fn automatic(&self) -> &Automatic {
        &self.hand.target().0
    }

    fn session(&self) -> &Session {
        &self.automatic().session
    }

    fn ask(&self, pages: u64, deadline_us: u64) -> Result<(u64, client::Reason)> {
        if deadline_us > LONGEST_DEADLINE_US {
            return Err(EINVAL);
        }
        let (got, why) = self.session().request(pages, deadline_us)?;
        self.account.lock().got(got);
        Ok((got, why))
    }

    fn give_back(&self, pages: u64) -> Result<u64> {
        // What another thread of the program gives back meanwhile is not given back twice.
        let mut account = self.account.lock();
        let session = self.session();
        let wanted = account
            .gives_back(pages, &session.holdings())
            .ok_or(EINVAL)?;
        let given = match wanted {
            0 => 0,
            wanted => session.give_back(wanted)?,
        };
        account.gave_back(given, &session.holdings());
        Ok(given)
    }
}

/// The program is gone.
#[pinned_drop]
impl PinnedDrop for Asker {
    fn drop(self: Pin<&mut Self>) {
        let held = self.account.lock().held();
        let given = match held {
            0 => return,
            held => self.give_back(held).unwrap_or(0),
        };
        if given < held {
            self.automatic().adopt(held - given);
            self.hand.want();
        }
    }
}

/// A size in KiB that is not nothing; returns pages.
fn some_pages(kib: u64) -> Result<u64> {
    from_kib(kib).filter(|pages| *pages > 0).ok_or(EINVAL)
}
