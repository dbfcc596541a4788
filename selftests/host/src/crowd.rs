// SPDX-License-Identifier: GPL-2.0

//! Thousands of domains, each with a character of its own, that live on one machine for a while.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use cmm::client::Wish;
use cmm::coordinator::{Event, Limits, Nanos, Policy, Settings, SECOND};
use cmm::protocol::{RequestReason, MAX_REQUESTS};
use cmm::DomId;

use crate::liar::Lie;
use crate::member::{Character, Member};
use crate::random::Random;
use crate::sim::Sim;

/// Something that a member does when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    /// It lives on: needs more or less than before.
    Live,
    /// It looks at its messages.
    React,
    /// It is created anew, or connects again.
    Return,
}

/// Why somebody wants memory.
const REASONS: [RequestReason; 3] = [
    RequestReason::Manual,
    RequestReason::Automatic,
    RequestReason::Emergency,
];

/// What a run is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Decides everything else.
    pub seed: u64,
    /// How many domains.
    pub domains: u16,
    /// How many events the coordinator handles, at least.
    pub events: u64,
}

/// The crowd and its machine.
pub struct Crowd {
    /// The machine.
    pub sim: Sim,
    /// The crowd, in the order of their numbers.
    pub members: Vec<Member>,
    plan: Plan,
    random: Random,
    deeds: BinaryHeap<Reverse<(Nanos, Deed, usize)>>,
}

impl Crowd {
    /// Creates all domains, and connects them. Every other seed is without liars, or with some that lie about nothing but
    /// their balance, because more can be promised then.
    pub fn new(plan: Plan) -> Self {
        let mut random = Random::new(plan.seed);
        let members: Vec<_> = (1..=plan.domains)
            .map(|number| {
                let day = random.range(20 * SECOND, 120 * SECOND);
                Member {
                    dom: DomId::new(number).expect("not reserved"),
                    character: Character::random(&mut random, plan.seed % 4 != 2),
                    size: random.range(16 << 10, 256 << 10),
                    morning: random.range(0, day),
                    day,
                }
            })
            .collect();
        let total: u64 = members.iter().map(|member| member.size).sum();
        let settings = Settings {
            reserve: total / 100,
            credit: 16,
            ..Settings::default()
        };
        let mut sim = Sim::new(total + total / 20, members.len(), settings);
        sim.full_check = 1 + u64::from(plan.domains) / 20;
        sim.world.most_credit = settings.credit;
        sim.world.random = Random::new(plan.seed);
        sim.world.shortfalls = 10;
        let mut crowd = Self {
            sim,
            members,
            plan,
            random,
            deeds: BinaryHeap::new(),
        };
        for i in 0..crowd.members.len() {
            crowd.come(i);
            let start = crowd.random.range(0, SECOND);
            crowd.deeds.push(Reverse((start, Deed::Live, i)));
        }
        crowd
    }

    /// Lets everybody live until the coordinator has handled enough events, telling `watch` after every deed.
    pub fn run(&mut self, mut watch: impl FnMut(&Self)) {
        while self.sim.events < self.plan.events {
            let Reverse((time, deed, i)) = self.deeds.pop().expect("everybody lives on");
            let passed = time.saturating_sub(self.sim.world.now);
            self.sim.advance(passed);
            self.act(deed, i);
            if self.random.permille(1) {
                self.administer();
            }
            watch(self);
        }
    }

    /// Lets everything that is under way come to its end, and checks that nothing is left over.
    pub fn finish(&mut self) {
        self.sim.come_to_rest();
        self.sim.check();
        self.sim.check_at_rest();
    }

    fn later(&mut self, from: Nanos, to: Nanos, deed: Deed, i: usize) {
        let time = self.sim.world.now + self.random.range(from, to);
        self.deeds.push(Reverse((time, deed, i)));
    }

    fn act(&mut self, deed: Deed, i: usize) {
        match deed {
            Deed::Live => {
                self.live(i);
                self.later(SECOND / 2, 2 * SECOND, Deed::Live, i);
            }
            Deed::React => self.react(i),
            Deed::Return => self.come(i),
        }
        self.expect_reactions();
    }

    /// Everybody who was sent something will look at it some time.
    fn expect_reactions(&mut self) {
        let sent: Vec<_> = std::mem::take(&mut self.sim.world.notified);
        for dom in sent {
            let i = usize::from(dom.raw()) - 1;
            if let Some(delay) = self.members[i].character.reaction(&mut self.random) {
                self.later(delay, delay + 1, Deed::React, i);
            }
        }
    }

    /// It is created if it does not exist, and connects.
    fn come(&mut self, i: usize) {
        let Member {
            dom,
            character,
            size,
            ..
        } = self.members[i];
        if !self.sim.world.domains.contains_key(&dom) {
            let limits = Limits {
                // Some have hardly any room in either direction.
                floor: self
                    .random
                    .pick(&[size / 8, size / 8, size / 2, size / 10 * 9]),
                ceiling: self.random.pick(&[2 * size, 2 * size, size + size / 16]),
                weight: self.random.pick(&[50, 100, 100, 200]),
                protected: self
                    .random
                    .pick(&[false, false, false, false, false, false, false, true]),
            };
            // The toolstack must not build domains from memory that is promised.
            if self.sim.spare() < size || !self.sim.world.create(dom, size, limits) {
                self.later(SECOND, 5 * SECOND, Deed::Return, i);
                return;
            }
        }
        if character == Character::Lying {
            let pages = size as i64;
            let false_by = self
                .random
                .pick(&[-pages, -1_000, -256, -1, 0, 1, 256, pages]);
            self.sim.falsify(dom, false_by);
        }
        self.sim.attach(dom).expect("there is room for it");
        if character == Character::Lying && self.plan.seed % 2 == 1 {
            let lie = self.random.pick(&Lie::ALL);
            self.sim.corrupt(dom, lie);
        }
        self.live(i);
    }

    /// A moment in the life of a domain.
    fn live(&mut self, i: usize) {
        let Member { dom, character, .. } = self.members[i];
        let needs = self.members[i].needs(self.sim.world.now);
        let Some(domain) = self.sim.world.domains.get_mut(&dom) else {
            return;
        };
        domain.needs = needs;
        if !domain.connected {
            // The coordinator has thrown it out.
            self.later(SECOND, 20 * SECOND, Deed::Return, i);
            return;
        }
        let (has, balance) = (domain.current, domain.session.balance);
        domain.paused = character == Character::HalfStuck && self.random.permille(400);
        if character == Character::Stuck {
            return;
        }
        self.sim.report(dom);
        if has < needs {
            self.want(i, needs - has);
        } else if balance > 0 {
            let spare = has - needs;
            self.sim.release(dom, spare.min(balance.unsigned_abs()));
        }
        self.misfortune(i);
        self.tell(i);
    }

    fn want(&mut self, i: usize, pages: u64) {
        let Member { dom, character, .. } = self.members[i];
        self.sim.draw(dom, pages);
        let deadline = self.random.pick(&[0, 1_000, 50_000, 5_000_000]);
        let times = match character {
            Character::Greedy => MAX_REQUESTS as u64,
            _ => self.random.range(1, 3),
        };
        let wish = Wish {
            pages: pages.div_ceil(times),
            deadline_us: deadline,
            reason: self.random.pick(&REASONS),
            exact: self.random.permille(500),
        };
        for _ in 0..times {
            self.sim.wish(dom, &wish);
        }
        // A program that starts wants little, often.
        if self.random.permille(100) {
            self.sim.wish(
                dom,
                &Wish {
                    pages: self.random.range(1, 64),
                    exact: false,
                    ..wish
                },
            );
        }
        if self.random.permille(50) {
            self.sim.interrupt(dom);
        }
    }

    /// What happens to a domain now and then.
    fn misfortune(&mut self, i: usize) {
        let Member {
            dom,
            character,
            size,
            ..
        } = self.members[i];
        if self.random.permille(10) {
            let target = self.random.range(size / 2, size * 3 / 2);
            let notice = self.random.permille(500);
            self.sim.mem_set(dom, target, notice);
        }
        let spare = self.sim.world.free / 4;
        if self.random.permille(5) {
            let maximum = self.random.range(size / 2, 3 * size);
            self.sim.mem_max(dom, maximum);
        }
        if self.random.permille(20) && !self.sim.world.tainted {
            let pages = self.sim.spare().min(spare);
            self.sim.balloon(dom, size / 8, pages);
        }
        if self.random.permille(3) {
            self.sim.detach(dom);
        }
        if self.random.permille(3) {
            self.sim.vanish(dom);
        }
        if self.random.permille(3) {
            self.sim.unload(dom);
        }
        if self.random.permille(3) {
            self.sim.suspend(dom);
            if !self.sim.world.domains.contains_key(&dom) {
                // There was no memory to restore it.
                self.later(SECOND, 10 * SECOND, Deed::Return, i);
            }
        }
        if character == Character::Lying && self.random.permille(200) {
            self.sim.detach(dom);
        }
        if character == Character::Dying && self.random.permille(50) {
            self.sim.die(dom);
            self.later(SECOND, 10 * SECOND, Deed::Return, i);
        }
    }

    /// It looks at its messages, and the back-end at its answers.
    fn react(&mut self, i: usize) {
        let Member { dom, character, .. } = self.members[i];
        let most = match character {
            Character::HalfStuck => self.random.range(0, 3),
            _ => u64::MAX,
        };
        let mut served = 0;
        while served < most && self.sim.serve(dom) {
            served += 1;
        }
        self.tell(i);
    }

    /// The back-end reads what the domain has to say.
    fn tell(&mut self, i: usize) {
        let dom = self.members[i].dom;
        self.sim.tell_drawn(dom);
        while self.sim.hear(dom) {}
    }

    /// The administrator turns a knob, or loads the back-end again.
    fn administer(&mut self) {
        let all = self.sim.world.total;
        let event = match self.random.range(0, 8) {
            0 => {
                self.reload();
                return;
            }
            1 => {
                let pages = self.random.pick(&[0, 16, 64]);
                self.sim.set_credit(pages);
                return;
            }
            2 => Event::SetPolicy(self.random.pick(&[Policy::Largest, Policy::Spread])),
            3 => Event::SetReserve {
                pages: self.random.range(0, all / 20),
            },
            _ => return,
        };
        self.sim.handle(event).expect("in range");
    }

    /// The back-end is loaded again. Meanwhile some die, and of some of those no record is left.
    fn reload(&mut self) {
        let mut dead = Vec::new();
        for _ in 0..self.random.range(0, 3) {
            dead.push(self.random.range(0, self.members.len() as u64) as usize);
        }
        let doms: Vec<_> = dead.iter().map(|i| self.members[*i].dom).collect();
        let forgotten = self.random.range(0, 1 + doms.len() as u64) as usize;
        self.sim.reload_after(|world| {
            doms.iter().for_each(|dom| world.destroy(*dom));
            doms[..forgotten].to_vec()
        });
        for i in dead {
            self.later(SECOND, 10 * SECOND, Deed::Return, i);
        }
    }
}
