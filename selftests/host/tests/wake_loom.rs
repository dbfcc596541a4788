// SPDX-License-Identifier: GPL-2.0

//! Who waits in a front-end is woken, in every order in which Dom0, the interrupt, the channel's thread and the
//! writer of `request_kb` can run: the real client, the real ring, and locks of loom's.

use std::collections::BTreeMap;

use cmm::client::{Client, Event, Holdings, Shell, Task, Ticket, Waiting, Way, Wish};
use cmm::protocol::layout::{Bytes, DOWN, MESSAGE_SIZE, UP};
use cmm::protocol::{Down, GrantReason, RequestReason, Up, Urgency, DEFAULT_DEADLINE_US};
use cmm::ring::{Consumer, Memory, Producer};
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use loom::thread;

const PAGES: u64 = 512;

/// The page, as far as it is used: the indexes, and the first slots of each lane. The words of a slot are relaxed.
struct Page {
    indexes: BTreeMap<usize, AtomicU32>,
    slots: BTreeMap<usize, Vec<AtomicU32>>,
}

impl Page {
    fn new() -> Self {
        let word = || AtomicU32::new(0);
        let indexes = [UP.producer, UP.consumer, DOWN.producer, DOWN.consumer];
        let slots = [
            UP.slot(0),
            UP.slot(1),
            UP.slot(2),
            DOWN.slot(0),
            DOWN.slot(1),
        ];
        Self {
            indexes: indexes.map(|offset| (offset, word())).into(),
            slots: slots
                .map(|offset| (offset, (0..MESSAGE_SIZE / 4).map(|_| word()).collect()))
                .into(),
        }
    }
}

impl Memory for Page {
    fn load_acquire(&self, offset: usize) -> u32 {
        self.indexes[&offset].load(Ordering::Acquire)
    }

    fn store_release(&self, offset: usize, value: u32) {
        self.indexes[&offset].store(value, Ordering::Release);
    }

    fn read(&self, offset: usize, message: &mut Bytes) {
        for (bytes, word) in message.chunks_mut(4).zip(&self.slots[&offset]) {
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
    }

    fn write(&self, offset: usize, message: &Bytes) {
        for (bytes, word) in message.chunks(4).zip(&self.slots[&offset]) {
            let value = u32::from_le_bytes(bytes.try_into().expect("a word"));
            word.store(value, Ordering::Relaxed);
        }
    }
}

/// Events that have been sent and not taken: an event channel's bit, or a thread's flag.
struct Pending {
    bit: Mutex<bool>,
    set: Condvar,
}

impl Pending {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            bit: Mutex::new(false),
            set: Condvar::new(),
        })
    }

    fn send(&self) {
        *self.bit.lock().expect("a lock") = true;
        self.set.notify_one();
    }

    fn take(&self) {
        let mut bit = self.bit.lock().expect("a lock");
        while !*bit {
            bit = self.set.wait(bit).expect("a lock");
        }
        *bit = false;
    }
}

/// The client's end.
struct End {
    page: Arc<Page>,
    to_dom0: Arc<Pending>,
    thread: Arc<Pending>,
}

impl Shell for End {
    type Page = Page;

    fn page(&self) -> &Page {
        &self.page
    }

    fn notify(&self) {
        self.to_dom0.send();
    }

    fn wake_thread(&self) {
        self.thread.send();
    }

    fn is_told_to_cancel(&self) -> bool {
        true
    }
}

struct Session {
    client: Mutex<Client<End>>,
    changed: Condvar,
    thread: Arc<Pending>,
}

impl Session {
    fn client(&self) -> MutexGuard<'_, Client<End>> {
        self.client.lock().expect("a lock")
    }

    fn ask(&self) -> Ticket {
        let wish = Wish {
            pages: PAGES,
            deadline_us: DEFAULT_DEADLINE_US,
            reason: RequestReason::Manual,
            exact: true,
        };
        match self.client().request(&wish, &Holdings::default(), 1) {
            Ok(Way::Dom0(ticket)) => ticket,
            other => panic!("{other:?}"),
        }
    }

    /// The writer, to its request's end.
    fn wait(&self, ticket: Ticket) {
        let mut client = self.client();
        loop {
            match client.look(ticket, true) {
                Waiting::Answered(answer) => {
                    assert_eq!(answer.pages, PAGES);
                    return client.took(ticket, PAGES, PAGES);
                }
                Waiting::On => client = self.changed.wait(client).expect("a lock"),
                other => panic!("{other:?}: {:?}", client.report_fault()),
            }
        }
    }

    /// The interrupt, once.
    fn interrupt(&self, wakes_all: bool) -> Event {
        let event = self.client().event(1);
        if event == Event::Work {
            self.thread.send();
        }
        if event == Event::Some || (event == Event::Work && wakes_all) {
            self.changed.notify_all();
        }
        event
    }

    /// The channel's thread, until it has met a demand.
    fn carry_out(&self) {
        loop {
            self.thread.take();
            let next = self.client().next_demand();
            if let Some((demand, epoch)) = next {
                let task = self.client().admit(epoch, &demand);
                assert!(matches!(task, Some(Task::Give { .. })));
                assert!(self.client().answer(epoch, &demand, demand.pages()));
                return;
            }
        }
    }
}

/// Dom0 answers a request, and makes a demand, in one event or two.
fn dom0(page: &Page, asked: &Pending, event: &Pending, at_once: bool) {
    let (mut up, mut down) = (Consumer::new(UP), Producer::new(DOWN));
    let mut say = |message: Down| down.push(page, &message.encode()).expect("room");
    asked.take();
    let bytes = up
        .pop(page)
        .expect("honest")
        .expect("what the event was for");
    let Up::Request { id, pages, .. } = Up::decode(&bytes).expect("a message") else {
        panic!("another message");
    };
    let reason = GrantReason::Full;
    say(Down::Grant { id, pages, reason });
    if !at_once {
        event.send();
    }
    say(Down::Reclaim {
        id: 1 << 31,
        pages: 1,
        urgency: Urgency::Normal,
    });
    event.send();
}

fn play(at_once: bool, wakes_all: bool) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.max_branches = 10_000;
    model.check(move || {
        let (page, to_dom0, thread) = (Arc::new(Page::new()), Pending::new(), Pending::new());
        let event = Pending::new();
        let mut client = Client::new();
        let (page_too, to_dom0_too) = (page.clone(), to_dom0.clone());
        client
            .begin(End {
                page: page_too,
                to_dom0: to_dom0_too,
                thread: thread.clone(),
            })
            .expect("none yet");
        client.establish().expect("begun");
        let session = Arc::new(Session {
            client: Mutex::new(client),
            changed: Condvar::new(),
            thread,
        });

        let sent = event.clone();
        let dom0 = thread::spawn(move || dom0(&page, &to_dom0, &sent, at_once));
        let at_work = session.clone();
        let work = thread::spawn(move || at_work.carry_out());
        let interrupted = session.clone();
        let interrupts = thread::spawn(move || {
            // Two events may be one. The demand is said last, and only it is work.
            loop {
                event.take();
                if interrupted.interrupt(wakes_all) == Event::Work {
                    return;
                }
            }
        });
        let ticket = session.ask();
        session.wait(ticket);
        for thread in [dom0, work, interrupts] {
            thread.join().expect("it ends");
        }
    });
}

#[test]
fn whoever_waits_is_woken() {
    play(false, true);
    play(true, true);
}

/// Shows that the test above can fail: an interrupt that wakes the thread only.
#[test]
#[should_panic(expected = "deadlock")]
fn an_interrupt_that_wakes_the_thread_only_is_caught() {
    play(true, false);
}
