// SPDX-License-Identifier: GPL-2.0

//! Managed by somebody who looks at all domains now and then and sets sizes, which the stock balloon of each
//! brings about.
//!
//! It is taken to be better than it is: it knows at no cost what each uses, and a balloon that waits for
//! memory has it as soon as there is some, where the stock one sleeps for seconds.

use std::collections::VecDeque;

use cmm::coordinator::{Nanos, SECOND};

use super::balancers::Known;
use super::demand::MIB;
use super::host::{Host, Manager, GIVE, TAKE};

/// What a balloon moves in one go.
const CHUNK: u64 = 4 * MIB;

/// A domain keeps a part of what its toolstack gave it, as ours do by default.
const FLOOR_PART: u64 = 4;

/// Who says what each is to have.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Nobody.
    Static,
    /// One for all, with what all have and what Xen has free.
    ForAll(fn(&[Known], u64) -> Vec<u64>),
    /// Each for itself.
    Each(fn(&Known) -> u64),
}

/// What is done later.
#[derive(Clone, Copy, Debug)]
pub enum Job {
    /// All are looked at.
    Look,
    /// A domain looks at itself.
    LookAt(usize),
    /// A balloon has moved so much.
    Moved(usize, i64),
}

/// Whoever sets sizes, and the balloons.
pub struct Balanced {
    rule: Rule,
    period: Nanos,
    /// What each is to have.
    targets: Vec<u64>,
    /// Whether its balloon is at work.
    moving: Vec<bool>,
    /// Those whose balloons wait for Xen to have memory, the first first.
    waiting: VecDeque<usize>,
    /// What balloons at work are about to take.
    promised: u64,
}

impl Balanced {
    /// Looks so often.
    pub fn new(domains: usize, rule: Rule, period: Nanos) -> Self {
        Self {
            rule,
            period,
            targets: vec![0; domains],
            moving: vec![false; domains],
            waiting: VecDeque::new(),
            promised: 0,
        }
    }

    fn known(host: &mut Host<Job>, dom: usize) -> Known {
        let tenant = host.tenant(dom);
        Known {
            used: tenant.used(),
            size: tenant.size,
            floor: tenant.baseline / FLOOR_PART,
            ceiling: tenant.ceiling,
        }
    }

    fn look(&mut self, host: &mut Host<Job>) {
        let Rule::ForAll(rule) = self.rule else {
            return;
        };
        let count = host.tenants.len();
        let all: Vec<_> = (0..count).map(|dom| Self::known(host, dom)).collect();
        self.targets = rule(&all, host.free);
        self.waiting.clear();
        for dom in 0..count {
            self.push(dom, host);
        }
        host.plan(host.now + self.period, Job::Look);
    }

    fn look_at(&mut self, dom: usize, host: &mut Host<Job>) {
        let Rule::Each(rule) = self.rule else {
            return;
        };
        self.targets[dom] = rule(&Self::known(host, dom));
        self.waiting.retain(|waits| *waits != dom);
        self.push(dom, host);
        host.plan(host.now + self.period, Job::LookAt(dom));
    }

    /// Has a balloon begin with some pages, if it has nothing to do.
    fn push(&mut self, dom: usize, host: &mut Host<Job>) {
        let (size, target) = (host.tenants[dom].size, self.targets[dom]);
        if self.moving[dom] || size == target {
            return;
        }
        let (pages, page) = if target > size {
            let left = host.free - self.promised;
            if left == 0 {
                return self.waiting.push_back(dom);
            }
            let pages = (target - size).min(CHUNK).min(left);
            self.promised += pages;
            (pages as i64, TAKE)
        } else {
            let available = host.tenant(dom).available();
            (-((size - target).min(CHUNK).min(available) as i64), GIVE)
        };
        if pages != 0 {
            self.moving[dom] = true;
            let took = pages.unsigned_abs() * page;
            host.plan(host.now + took, Job::Moved(dom, pages));
        }
    }

    fn moved(&mut self, dom: usize, pages: i64, host: &mut Host<Job>) {
        self.moving[dom] = false;
        if pages > 0 {
            self.promised -= pages.unsigned_abs();
            host.take(dom, pages.unsigned_abs(), self.targets[dom]);
        } else {
            host.give(dom, pages.unsigned_abs());
        }
        self.push(dom, host);
        // Whoever waits for what is there now has it.
        while host.free > self.promised {
            let Some(first) = self.waiting.pop_front() else {
                break;
            };
            self.push(first, host);
        }
    }
}

impl Manager for Balanced {
    type Job = Job;

    fn start(&mut self, host: &mut Host<Job>) {
        self.targets = host.tenants.iter().map(|tenant| tenant.size).collect();
        match self.rule {
            Rule::Static => {}
            Rule::ForAll(_) => host.plan(self.period / 3, Job::Look),
            Rule::Each(_) => {
                for dom in 0..host.tenants.len() {
                    let phase = dom as u64 * 7_919 % 1_000 * (self.period / 1_000);
                    host.plan(phase, Job::LookAt(dom));
                }
            }
        }
    }

    fn work(&mut self, job: Job, host: &mut Host<Job>) {
        match job {
            Job::Look => self.look(host),
            Job::LookAt(dom) => self.look_at(dom, host),
            Job::Moved(dom, pages) => self.moved(dom, pages, host),
        }
    }
}

/// How often a guest that balloons by itself looks.
pub const SELF_BALLOON: Nanos = 5 * SECOND;
