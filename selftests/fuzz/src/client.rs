// SPDX-License-Identifier: GPL-2.0

//! A front-end's client, with a Dom0 that says and writes anything, and a shell that does anything it may.
//!
//! Whatever comes: tables stay within their bounds, no more is taken on credit than there is, each question is answered
//! once at most, and what is written are messages.

use cmm::client::{
    Client, Demand, Figures, Holdings, Outcome, Shell, Stage, Task, Ticket, Way, Wish,
    MAX_READAHEAD,
};
use cmm::protocol::layout::{DOWN, MESSAGE_SIZE, PAGE_SIZE};
use cmm::protocol::{
    Down, GrantReason, RequestReason, Up, Urgency, COORDINATOR_ID, MAX_ASKS, MAX_REQUESTS,
};
use cmm_host_tests::guest::{Guest, Wire};

use crate::input::Input;
use crate::ring::{scribble, write};

/// A client, and what its shell is at.
#[derive(Default)]
struct Play {
    guest: Guest,
    now: u64,
    has: Holdings,
    waiting: Vec<Ticket>,
    begun: Vec<(Demand, u32)>,
    released: Vec<Ticket>,
    /// Of this connection: what Dom0 has said, and the client has answered.
    asked: usize,
    answered: usize,
    /// Of this connection: the credit that Dom0 has given.
    credit: u64,
    /// Dom0 has written elsewhere than it may: what is in the lanes says nothing.
    scribbled: bool,
}

/// Plays what the bytes describe.
pub fn client(data: &[u8]) {
    let mut input = Input(data);
    let mut play = Play::default();
    while !input.is_empty() {
        play.now += input.number() % (1 << 40);
        play.step(&mut input);
        play.check();
    }
}

impl Play {
    fn client(&mut self) -> &mut Client<Wire> {
        &mut self.guest.client
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.u8() % 18 {
            0 => self.connect(),
            1 => {
                let _ = self.client().establish();
            }
            2 => drop(self.guest.hang_up()),
            3 if input.u8() % 4 == 0 => self.cancel_recalled(input),
            3..=5 => self.say(input),
            6 => self.write(input),
            7 | 8 => {
                let now = self.now;
                self.client().drain(now);
            }
            9 => self.request(input),
            10 => self.collect(input),
            11 => self.give_up(input),
            12 => self.begin_demand(),
            13 => self.end_demand(input),
            14 => self.release(input),
            15 => self.tick(input),
            16 => self.turn_knobs(input),
            _ => self.read(),
        }
    }

    fn connect(&mut self) {
        if matches!(self.client().stage(), Stage::Opening | Stage::Open) {
            return;
        }
        self.guest.begin();
        (self.asked, self.answered, self.credit) = (0, 0, 0);
        self.scribbled = false;
    }

    /// Dom0 says something that is a message.
    fn say(&mut self, input: &mut Input<'_>) {
        let id = COORDINATOR_ID | u32::from(input.u8());
        let pages = input.number().clamp(1, 1 << 28);
        let down = match input.u8() % 8 {
            0..=2 => Down::Grant {
                // Serials count from 1.
                id: u32::from(input.u8()) + 1,
                pages,
                reason: GrantReason::NoDonor,
            },
            3 => Down::Reclaim {
                id,
                pages,
                urgency: Urgency::Normal,
            },
            4 => Down::Give { id, pages },
            5 => Down::Revoke { id, pages },
            // As the coordinator's settings have it, the sum is a number that a message can name.
            6 => Down::Credit {
                pages: pages.min(1 << 16),
            },
            _ => Down::Limits {
                floor: 0,
                ceiling: pages,
            },
        };
        if self.guest.say(&down).is_ok() {
            match down {
                Down::Credit { pages } => self.credit += pages,
                Down::Limits { .. } => {}
                _ => self.asked += 1,
            }
        }
    }

    /// Dom0 writes into the page.
    fn write(&mut self, input: &mut Input<'_>) {
        self.scribbled = true;
        let page = self.guest.wire.page();
        if input.u8() % 2 == 0 {
            scribble(page, DOWN, input);
        } else {
            let offset = usize::from(input.u16()) % (PAGE_SIZE - MESSAGE_SIZE);
            write(page, offset, &input.u64().to_le_bytes());
        }
    }

    fn request(&mut self, input: &mut Input<'_>) {
        let wish = Wish {
            pages: input.number().clamp(1, 1 << 28),
            deadline_us: input.number(),
            reason: RequestReason::Manual,
            exact: input.u8() % 2 == 0,
        };
        let (has, now) = (self.has, self.now);
        match self.client().request(&wish, &has, now) {
            Ok(Way::Dom0(ticket)) => self.waiting.push(ticket),
            Ok(Way::Credit { epoch }) => {
                let drawn = input.number().min(wish.pages);
                self.client().drew(epoch, wish.pages, drawn);
            }
            Ok(Way::Readahead) => self.has.readahead -= wish.pages,
            Err(_) => {}
        }
    }

    /// One of those who wait looks whether there is an answer, and takes what was granted.
    fn collect(&mut self, input: &mut Input<'_>) {
        let Some(ticket) = pick(&mut self.waiting, input) else {
            return;
        };
        let is_over = self.client().is_over(ticket);
        let outcome = self.client().outcome(ticket);
        assert_eq!(is_over, outcome.is_some());
        match outcome {
            None => self.waiting.push(ticket),
            Some(Outcome::Lost) => assert_eq!(self.client().outcome(ticket), None),
            Some(Outcome::Answered(answer)) => {
                let taken = input.number().min(answer.pages);
                self.client().took(ticket, answer.pages, taken);
                assert_eq!(
                    self.client().outcome(ticket),
                    None,
                    "it has come to its end"
                );
            }
        }
    }

    fn give_up(&mut self, input: &mut Input<'_>) {
        let Some(ticket) = pick(&mut self.waiting, input) else {
            return;
        };
        if self.client().is_over(ticket) {
            self.waiting.push(ticket);
        } else {
            self.client().give_up(ticket);
        }
    }

    fn begin_demand(&mut self) {
        if let Some(begun) = self.client().next_demand() {
            self.begun.push(begun);
        }
    }

    fn end_demand(&mut self, input: &mut Input<'_>) {
        let Some((demand, epoch)) = pick(&mut self.begun, input) else {
            return;
        };
        let Some(task) = self.client().admit(epoch, &demand) else {
            assert!(!self.client().answer(epoch, &demand, 0), "nobody asks");
            return;
        };
        let pages = match task {
            Task::Give { pages, .. } | Task::Take { pages } => input.number().min(pages),
            Task::PutAway { returned, .. } => returned,
        };
        assert!(pages <= demand.pages());
        self.client().answer(epoch, &demand, pages);
    }

    fn release(&mut self, input: &mut Input<'_>) {
        let (has, pages) = (self.has, input.number().clamp(1, 1 << 28));
        if let Ok(ticket) = self.client().release(pages, &has) {
            assert!(pages <= has.borrowed());
            self.released.push(ticket);
        }
        let Some(ticket) = pick(&mut self.released, input) else {
            return;
        };
        if input.u8() % 8 == 0 {
            self.client().stalled(ticket);
        } else {
            let _ = self.client().released(ticket, pages);
        }
    }

    fn tick(&mut self, input: &mut Input<'_>) {
        let figures = Figures {
            has: self.has,
            spare: input.number(),
            committed: 0,
            above_target: i64::from(input.u8()) - 128,
            total_ram: 1 << 20,
            moves: u32::from(input.u8()),
            has_leftovers: self.has.readahead > 0,
            busy: self.now,
        };
        let now = self.now;
        let again = self.client().tick(&figures, now);
        assert_eq!(again.is_some(), self.client().stage().has_claimed());
    }

    fn turn_knobs(&mut self, input: &mut Input<'_>) {
        match input.u8() % 6 {
            0 => {
                let limit = input.number().min(MAX_READAHEAD);
                self.client().set_readahead_limit(limit);
            }
            1 => {
                let suspending = input.u8() % 2 == 0;
                self.client().set_suspending(suspending);
            }
            2 => {
                let _ = self.client().report_fault();
            }
            3 => {
                if let Some(wanted) = self.client().prepopulate() {
                    let lacking = wanted - input.number().min(wanted);
                    self.client().fell_short(lacking);
                }
            }
            4 => self.client().fell_short(u64::MAX),
            _ => {
                let borrowed = input.number().min(1 << 28);
                self.has = Holdings {
                    baseline: 1 << 20,
                    balance: borrowed as i64,
                    readahead: input.number().min(borrowed),
                    deferred: 0,
                };
                if input.u8() % 4 == 0 {
                    self.has.balance = -self.has.balance;
                    self.has.deferred = std::mem::take(&mut self.has.readahead);
                }
            }
        }
    }

    /// The shell's thread looks whether anything was paid back, or the shell settles.
    fn cancel_recalled(&mut self, input: &mut Input<'_>) {
        if input.u8() % 4 == 0 {
            self.client().stop_recalling();
        } else if let Some((ticket, granted)) = self.client().next_recalled() {
            let cancelled = input.number().min(granted);
            self.client().took(ticket, granted, cancelled);
        }
    }

    /// Dom0 reads what there is.
    fn read(&mut self) {
        while let Ok(Some(bytes)) = self.guest.receive() {
            if self.scribbled {
                continue;
            }
            match Up::decode(&bytes).expect("a message") {
                Up::Offered { .. } | Up::Took { .. } => self.answered += 1,
                _ => {}
            }
        }
        assert!(
            self.scribbled || self.answered <= self.asked,
            "answered twice"
        );
    }

    fn check(&self) {
        let client = &self.guest.client;
        assert!(client.open_requests() <= MAX_REQUESTS);
        assert!(client.open_demands() <= MAX_ASKS);
        let credit = client.credit().saturating_add(client.untold());
        assert!(
            self.scribbled || credit <= self.credit,
            "more than there was"
        );
    }
}

/// Takes one out.
fn pick<T>(all: &mut Vec<T>, input: &mut Input<'_>) -> Option<T> {
    let which = usize::from(input.u8());
    (!all.is_empty()).then(|| all.swap_remove(which % all.len()))
}
