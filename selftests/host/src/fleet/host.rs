// SPDX-License-Identifier: GPL-2.0

//! All domains, Xen's free memory, and what happens next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use cmm::coordinator::Nanos;

use super::demand::Segment;
use super::tenant::Tenant;

/// How long a page takes to leave a domain, and to come to one, in ns: as on hardware.
pub const GIVE: Nanos = 400;
/// As [`GIVE`].
pub const TAKE: Nanos = 300;

/// A domain's ceiling is so many times its size.
const CEILING: u64 = 3;

/// What decides who has how much.
pub trait Manager: Sized {
    /// What it wants to do later.
    type Job;

    /// All domains are there.
    fn start(&mut self, host: &mut Host<Self::Job>);

    /// It wanted to do this now.
    fn work(&mut self, job: Self::Job, host: &mut Host<Self::Job>);

    /// What a domain wants has changed.
    fn changed(&mut self, _dom: usize, _host: &mut Host<Self::Job>) {}

    /// A domain is held up.
    fn held_up(&mut self, _dom: usize, _host: &mut Host<Self::Job>) {}
}

/// What happens.
enum Event<J> {
    /// A domain's demand changes.
    Change(usize),
    /// A domain has used up all it has, unless it has got more or less since: it is the so manieth time that
    /// this is expected.
    Gone(usize, u32),
    /// The manager works.
    Job(J),
}

/// A host full of domains.
pub struct Host<J> {
    /// The time.
    pub now: Nanos,
    /// What Xen has for whoever populates.
    pub free: u64,
    /// The domains.
    pub tenants: Vec<Tenant>,
    /// Which time is being expected for each to have used up all.
    expected: Vec<u32>,
    queue: BinaryHeap<Reverse<(Nanos, u64, usize)>>,
    events: Vec<Option<Event<J>>>,
    unused: Vec<usize>,
    sequence: u64,
}

impl<J> Host<J> {
    /// Domains with these demands share so many pages, of which Xen keeps what does not divide.
    pub fn new(demands: &[Vec<Segment>], pages: u64) -> Self {
        let size = pages / demands.len() as u64;
        let tenant = |demand: &Vec<Segment>| Tenant::new(size, CEILING * size, demand.clone());
        Self {
            now: 0,
            free: pages - size * demands.len() as u64,
            tenants: demands.iter().map(tenant).collect(),
            expected: vec![0; demands.len()],
            queue: BinaryHeap::new(),
            events: Vec::new(),
            unused: Vec::new(),
            sequence: 0,
        }
    }

    /// The manager is to do this then.
    pub fn plan(&mut self, at: Nanos, job: J) {
        self.push(at, Event::Job(job));
    }

    fn push(&mut self, at: Nanos, event: Event<J>) {
        let place = self.unused.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[place] = Some(event);
        self.sequence += 1;
        let at = at.max(self.now);
        self.queue.push(Reverse((at, self.sequence, place)));
    }

    /// A domain as it is now.
    pub fn tenant(&mut self, dom: usize) -> &mut Tenant {
        let now = self.now;
        let tenant = &mut self.tenants[dom];
        tenant.advance(now);
        tenant
    }

    /// A domain takes up to `pages` from Xen, with its cap at `cap`. Returns how many.
    pub fn take(&mut self, dom: usize, pages: u64, cap: u64) -> u64 {
        let free = self.free;
        let tenant = self.tenant(dom);
        let taken = pages.min(free).min(cap.saturating_sub(tenant.size));
        tenant.gets(taken);
        self.free -= taken;
        self.expect(dom);
        taken
    }

    /// A domain gives up to `pages` to Xen, of what it does not use. Returns how many.
    pub fn give(&mut self, dom: usize, pages: u64) -> u64 {
        let tenant = self.tenant(dom);
        let given = pages.min(tenant.available());
        tenant.gives(given);
        self.free += given;
        self.expect(dom);
        given
    }

    /// Sees when a domain will have used up all.
    fn expect(&mut self, dom: usize) {
        self.expected[dom] = self.expected[dom].wrapping_add(1);
        let gone = self.tenant(dom).gone_at();
        if let Some(at) = gone {
            self.push(at, Event::Gone(dom, self.expected[dom]));
        }
    }

    /// Lets a manager manage until then.
    pub fn run<M: Manager<Job = J>>(&mut self, manager: &mut M, end: Nanos) {
        for dom in 0..self.tenants.len() {
            self.change(dom);
        }
        manager.start(self);
        while let Some(Reverse((at, _, place))) = self.queue.pop() {
            if at >= end {
                break;
            }
            self.now = at;
            self.unused.push(place);
            match self.events[place].take() {
                Some(Event::Change(dom)) => {
                    self.change(dom);
                    manager.changed(dom, self);
                }
                Some(Event::Gone(dom, which)) if which == self.expected[dom] => {
                    if self.tenant(dom).is_held_up() {
                        manager.held_up(dom, self);
                    }
                }
                Some(Event::Gone(..)) | None => {}
                Some(Event::Job(job)) => manager.work(job, self),
            }
        }
        self.now = end;
        for dom in 0..self.tenants.len() {
            self.tenant(dom);
        }
    }

    fn change(&mut self, dom: usize) {
        let now = self.now;
        self.tenant(dom).change(now);
        if let Some(at) = self.tenants[dom].next_change() {
            self.push(at, Event::Change(dom));
        }
        self.expect(dom);
    }

    /// Panics unless pages are conserved.
    pub fn check(&self, pages: u64) {
        let used: u64 = self.tenants.iter().map(|tenant| tenant.size).sum();
        assert_eq!(used + self.free, pages, "pages came or went");
    }
}
