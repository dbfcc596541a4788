// SPDX-License-Identifier: GPL-2.0

//! Memory: this end of the shared pages, and what the coordinator does through them.

use crate::{
    room::Room,
    tracing, //
};
use cmm::{
    budget::Budget,
    coordinator::{
        Activity,
        Gone,
        Host,
        Nanos,
        Reservation,
        SendError, //
    },
    protocol::{
        layout::{
            DOWN,
            UP, //
        },
        Down,
        GrantReason,
        Up,
        Violation, //
    },
    ring::{
        Consumer,
        Producer,
        PushError, //
    },
    tables::{
        Arena,
        Chunks,
        Holds,
        Index,
        Place,
        Queue,
        Queued,
        Storage, //
    },
    timing::{
        Histograms,
        Phase,
        Stopwatch, //
    },
    DomId, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use ring_page::RingPage;
use xen::{
    domain,
    event_channel::{
        EventChannel,
        Handler,
        Notifier,
        Waker, //
    },
    grant::MappedPage,
    out_of_tree::{
        domain_control::DomainControl,
        free_memory::FreeMemory,
        scheduling, //
    },
    timer::now,
    trace, //
};

/// This end of a connection's shared page.
pub(crate) struct Link {
    pub(crate) dom: DomId,
    page: RingPage<MappedPage>,
    up: Consumer,
    down: Producer,
    notifier: Notifier,
    waker: Waker,
    /// Where the time of its last request went.
    stopwatch: Stopwatch,
    /// How that was answered: with how many pages, and why not with more.
    answered: Option<(u64, GrantReason)>,
    /// What the front-end may cost.
    pub(crate) budget: Budget,
    /// The front-end has broken the protocol, and is believed nothing any more.
    pub(crate) broken: bool,
    /// What it did, until that has been reported.
    pub(crate) fault: Option<Violation>,
}

impl Link {
    /// This end of a page that nothing has been read from or written to, to a front-end that may cost so much.
    pub(crate) fn new<T: Handler>(
        dom: DomId,
        page: Arc<MappedPage>,
        channel: &EventChannel<T>,
        budget: Budget,
    ) -> Self {
        Self {
            dom,
            page: RingPage(page),
            up: Consumer::new(UP),
            down: Producer::new(DOWN),
            notifier: channel.notifier(),
            waker: channel.waker(),
            stopwatch: Stopwatch::default(),
            answered: None,
            budget,
            broken: false,
            fault: None,
        }
    }

    /// The front-end breaks the protocol. The channel's thread reports it.
    pub(crate) fn break_off(&mut self, why: Violation) {
        self.broken = true;
        self.fault = Some(why);
        self.waker.wake();
    }

    /// Copies the next message of the lane up. Those before it have been acted on, which is what the
    /// front-end is shown.
    pub(crate) fn receive(&mut self) -> Result<Option<Up>, Violation> {
        self.up.done(&self.page);
        match self.up.read(&self.page)? {
            Some(bytes) => Up::decode(&bytes).map(Some),
            None => Ok(None),
        }
    }
}

/// Those who were sent something since the last event.
#[derive(Clone, Copy)]
struct Touched;

/// Those of whom a request came in, or was answered, since the last event.
#[derive(Clone, Copy)]
struct Served;

/// The nodes of a link.
#[derive(Clone, Copy, Default)]
pub(crate) struct Nodes {
    touched: Queued,
    served: Queued,
}

impl Holds<Queued, Touched> for Nodes {
    fn node(&self, _part: usize) -> Option<&Queued> {
        Some(&self.touched)
    }

    fn node_mut(&mut self, _part: usize) -> Option<&mut Queued> {
        Some(&mut self.touched)
    }
}

impl Holds<Queued, Served> for Nodes {
    fn node(&self, _part: usize) -> Option<&Queued> {
        Some(&self.served)
    }

    fn node_mut(&mut self, _part: usize) -> Option<&mut Queued> {
        Some(&mut self.served)
    }
}

/// Room for links.
type LinkRoom = Room<Place<Nodes, Option<Link>>>;

/// All links.
pub(crate) struct Links {
    links: Arena<LinkRoom>,
    touched: Queue<Touched>,
    served: Queue<Served>,
    /// Where the time of this turn goes.
    turn: Stopwatch,
    /// Where that of all turns has gone.
    turns: KBox<Histograms>,
}

impl Links {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            links: Arena::new(Chunks(KVVec::new())),
            touched: Queue::default(),
            served: Queue::default(),
            turn: Stopwatch::default(),
            turns: KBox::new(Histograms::default(), GFP_KERNEL)?,
        })
    }

    /// Begins a turn: something came in that may make something be sent.
    pub(crate) fn begin_turn(&mut self, now: Nanos) {
        self.turn = Stopwatch::begin(0, 0, now);
    }

    pub(crate) fn get(&mut self, dom: DomId) -> Option<&mut Link> {
        let at = self.links.find(dom)?;
        self.at(at)
    }

    /// Where a domain's link is, if it has one: the same until it is removed.
    pub(crate) fn find(&self, dom: DomId) -> Option<Index> {
        self.links.find(dom)
    }

    /// The link that is there.
    pub(crate) fn at(&mut self, at: Index) -> Option<&mut Link> {
        self.links.get_mut(at)?.as_mut()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    /// The room for them.
    pub(crate) fn room(&self) -> &LinkRoom {
        self.links.storage()
    }

    /// The room for them, to be extended.
    pub(crate) fn room_mut(&mut self) -> &mut LinkRoom {
        self.links.storage_mut()
    }

    /// Adds a link; it comes back if its domain has one already, or there is no room.
    pub(crate) fn insert(&mut self, link: Link) -> Result<(), Link> {
        let dom = link.dom;
        // It must not be dropped here, under the lock.
        if self.links.find(dom).is_some() || self.links.len() == self.room().places() {
            return Err(link);
        }
        let _ = self.links.insert(dom, Some(link));
        Ok(())
    }

    /// Takes a link out. What it was sent has been notified: turns end before the lock is let go.
    pub(crate) fn remove(&mut self, dom: DomId) -> Option<Link> {
        let at = self.links.find(dom)?;
        self.touched.remove(&mut self.links, at);
        self.served.remove(&mut self.links, at);
        self.links.remove(at)?
    }

    /// Takes down that a domain has said something.
    pub(crate) fn note(&mut self, at: Index, up: &Up) {
        let Up::Request { id, pages, .. } = up else {
            return;
        };
        let stopwatch = self.turn.again(*id, *pages);
        if let Some(Some(link)) = self.links.get_mut(at) {
            link.stopwatch = stopwatch;
            self.served.push(&mut self.links, at, 0);
        }
    }

    /// Ends a turn: sends one event to each front-end that was sent something. Returns when that was done.
    pub(crate) fn notify(&mut self) -> Nanos {
        self.turn.split(Phase::Decide, now());
        while let Some(at) = self.touched.pop(&mut self.links) {
            if let Some(Some(link)) = self.links.get_mut(at) {
                link.notifier.notify();
            }
        }
        let ended = now();
        self.turn.split(Phase::Notify, ended);
        self.turns.add(&self.turn);
        while let Some(at) = self.served.pop(&mut self.links) {
            if let Some(Some(link)) = self.links.get_mut(at) {
                link.stopwatch.join(Phase::Donors, &self.turn);
            }
        }
        ended
    }

    /// How many places there are to look at.
    pub(crate) fn places(&self) -> usize {
        self.links.places()
    }

    /// Whose link is in a place, if one is, and where the time of its last request went.
    pub(crate) fn stopwatch_at(&self, place: usize) -> Option<(DomId, Stopwatch)> {
        let link = self.links.get(self.links.at(place)?)?.as_ref()?;
        Some((link.dom, link.stopwatch))
    }

    /// Whose link is in a place, if one is whose last request has been answered, and how: with how many pages, and why
    /// not with more.
    pub(crate) fn answer_at(&self, place: usize) -> Option<(DomId, (u64, GrantReason))> {
        let link = self.links.get(self.links.at(place)?)?.as_ref()?;
        Some((link.dom, link.answered?))
    }

    /// How often each phase of a turn took how long.
    pub(crate) fn turns(&self) -> &Histograms {
        &self.turns
    }

    /// Lets Xen do something, and puts the time down to that.
    fn in_xen<R>(&mut self, call: impl FnOnce() -> R) -> R {
        self.turn.split(Phase::Decide, now());
        let result = call();
        self.turn.split(Phase::Caps, now());
        result
    }
}

/// What Dom0 may ask Xen, and have it do.
#[derive(Clone, Copy)]
pub(crate) struct Control {
    pub(crate) domains: DomainControl,
    /// `None` if this Xen speaks another sysctl: then what others take of the pool is not found out.
    pub(crate) free_memory: Option<FreeMemory>,
}

/// What the coordinator has done: messages go to the rings, caps to Xen.
pub(crate) struct Dom0Host<'a> {
    pub(crate) links: &'a mut Links,
    pub(crate) xen: &'a Control,
    /// What the domain that was last looked at for this event was doing.
    pub(crate) seen: Option<(DomId, Activity)>,
    /// What it had, unless its cap has been set since.
    pub(crate) found: Option<(DomId, Reservation)>,
}

fn from_xen(activity: scheduling::Activity) -> Activity {
    match activity {
        scheduling::Activity::Running => Activity::Running,
        scheduling::Activity::Blocked => Activity::Blocked,
        scheduling::Activity::Waiting => Activity::Waiting,
        scheduling::Activity::Paused => Activity::Paused,
    }
}

impl Host for Dom0Host<'_> {
    fn send(&mut self, dom: DomId, message: &Down) -> Result<(), SendError> {
        let links = &mut *self.links;
        let at = links.links.find(dom).ok_or(SendError::Gone)?;
        let link = links.links.get_mut(at).and_then(Option::as_mut);
        let link = link.filter(|link| !link.broken).ok_or(SendError::Gone)?;
        match link
            .down
            .push_leaving(&link.page, &message.encode(), message.leaves_free())
        {
            Ok(()) => {
                if let Down::Grant { pages, reason, .. } = message {
                    link.answered = Some((*pages, *reason));
                    links.served.push(&mut links.links, at, 0);
                }
                links.touched.push(&mut links.links, at, 0);
                tracing::said(dom, message);
                Ok(())
            }
            Err(PushError::Full) => Err(SendError::Full),
            Err(PushError::Violation(why)) => Err(SendError::Violation(why)),
        }
    }

    fn reservation(&mut self, dom: DomId) -> Option<Reservation> {
        if let Some((_, found)) = self.found.filter(|(found, _)| *found == dom) {
            return Some(found);
        }
        let info = self
            .links
            .in_xen(|| self.xen.domains.domain_info(domain::DomId(dom.raw())))
            .ok()?;
        self.seen = Some((dom, from_xen(info.activity)));
        let found = Reservation {
            current: info.current,
            maximum: info.maximum,
        };
        self.found = Some((dom, found));
        Some(found)
    }

    fn free_pages(&mut self) -> Option<u64> {
        self.links.in_xen(|| self.xen.free_memory?.unclaimed().ok())
    }

    fn activity(&mut self, dom: DomId) -> Option<Activity> {
        if !matches!(self.seen, Some((seen, _)) if seen == dom) {
            self.found = None;
            self.reservation(dom)?;
        }
        self.seen.map(|(_, activity)| activity)
    }

    fn boost(&mut self, dom: DomId) {
        self.seen = None;
        // It may have gone meanwhile.
        let _ = self
            .links
            .in_xen(|| self.xen.domains.boost(domain::DomId(dom.raw())));
    }

    fn set_maximum(&mut self, dom: DomId, pages: u64) -> Result<(), Gone> {
        let found = self.found.take();
        self.links
            .in_xen(|| {
                self.xen
                    .domains
                    .set_maximum(domain::DomId(dom.raw()), pages)
            })
            .map_err(|_| Gone)?;
        // The coordinator looks at what it is before it sets it.
        let found = found.filter(|(found, _)| *found == dom);
        let from = found.map_or(0, |(_, found)| found.maximum);
        trace::back_cap(dom.raw().into(), from, pages);
        Ok(())
    }

    fn disconnect(&mut self, dom: DomId, why: Violation) {
        if let Some(link) = self.links.get(dom) {
            link.break_off(why);
        }
    }
}
