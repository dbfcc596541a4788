// SPDX-License-Identifier: GPL-2.0

//! Memory: the domain settles with Dom0, and what it cannot settle is the balloon driver's.

use crate::{
    pages::{
        kernel_memory,
        Pages, //
    },
    session::{
        Session,
        SHORTLY, //
    }, //
};
use cmm::{
    client::{
        is_restorable,
        plan,
        plan_frozen,
        take_again,
        HandedOver,
        Step, //
    },
    timing::Stopwatch, //
};
use core::str::FromStr;
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};
use xen::{
    frames,
    timer::now,
    trace,
    xenstore::{
        self,
        Transaction, //
    }, //
};

/// Where the balance that was handed over to the balloon driver is written down, for the driver of
/// the next device: the device's own directory may go with it.
const HANDED_OVER: (&CStr, &CStr) = (c"data", c"cmm-balance");
const DEFERRED: (&CStr, &CStr) = (c"data", c"cmm-deferred");

/// What an earlier driver has handed over, if that can be.
pub(crate) fn handed_over() -> HandedOver {
    match read_handed_over() {
        Ok(left) if left.is_possible(frames::present() as u64) => left,
        _ => {
            pr_warn!("what an earlier driver has left in xenstore is nonsense, and ignored\n");
            HandedOver::default()
        }
    }
}

fn read_handed_over() -> Result<HandedOver> {
    Ok(HandedOver {
        balance: read_or_zero(HANDED_OVER)?,
        deferred: read_or_zero(DEFERRED)?,
    })
}

fn read_or_zero<T: FromStr + Default>((dir, node): (&CStr, &CStr)) -> Result<T> {
    match xenstore::read_number(dir, node) {
        Err(ENOENT) => Ok(T::default()),
        found => found,
    }
}

impl Session {
    /// Gives back what was borrowed and takes back what was lent, as far as possible.
    pub(crate) fn settle(&self) {
        self.put_away();
        self.client.lock().stop_recalling();
        let is_open = self.client.lock().is_open();
        let before = self.balance.load(Relaxed);
        if is_open {
            self.step(plan(&self.holdings()), Self::release);
        }
        trace::front_settle(before, self.balance.load(Relaxed));
    }

    /// As [`Session::settle`], as far as that takes but a moment and waits for nobody: what was borrowed
    /// goes back, and Dom0 is told.
    pub(crate) fn settle_shortly(&self) {
        self.put_away();
        self.client.lock().stop_recalling();
        let is_open = self.client.lock().is_open();
        let borrowed = self.holdings().borrowed();
        if is_open && borrowed > 0 {
            let before = self.balance.load(Relaxed);
            let until = now() + u64::from(SHORTLY) * 1_000_000;
            // What cannot be had so soon the balloon driver gives back.
            let _ = self.give_back_until(until, borrowed);
            trace::front_settle(before, self.balance.load(Relaxed));
        }
        self.disconnect();
    }

    /// As [`Session::settle`], in a domain whose processes are all frozen. Returns the balance that is
    /// left, or would be: if that is too much, all is as before, for the domain goes on.
    pub(crate) fn settle_frozen(&self) -> i64 {
        self.put_away();
        self.client.lock().stop_recalling();
        let (has, available) = (self.holdings(), kernel_memory().givable());
        let stage = self.client.lock().stage();
        let step = match plan_frozen(&has, available, stage) {
            Ok(step) => step,
            Err(least) => return least,
        };
        self.step(step, Self::release_frozen);
        let left = self.balance.load(Relaxed);
        if !is_restorable(left) {
            // The kernel could spare less than it said.
            let _ = self.take_again(take_again(has.balance, left));
        }
        trace::front_settle(has.balance, left);
        left
    }

    fn step(&self, step: Option<Step>, release: fn(&Self, u64) -> Result) {
        let result = match step {
            None => Ok(()),
            Some(Step::Release(pages)) => release(self, pages),
            Some(Step::TakeBack(_)) => {
                self.give_up_readahead();
                self.take_again(self.holdings().lent())
            }
            Some(Step::GiveUnheard(_)) => {
                self.give_unheard();
                Ok(())
            }
        };
        if let Err(err) = result {
            pr_info!("could not settle with Dom0: {:?}\n", err);
        }
    }

    fn give_unheard(&self) {
        self.change(|memory| {
            // A connection made meanwhile has made its claim.
            if !self.client.lock().stage().has_claimed() {
                memory.give_readahead(u64::MAX, &mut Stopwatch::default());
                memory.give_frozen(memory.holdings().borrowed());
            }
        });
    }

    /// Makes what is not settled the stock balloon driver's business, for good: nobody knows of it
    /// any more.
    pub(crate) fn write_off(&self) {
        note(HandedOver::default());
        self.hand_over();
    }

    /// As [`Session::write_off`], until the next driver takes it back.
    pub(crate) fn leave(&self) {
        note(self.hand_over());
    }

    fn hand_over(&self) -> HandedOver {
        let handed_over = self.change(Pages::hand_over);
        let balance = handed_over.balance;
        if balance != 0 {
            pr_warn!(
                "{} KiB {} left to the balloon driver\n",
                cmm::pages::to_kib(balance.unsigned_abs()),
                if balance > 0 {
                    "borrowed, not given back,"
                } else {
                    "lent, not had back,"
                },
            );
        }
        handed_over
    }
}

fn note(handed_over: HandedOver) {
    let HandedOver { balance, deferred } = handed_over;
    let noted = Transaction::run(|transaction| {
        let (dir, node) = HANDED_OVER;
        transaction.write(dir, node, format_args!("{balance}"))?;
        let (dir, node) = DEFERRED;
        transaction.write(dir, node, format_args!("{deferred}"))
    });
    if noted.is_err() {
        pr_warn!("cannot leave the balance in xenstore\n");
    }
}
