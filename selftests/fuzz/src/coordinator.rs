// SPDX-License-Identifier: GPL-2.0

//! Any sequence of events, with hands that say anything: the books balance after each.

use cmm::coordinator::{
    Activity, Coordinator, Entry, Event, Gone, Host, Limits, Policy, Record, Reservation,
    SendError, Settings,
};
use cmm::protocol::{Down, RequestReason, Up, Violation};
use cmm::DomId;

use crate::input::Input;

/// How many domains there may be, and how many there is room for.
const DOMAINS: u8 = 8;
const ROOM: usize = 6;

/// Hands that are told by the fuzzer how it goes.
#[derive(Default)]
struct Hands {
    sizes: [Option<Reservation>; DOMAINS as usize],
    full: bool,
    free: Option<u64>,
    /// Questions that a front-end may answer.
    open: Vec<(DomId, Down)>,
}

fn index(dom: DomId) -> usize {
    usize::from(dom.raw())
}

impl Host for Hands {
    fn send(&mut self, dom: DomId, message: &Down) -> Result<(), SendError> {
        assert_eq!(Down::decode(&message.encode()), Ok(*message));
        if self.full {
            return Err(SendError::Full);
        }
        self.open.push((dom, *message));
        Ok(())
    }

    fn reservation(&mut self, dom: DomId) -> Option<Reservation> {
        self.sizes[index(dom)]
    }

    fn free_pages(&mut self) -> Option<u64> {
        self.free
    }

    fn activity(&mut self, dom: DomId) -> Option<Activity> {
        let all = [
            Activity::Running,
            Activity::Blocked,
            Activity::Waiting,
            Activity::Paused,
        ];
        self.sizes[index(dom)].map(|size| all[(size.current % 4) as usize])
    }

    fn boost(&mut self, dom: DomId) {
        assert_eq!(self.activity(dom), Some(Activity::Waiting));
    }

    fn set_maximum(&mut self, dom: DomId, pages: u64) -> Result<(), Gone> {
        let size = self.sizes[index(dom)].as_mut().ok_or(Gone)?;
        size.maximum = pages;
        Ok(())
    }

    fn disconnect(&mut self, dom: DomId, why: Violation) {
        assert!(!why.to_string().is_empty());
        self.open.retain(|(other, _)| *other != dom);
    }
}

/// Plays the events that the bytes describe.
pub fn coordinator(data: &[u8]) {
    let mut input = Input(data);
    let settings = Settings {
        pool: input.number(),
        reserve: input.number(),
        credit: input.number(),
        request_rate: input.u8().into(),
        ..Settings::default()
    };
    let mut coordinator = Coordinator::new(vec![Entry::default(); ROOM], settings);
    let mut hands = Hands::default();
    let mut now = 0u64;
    while !input.is_empty() {
        now = now.saturating_add(input.number().saturating_mul(1 << (input.u8() % 24)));
        let Some(event) = event(&mut input, &mut hands) else {
            continue;
        };
        if let Event::Up { up, .. } = event {
            // The coordinator is never told of what decoding refuses.
            if Up::decode(&up.encode()).is_err() {
                continue;
            }
        }
        let _ = coordinator.handle(event, now, &mut hands);
        coordinator.check().expect("the books balance");
        for view in coordinator.domains() {
            let record = coordinator.record(view.dom).expect("known");
            let _ = (record.to_string(), view.baseline());
        }
    }
}

fn event(input: &mut Input<'_>, hands: &mut Hands) -> Option<Event> {
    let kind = input.u8() % 22;
    let dom = DomId::new(u16::from(input.u8() % DOMAINS))?;
    let up = |up| Event::Up { dom, up };
    Some(match kind {
        0 => {
            let size = Reservation {
                current: input.number(),
                maximum: input.number(),
            };
            hands.sizes[index(dom)] = (input.u8() != 0).then_some(size);
            return None;
        }
        1 => {
            let how = input.u8();
            hands.full = how % 2 == 1;
            hands.free = (how & 2 != 0).then_some(u64::from(how >> 2));
            return None;
        }
        2 => attach(dom, input),
        3 => Event::Detach { dom },
        4 => Event::Died { dom },
        5 => up(Up::Request {
            id: u32::from(input.u8() % 16) + 1,
            pages: input.number(),
            deadline_us: input.number(),
            reason: RequestReason::Automatic,
        }),
        6 => up(Up::Release {
            id: 1,
            pages: input.number(),
        }),
        7 => up(Up::Stats {
            available: input.number(),
            size: input.number(),
            total_ram: 0,
        }),
        8 => up(Up::Drew {
            id: 1,
            pages: input.number(),
        }),
        9..=12 => return answer(input, hands),
        13 => Event::Tick,
        14 => Event::ToolstackChanged {
            dom,
            target: input.number(),
        },
        15 => limit(dom, input),
        16 => Event::SetReserve {
            pages: input.number(),
        },
        17 => Event::SetCredit {
            pages: input.number(),
        },
        18 => match input.u8() % 6 {
            0 | 1 => Event::SetAskReady(input.u8() % 2 == 0),
            2 | 3 => Event::SetBoost(input.u8() % 2 == 0),
            which => Event::SetPolicy([Policy::Largest, Policy::Spread][usize::from(which % 2)]),
        },
        19 => by_hand(dom, input),
        20 => up(Up::Cancel {
            id: u32::from(input.u8() % 16) + 1,
        }),
        _ => Event::SentAway { dom },
    })
}

fn signed(input: &mut Input<'_>) -> i64 {
    let number = input.number() as i64;
    if input.u8() % 2 == 0 {
        number
    } else {
        number.wrapping_neg()
    }
}

fn attach(dom: DomId, input: &mut Input<'_>) -> Event {
    if input.u8() % 4 == 0 {
        return recall(dom, input);
    }
    Event::Attach {
        dom,
        claim: (input.u8() % 2 == 0).then(|| signed(input)),
        credit: input.u8() % 4 != 0,
        limits: Limits::default(),
        target: input.number(),
    }
}

fn recall(dom: DomId, input: &mut Input<'_>) -> Event {
    let mut record = Record {
        balance: signed(input),
        in_flight: input.number(),
        reclaiming: input.number(),
        maximum: input.number(),
        toolstack_maximum: input.number(),
        target: input.number(),
        cap_margin: signed(input),
        over_cap: input.number(),
        forgiven: input.number(),
        doubtful: input.number(),
        below: 0,
        limits: Limits::default(),
    };
    // More is not sane.
    record.below = record.forgiven / 2;
    Event::Recall { dom, record }
}

/// A front-end answers something, truly or not.
fn answer(input: &mut Input<'_>, hands: &mut Hands) -> Option<Event> {
    if hands.open.is_empty() {
        return None;
    }
    let which = usize::from(input.u8()) % hands.open.len();
    let (dom, down) = hands.open.swap_remove(which);
    let said = |pages: u64, input: &mut Input<'_>| match input.u8() {
        0..=127 => pages,
        128..=223 => input.number().min(pages),
        _ => input.number(),
    };
    let size = hands.sizes[index(dom)].get_or_insert_with(Reservation::default);
    let up = match down {
        Down::Grant { id, pages, .. } | Down::Give { id, pages } => {
            let pages = said(pages, input);
            size.current = size.current.saturating_add(pages);
            Up::Took { id, pages }
        }
        Down::Reclaim { id, pages, .. } => {
            let pages = said(pages, input);
            size.current = size.current.saturating_sub(pages);
            Up::Offered { id, pages }
        }
        Down::Revoke { id, pages } => Up::Offered {
            id,
            pages: said(pages, input),
        },
        Down::Credit { pages } => Up::Drew {
            id: 1,
            pages: said(pages, input),
        },
        Down::Limits { .. } => return None,
    };
    Some(Event::Up { dom, up })
}

fn limit(dom: DomId, input: &mut Input<'_>) -> Event {
    let kind = input.u8() % 5;
    let pages = input.number();
    match kind {
        0 => Event::SetFloor { dom, pages },
        1 => Event::SetCeiling { dom, pages },
        2 => Event::SetWeight {
            dom,
            weight: pages as u32,
        },
        3 => Event::SetProtected {
            dom,
            protected: pages % 2 == 1,
        },
        _ => Event::SetDonorTimeout { nanos: pages },
    }
}

fn by_hand(dom: DomId, input: &mut Input<'_>) -> Event {
    let kind = input.u8();
    let pages = input.number();
    match kind {
        0..=119 => Event::Give { dom, pages },
        120..=239 => Event::Take { dom, pages },
        _ => Event::ShutDown,
    }
}
