// SPDX-License-Identifier: GPL-2.0

//! Memory: this end of the shared pages, and what the coordinator does through them.

use cmm::{
    coordinator::{
        Activity,
        Gone,
        Host,
        Reservation,
        SendError, //
    },
    protocol::{
        layout::{
            DOWN,
            UP, //
        },
        Down,
        Up,
        Violation, //
    },
    ring::{
        Consumer,
        Producer,
        PushError, //
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
        scheduling, //
    },
    timer::now, //
};

/// This end of a connection's shared page.
pub(crate) struct Link {
    pub(crate) dom: DomId,
    page: RingPage<MappedPage>,
    up: Consumer,
    down: Producer,
    notifier: Notifier,
    waker: Waker,
    /// Something was sent since the last event.
    touched: bool,
    /// A request of the domain's came in, or was answered, since the last event.
    served: bool,
    /// Where the time of its last request went.
    stopwatch: Stopwatch,
    /// The front-end writes faster than it is read: the channel's thread reads it, now and then.
    pub(crate) flooding: bool,
    /// The front-end has broken the protocol, and is believed nothing any more.
    pub(crate) broken: bool,
    /// What it did, until that has been reported.
    pub(crate) fault: Option<Violation>,
}

impl Link {
    /// This end of a page that nothing has been read from or written to.
    pub(crate) fn new<T: Handler>(
        dom: DomId,
        page: Arc<MappedPage>,
        channel: &EventChannel<T>,
    ) -> Self {
        Self {
            dom,
            page: RingPage(page),
            up: Consumer::new(UP),
            down: Producer::new(DOWN),
            notifier: channel.notifier(),
            waker: channel.waker(),
            touched: false,
            served: false,
            stopwatch: Stopwatch::default(),
            flooding: false,
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

/// All links, in the order of their domains' numbers.
pub(crate) struct Links {
    links: KVec<Link>,
    /// Where the time of this turn goes.
    turn: Stopwatch,
    /// Where that of all turns has gone.
    turns: KBox<Histograms>,
    /// A link's time goes there, too: one is `served`.
    serving: bool,
}

impl Links {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            links: KVec::new(),
            turn: Stopwatch::default(),
            turns: KBox::new(Histograms::default(), GFP_KERNEL)?,
            serving: false,
        })
    }

    /// Begins a turn: something came in that may make something be sent.
    pub(crate) fn begin_turn(&mut self) {
        self.turn = Stopwatch::begin(0, 0, now());
    }

    pub(crate) fn get(&mut self, dom: DomId) -> Option<&mut Link> {
        let i = self
            .links
            .binary_search_by_key(&dom, |link| link.dom)
            .ok()?;
        self.links.get_mut(i)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    /// Adds a link, with the help of a table that has room for one more than there are. The table
    /// that is not used any more, and the link if its domain has one already, come back.
    pub(crate) fn insert(
        &mut self,
        link: Link,
        mut room: KVec<Link>,
    ) -> (KVec<Link>, Option<Link>) {
        let Err(place) = self.links.binary_search_by_key(&link.dom, |link| link.dom) else {
            return (room, Some(link));
        };

        let mut rest = Some(link);
        for (i, old) in core::mem::take(&mut self.links).into_iter().enumerate() {
            if i == place {
                if let Some(link) = rest.take() {
                    let _ = room.push_within_capacity(link);
                }
            }
            let _ = room.push_within_capacity(old);
        }
        if let Some(link) = rest {
            let _ = room.push_within_capacity(link);
        }
        self.links = room;
        (KVec::new(), None)
    }

    /// Takes a link out.
    pub(crate) fn remove(&mut self, dom: DomId) -> Option<Link> {
        let i = self
            .links
            .binary_search_by_key(&dom, |link| link.dom)
            .ok()?;
        self.links.remove(i).ok()
    }

    /// Takes down that a domain has said something.
    pub(crate) fn note(&mut self, dom: DomId, up: &Up) {
        let Up::Request { id, pages, .. } = up else {
            return;
        };
        let stopwatch = self.turn.again(*id, *pages);
        if let Some(link) = self.get(dom) {
            link.served = true;
            link.stopwatch = stopwatch;
            self.serving = true;
        }
    }

    /// Ends a turn: sends one event to each front-end that was sent something.
    pub(crate) fn notify(&mut self) {
        self.turn.split(Phase::Decide, now());
        for link in &mut self.links {
            if core::mem::take(&mut link.touched) {
                link.notifier.notify();
            }
        }
        self.turn.split(Phase::Notify, now());
        self.turns.add(&self.turn);
        if core::mem::take(&mut self.serving) {
            for link in self.links.iter_mut().filter(|link| link.served) {
                link.served = false;
                link.stopwatch.join(Phase::Donors, &self.turn);
            }
        }
    }

    /// Where the time of each domain's last request went; of `room`'s capacity at most.
    pub(crate) fn stopwatches(&self, room: &mut KVec<(DomId, Stopwatch)>) {
        for link in self.links.iter().take(room.capacity()) {
            let _ = room.push_within_capacity((link.dom, link.stopwatch));
        }
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

/// What the coordinator has done: messages go to the rings, caps to Xen.
pub(crate) struct Dom0Host<'a> {
    pub(crate) links: &'a mut Links,
    pub(crate) control: &'a DomainControl,
    /// What the domain that was last looked at for this event was doing.
    pub(crate) seen: Option<(DomId, Activity)>,
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
        let link = self.links.get(dom).ok_or(SendError::Gone)?;
        if link.broken {
            return Err(SendError::Gone);
        }
        match link
            .down
            .push_leaving(&link.page, &message.encode(), message.leaves_free())
        {
            Ok(()) => {
                link.touched = true;
                if matches!(message, Down::Grant { .. }) {
                    link.served = true;
                    self.links.serving = true;
                }
                Ok(())
            }
            Err(PushError::Full) => Err(SendError::Full),
            Err(PushError::Violation(why)) => Err(SendError::Violation(why)),
        }
    }

    fn reservation(&mut self, dom: DomId) -> Option<Reservation> {
        let info = self
            .links
            .in_xen(|| self.control.domain_info(domain::DomId(dom.raw())))
            .ok()?;
        self.seen = Some((dom, from_xen(info.activity)));
        Some(Reservation {
            current: info.current,
            maximum: info.maximum,
        })
    }

    fn activity(&mut self, dom: DomId) -> Option<Activity> {
        if !matches!(self.seen, Some((seen, _)) if seen == dom) {
            self.reservation(dom)?;
        }
        self.seen.map(|(_, activity)| activity)
    }

    fn boost(&mut self, dom: DomId) {
        self.seen = None;
        // It may have gone meanwhile.
        let _ = self
            .links
            .in_xen(|| self.control.boost(domain::DomId(dom.raw())));
    }

    fn set_maximum(&mut self, dom: DomId, pages: u64) -> Result<(), Gone> {
        self.links
            .in_xen(|| self.control.set_maximum(domain::DomId(dom.raw()), pages))
            .map_err(|_| Gone)
    }

    fn disconnect(&mut self, dom: DomId, why: Violation) {
        if let Some(link) = self.links.get(dom) {
            link.break_off(why);
        }
    }
}
