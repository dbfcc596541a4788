// SPDX-License-Identifier: GPL-2.0

//! Nobody's event is lost, a channel is not masked for good, and its handler is not called while its thread has what it
//! left: in every order in which a peer, Linux's interrupt, the channel's thread and whoever wakes that can run. The real
//! protocol, as the modules have it; of loom are the words, and what Linux does with the channel.

#[path = "../../../rust/xen/late_eoi.rs"]
mod late_eoi;

use late_eoi::{LateEoi, Outcome, Word};
use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicU32;
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use loom::thread;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize};

impl Word for AtomicU32 {
    fn load(&self) -> u32 {
        self.load(Acquire)
    }

    fn store(&self, value: u32) {
        self.store(value, Release);
    }

    fn swap(&self, value: u32) -> u32 {
        self.swap(value, AcqRel)
    }

    fn replace(&self, from: u32, to: u32) -> bool {
        let (ok, fails) = (AcqRel, Acquire);
        self.compare_exchange(from, to, ok, fails).is_ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("a lock")
}

/// Whether somebody is to run once more, until nobody is to any more.
#[derive(Default)]
struct Runs {
    /// Once more; no more after that.
    wanted: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl Runs {
    fn again(&self) {
        lock(&self.wanted).0 = true;
        self.changed.notify_one();
    }

    fn end(&self) {
        lock(&self.wanted).1 = true;
        self.changed.notify_one();
    }

    fn next(&self) -> bool {
        let mut wanted = lock(&self.wanted);
        while *wanted == (false, false) {
            wanted = self.changed.wait(wanted).expect("a lock");
        }
        std::mem::take(&mut wanted.0)
    }
}

/// A channel, to Linux.
#[derive(Default)]
struct Port {
    pending: bool,
    masked: bool,
}

/// How much the peer has said, how much of that has been done, and of what somebody else wants done.
#[derive(Default)]
struct Books {
    said: u32,
    done: u32,
    done_besides: u32,
}

/// What the handler does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// All.
    Itself,
    /// Nothing: it has all to itself that it leaves to its thread.
    Leaves,
    /// One thing; the rest it leaves.
    Portions,
    /// It looks what there is, and has the thread do it.
    Listens,
    /// It finds that the peer breaks the protocol.
    Mutes,
    /// Its thread does.
    ThreadMutes,
}
use Style::*;

/// What somebody gets wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// Who wants the thread has it woken, and says so afterwards.
    WakesFirst,
    /// Nobody tells Linux the end.
    NoEnd,
    /// Linux is told the end before the thread has done what it was left.
    EndsFirst,
    /// The thread is not woken.
    NoWake,
}

/// A case.
#[derive(Clone, Copy)]
struct Case {
    style: Style,
    /// Linux has a thread call the handler (`threadirqs`).
    forced: bool,
    /// Somebody wakes the thread, with work that no lock guards.
    wakes: bool,
    mistake: Mistake,
}

struct Channel {
    case: Case,
    eoi: LateEoi<AtomicU32>,
    port: Mutex<Port>,
    handler: Runs,
    thread: Runs,
    books: Mutex<Books>,
    /// There is something else to do, which no lock guards.
    wanted: AtomicU32,
    /// What handler and thread need no lock for if the one leaves it to the other.
    alone: UnsafeCell<u32>,
    /// Who looks on sees, whatever the threads do: the handler has left something that the thread has not done.
    left: AtomicBool,
    /// How often the handler was called.
    calls: AtomicUsize,
}

const SAID: u32 = 2;

impl Channel {
    fn new(case: Case) -> Self {
        let word = || AtomicU32::new(0);
        Self {
            case,
            eoi: LateEoi::new(word(), word()),
            port: Mutex::default(),
            handler: Runs::default(),
            thread: Runs::default(),
            books: Mutex::default(),
            wanted: word(),
            alone: UnsafeCell::new(0),
            left: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
        }
    }

    /// The peer says something, and sends an event.
    fn say(&self) {
        lock(&self.books).said += 1;
        let mut port = lock(&self.port);
        let comes = !port.masked;
        port.pending |= !comes;
        port.masked = true;
        drop(port);
        if comes {
            assert!(!self.is_left(), "an event comes before the thread is done");
            self.handler.again();
        }
    }

    /// Whoever wakes the thread has it run beside the handler.
    fn is_left(&self) -> bool {
        self.left.load(SeqCst) && !self.case.wakes
    }

    /// Linux is told the end.
    fn end(&self, spurious: bool) {
        if self.case.mistake == Mistake::NoEnd {
            return;
        }
        let mut port = lock(&self.port);
        let was_masked = port.masked;
        let comes = std::mem::take(&mut port.pending);
        port.masked = comes;
        drop(port);
        // Where a thread calls the handler it cannot know that there was no event.
        assert!(
            was_masked || !spurious || self.case.forced,
            "no event is called spurious"
        );
        if comes {
            self.handler.again();
        }
    }

    /// Somebody has work for the thread.
    fn wake(&self) {
        self.wanted.store(1, Relaxed);
        let wake = || {
            if self.case.forced {
                self.handler.again();
            } else {
                self.thread.again();
            }
        };
        if self.case.mistake == Mistake::WakesFirst {
            wake();
            self.eoi.ask();
        } else {
            self.eoi.ask();
            wake();
        }
    }

    /// Does `most` of what has been said; returns how much that is, and whether there is more.
    fn hear(&self, most: u32) -> (u32, bool) {
        let mut books = lock(&self.books);
        let left = books.said - books.done;
        let now = left.min(most);
        books.done += now;
        (now, left > now)
    }

    /// What there may be no lock for.
    fn use_alone(&self) {
        if !self.case.wakes {
            // Loom says so if one does not know what the other did.
            self.alone.with_mut(|_| ());
        }
    }

    fn handle(&self) -> Outcome {
        self.calls.fetch_add(1, SeqCst);
        match self.case.style {
            Itself => match self.hear(SAID) {
                (0, _) => Outcome::Spurious,
                _ => Outcome::Handled,
            },
            Leaves | ThreadMutes => {
                self.use_alone();
                self.left.store(true, SeqCst);
                Outcome::WakeThread
            }
            Portions => match self.hear(1) {
                (_, true) => Outcome::WakeThread,
                (0, _) => Outcome::Spurious,
                _ => Outcome::Handled,
            },
            Listens => {
                let books = lock(&self.books);
                if books.done < books.said {
                    Outcome::WakeThreadAndListen
                } else {
                    Outcome::Spurious
                }
            }
            Mutes => Outcome::Mute,
        }
    }

    fn work(&self) -> Outcome {
        if self.wanted.load(Relaxed) == 1 {
            self.wanted.store(0, Relaxed);
            lock(&self.books).done_besides += 1;
        }
        let heard = match self.case.style {
            ThreadMutes => return Outcome::Mute,
            Mutes => return Outcome::Handled,
            Leaves => {
                self.use_alone();
                self.left.store(false, SeqCst);
                self.hear(SAID)
            }
            Portions => self.hear(1),
            Itself | Listens => self.hear(SAID),
        };
        match heard {
            (_, true) => Outcome::WakeThread,
            (0, _) => Outcome::Spurious,
            _ => Outcome::Handled,
        }
    }

    /// What Linux calls the handler in.
    fn interrupts(&self) {
        while self.handler.next() {
            let handle = || {
                let outcome = self.handle();
                if self.case.mistake == Mistake::EndsFirst {
                    self.end(false);
                }
                outcome
            };
            let wakes = self.eoi.handle(handle, |spurious| self.end(spurious));
            if wakes && self.case.mistake != Mistake::NoWake {
                self.thread.again();
            }
        }
    }

    fn works(&self) {
        while self.thread.next() {
            self.eoi.run(|| self.work(), |spurious| self.end(spurious));
        }
    }
}

fn play(case: Case) {
    let mut model = loom::model::Builder::new();
    // That is the case with most steps.
    let is_long = case.style == Portions && case.wakes;
    model.preemption_bound = Some(if is_long { 1 } else { 2 });
    model.max_branches = 10_000;
    model.check(move || {
        let channel = Arc::new(Channel::new(case));
        let spawn = |run: fn(&Channel)| {
            let channel = channel.clone();
            thread::spawn(move || run(&channel))
        };
        let interrupts = spawn(Channel::interrupts);
        let works = spawn(Channel::works);
        let wakes = case.wakes.then(|| spawn(Channel::wake));
        for _ in 0..SAID {
            channel.say();
        }
        if let Some(wakes) = wakes {
            wakes.join().expect("it ends");
        }
        channel.handler.end();
        interrupts.join().expect("it ends");
        channel.thread.end();
        works.join().expect("it ends");
        // What the one had for the other at the end.
        while lock(&channel.handler.wanted).0 || lock(&channel.thread.wanted).0 {
            channel.interrupts();
            channel.works();
        }

        let masked = lock(&channel.port).masked;
        let books = std::mem::take(&mut *lock(&channel.books));
        if matches!(case.style, Mutes | ThreadMutes) {
            assert!(masked, "a muted channel is unmasked");
            assert!(
                channel.calls.load(SeqCst) <= 1,
                "a muted channel's handler is called"
            );
        } else {
            assert!(!masked, "the channel is masked for good");
            assert_eq!(books.done, SAID, "an event is lost");
            assert_eq!(
                books.done_besides,
                u32::from(case.wakes),
                "a wake-up is lost"
            );
        }
    });
}

fn play_all(style: Style) {
    for (forced, wakes) in [(false, false), (false, true), (true, false), (true, true)] {
        play(Case {
            style,
            forced,
            wakes,
            mistake: Mistake::None,
        });
    }
}

#[test]
fn a_handler_that_does_all_hears_all() {
    play_all(Itself);
}

#[test]
fn a_thread_that_has_all_left_to_it_hears_all_and_nobody_else() {
    play_all(Leaves);
}

#[test]
fn a_handler_that_does_a_part_leaves_the_rest() {
    play_all(Portions);
}

#[test]
fn a_handler_that_listens_has_its_thread_do_all() {
    play_all(Listens);
}

#[test]
fn a_muted_channel_stays_so() {
    play_all(Mutes);
    play_all(ThreadMutes);
}

fn play_mistake(style: Style, forced: bool, mistake: Mistake) {
    play(Case {
        style,
        forced,
        wakes: mistake == Mistake::WakesFirst,
        mistake,
    });
}

/// These show that the tests above can fail.
#[test]
#[should_panic(expected = "a wake-up is lost")]
fn a_thread_that_is_woken_before_it_is_asked_for_is_caught() {
    play_mistake(Itself, true, Mistake::WakesFirst);
}

#[test]
#[should_panic(expected = "masked for good")]
fn an_end_that_nobody_tells_is_caught() {
    play_mistake(Itself, false, Mistake::NoEnd);
}

#[test]
#[should_panic(expected = "no event is called spurious")]
fn an_end_that_is_told_too_soon_is_caught() {
    play_mistake(Leaves, false, Mistake::EndsFirst);
}

#[test]
#[should_panic(expected = "masked for good")]
fn a_thread_that_nobody_wakes_is_caught() {
    play_mistake(Leaves, false, Mistake::NoWake);
}
