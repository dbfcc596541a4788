// SPDX-License-Identifier: GPL-2.0

//! Locks: the domain asks for memory before it runs out, and gives back what it does not need.
//!
//! While something runs, a timer has the policy look at the kernel's numbers. What is to be done a
//! thread of our own does; it also looks when nothing runs, as long as the domain has what it got
//! in this way.

use crate::{
    session::Session,
    tracing, //
};
use cmm::client::{
    Auto,
    Move,
    Rescues,
    Sample,
    Tally,
    Wish, //
};
use kernel::{
    new_mutex,
    new_poll_condvar,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        poll::PollCondVar,
        Arc,
        Mutex, //
    }, //
};
use xen::{
    awake_timer::WhileAwake,
    balloon,
    oom::WithReserves,
    series::{
        new_spinlock_irq,
        SpinLockIrq, //
    },
    timer::now,
    trace,
    vmstat::Figures,
    worker::{
        Work,
        Worker, //
    }, //
};

/// How often to see whether there is anything to look at, in ns: if the domain is to do nothing, and
/// while memory is being moved.
const LATER: u64 = 1_000_000_000;
const SOON: u64 = 4_000_000;

/// What the domain does by itself, shared by all who have a part in it.
#[pin_data]
pub(crate) struct Automatic {
    pub(crate) session: Arc<Session>,
    /// Whether somebody wants it at all.
    enabled: Atomic<bool>,
    /// Nothing is begun: the domain settles, or is not connected.
    paused: Atomic<bool>,
    /// Held while something is done.
    #[pin]
    acting: Mutex<()>,
    /// What decides. Taken in interrupt context; no other lock is taken inside.
    #[pin]
    policy: SpinLockIrq<Auto>,
    /// Whether memory runs short, as the policy saw it last.
    pressed: Atomic<bool>,
    /// Notified when it does.
    #[pin]
    pub(crate) pressure_changed: PollCondVar,
    /// The thread does something: what that changes, the policy has not been told yet.
    busy: Atomic<bool>,
    /// How often the thread ran: a CPU was woken for that, perhaps.
    woken: Atomic<u64>,
    /// How often a process was saved from being killed, and how often not. As `policy`.
    #[pin]
    pub(crate) rescues: SpinLockIrq<Rescues>,
}

impl Automatic {
    /// It is paused at first.
    pub(crate) fn new(session: Arc<Session>, enabled: bool) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                session,
                enabled: Atomic::new(enabled),
                paused: Atomic::new(true),
                acting <- new_mutex!(()),
                policy <- new_spinlock_irq!(Auto::new()),
                pressed: Atomic::new(false),
                pressure_changed <- new_poll_condvar!(),
                busy: Atomic::new(false),
                woken: Atomic::new(0),
                rescues <- new_spinlock_irq!(Rescues::new()),
            }),
            GFP_KERNEL,
        )
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(Relaxed)
    }

    pub(crate) fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Relaxed);
    }

    /// Whether anything may be done now.
    pub(crate) fn is_on(&self) -> bool {
        self.is_enabled() && !self.paused.load(Relaxed)
    }

    pub(crate) fn resume(&self) {
        self.paused.store(false, Relaxed);
    }

    /// Begins nothing more.
    pub(crate) fn forbid(&self) {
        self.paused.store(true, Relaxed);
    }

    /// Begins nothing more, and waits for the end of what was begun.
    pub(crate) fn pause(&self) {
        self.forbid();
        drop(self.acting.lock());
    }

    /// What it did, and how fast memory is being used up, in pages a second.
    pub(crate) fn tally(&self) -> (Tally, u64) {
        let policy = self.policy.lock();
        (policy.tally(), policy.rate())
    }

    /// Whether memory runs short.
    pub(crate) fn is_pressed(&self) -> bool {
        self.pressed.load(Relaxed)
    }

    /// Gives back what somebody had asked for who is gone, when it is idle.
    pub(crate) fn adopt(&self, pages: u64) {
        self.policy.lock().adopt(pages);
    }

    /// How often the thread ran.
    pub(crate) fn woken(&self) -> u64 {
        self.woken.load(Relaxed)
    }

    /// What a request of ours brought.
    pub(crate) fn asked(&self, got: u64, borrowed: u64) {
        self.policy.lock().asked(got, borrowed, now());
    }

    /// What is to be done, and in how many ns to look again: while something runs, and in any case. Whoever
    /// `acts` does it, and it is shown.
    fn look(&self, acts: bool) -> (Move, u64, Option<u64>) {
        if !balloon::is_at_target() {
            return (Move::Rest, LATER, None);
        }
        // Pages that are on their way are in none of the counters.
        if self.busy.load(Relaxed) || self.session.is_changing() {
            return (Move::Rest, SOON, None);
        }
        let figures = Figures::read();
        let sample = Sample {
            total: figures.total as u64,
            free: figures.free as u64,
            available: figures.available as u64,
            file: figures.file as u64,
            reclaimable: figures.reclaimable as u64,
            moves: self.session.moves.load(Relaxed),
        };
        let has = self.session.holdings();
        let room = self.session.client.lock().room_by_itself(&has);
        let (step, next, pressed) = {
            let mut policy = self.policy.lock();
            let (step, next) = policy.look(&sample, &has, room, now());
            if trace::front_auto_is_on() && acts && self.is_on() {
                tracing::by_itself(step, &sample, policy.wanted(sample.total), policy.rate());
            }
            (step, next, policy.is_pressed())
        };
        if self.pressed.xchg(pressed, Relaxed) != pressed {
            self.pressure_changed.notify_all();
        }
        // Who is to do nothing by itself tells programs how it fares all the same.
        if self.is_on() {
            (step, next.awake, next.asleep)
        } else {
            (Move::Rest, next.awake, None)
        }
    }

    fn act(&self, step: Move) {
        match step {
            Move::Rest => (),
            Move::Ask { pages, own } => {
                let _reserves = WithReserves::begin();
                let wish = Wish::by_itself(pages, own);
                let got = self.session.meet_by_itself(&wish).unwrap_or(0);
                self.asked(got, if own { 0 } else { got });
                self.rescues.lock().came(got);
            }
            Move::GiveBack { pages } => {
                let given = self.session.give_back(pages).unwrap_or(0);
                self.policy.lock().gave_back(given, now());
            }
        }
    }
}

/// Does what the policy says.
pub(crate) struct Hand(pub(crate) Arc<Automatic>);

impl Work for Hand {
    fn work(&self) -> Option<u64> {
        self.0.woken.add(1, Relaxed);
        loop {
            let acting = self.0.acting.lock();
            let (step, _, asleep) = self.0.look(true);
            self.0.busy.store(true, Relaxed);
            self.0.act(step);
            self.0.busy.store(false, Relaxed);
            drop(acting);
            if step == Move::Rest {
                return asleep;
            }
        }
    }
}

/// Has the policy look while something runs.
pub(crate) struct Watch(pub(crate) Arc<Worker<Hand>>);

impl WhileAwake for Watch {
    fn look(&self) -> u64 {
        let (step, awake, _) = self.0.target().0.look(false);
        if step != Move::Rest {
            self.0.want();
        }
        awake
    }
}
