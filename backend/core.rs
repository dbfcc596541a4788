// SPDX-License-Identifier: GPL-2.0

//! Locks: the coordinator and the table of connections, behind the one spinlock that guards both, and the
//! timer that wakes them.
//!
//! The lock is taken in interrupt context, where a message is decided on and answered on the spot:
//! nothing in between ever waits.

use crate::{
    link::{
        Control,
        Dom0Host,
        Link,
        Links, //
    },
    room::{
        self,
        Room,
        CHUNK, //
    },
    tracing, //
};
use cmm::{
    budget::{
        Budget,
        Worth, //
    },
    coordinator::{
        Coordinator,
        Entry,
        Event,
        Nanos,
        Record,
        Refused,
        Settings,
        View, //
    },
    protocol::{
        GrantReason,
        Up,
        Violation, //
    },
    tables::{
        Chunks,
        Index, //
    },
    timing::{
        Histograms,
        Stopwatch, //
    },
    DomId, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use xen::{
    event_channel::Outcome,
    series::{
        new_spinlock_irq,
        SpinLockIrq, //
    },
    timer::{
        now,
        Expire,
        Timer, //
    },
    trace, //
};

/// Domains to have room for beyond those that are known, as some may come at the same time.
const SPARE_ROOM: usize = 16;

/// At how many places the lock is held to look when all are looked at.
const LOOKED_AT_ONCE: usize = 64;

/// The coordinator, the connections and their timer, shared by all who tell them something.
#[derive(Clone)]
pub(crate) struct Core(Arc<Timer<Guarded>>);

#[pin_data]
struct Guarded {
    #[pin]
    inside: SpinLockIrq<Inside>,
    control: Control,
}

/// What the lock guards.
struct Inside {
    coordinator: KBox<Coordinator<Room<Entry>>>,
    links: Links,
    /// For when the timer is set; `None` once it has expired.
    armed: Option<Nanos>,
}

impl Expire for Guarded {
    /// Wakes the coordinator when something is due.
    fn expire(&self, timer: &Timer<Self>) {
        let mut inside = self.inside.lock();
        inside.armed = None;
        let _ = inside.turn(Event::Tick, &self.control, timer);
    }
}

impl Guarded {
    /// Lets the coordinator handle an event, and `timer` wake it when it wants to be.
    fn handle(&self, event: Event, timer: &Timer<Self>) -> Result<(), Refused> {
        self.inside.lock().turn(event, &self.control, timer)
    }
}

impl Inside {
    /// A turn of one event.
    fn turn(
        &mut self,
        event: Event,
        control: &Control,
        timer: &Timer<Guarded>,
    ) -> Result<(), Refused> {
        self.links.begin_turn(now());
        let result = self.handle(event, control);
        self.end_turn(timer);
        result
    }

    fn handle(&mut self, event: Event, control: &Control) -> Result<(), Refused> {
        let mut host = Dom0Host {
            links: &mut self.links,
            xen: control,
            seen: None,
            found: None,
        };
        self.coordinator.handle(event, now(), &mut host)
    }

    /// Ends a turn, and returns when that was. The timer is set under the lock: what another CPU finds out later is not
    /// undone. It is not set anew for when it is set already, for that takes as long as to decide does.
    fn end_turn(&mut self, timer: &Timer<Guarded>) -> Nanos {
        let ended = self.links.notify();
        let next = self.coordinator.next_deadline();
        // One that is set for sooner stays: to be woken once for nothing is cheaper than to set it at each turn.
        let is_sooner = |next: &Nanos| self.armed.is_none_or(|armed| *next < armed);
        if let Some(next) = next.filter(is_sooner) {
            timer.arm(next.saturating_sub(ended));
            self.armed = Some(next);
        }
        ended
    }

    /// Takes one message of a front-end's in, and returns it, if there is one.
    fn receive(&mut self, at: Index, control: &Control) -> Result<Option<Up>, Violation> {
        let link = match self.links.at(at) {
            Some(link) if !link.broken => link,
            _ => return Ok(None),
        };
        let dom = link.dom;
        match link.receive()? {
            Some(up) => {
                self.links.note(at, &up);
                tracing::heard(&self.coordinator, dom, &up);
                // The coordinator refuses only what comes from a front-end it has given up, whose
                // link it has had broken off.
                let _ = self.handle(Event::Up { dom, up }, control);
                Ok(Some(up))
            }
            None => Ok(None),
        }
    }

    /// How long a front-end has to wait from `now` on before it is listened to, in ns.
    fn patience(&mut self, at: Index, now: Nanos) -> u64 {
        match self.links.at(at) {
            Some(link) if !link.broken => link.budget.wait(now),
            _ => 0,
        }
    }

    /// Takes in what a front-end has sent, from `began` on. No more than a turn's worth at a time, lest
    /// one that never stops keeps this CPU.
    fn listen(
        &mut self,
        at: Index,
        began: Nanos,
        guarded: &Guarded,
        timer: &Timer<Guarded>,
    ) -> Outcome {
        self.links.begin_turn(began);
        let mut worth = Worth::NONE;

        let outcome = loop {
            match self.receive(at, &guarded.control) {
                Ok(Some(up)) => worth.add(&up),
                Ok(None) if worth == Worth::NONE => break Outcome::Spurious,
                Ok(None) => break Outcome::Handled,
                Err(why) => {
                    self.break_off(at, why, &guarded.control);
                    break Outcome::Mute;
                }
            }
            if worth.is_full() {
                break Outcome::WakeThread;
            }
        };
        let ended = self.end_turn(timer);
        let broken = self.links.at(at).is_some_and(|link| {
            link.budget.pay(&worth, ended - began, ended);
            link.broken
        });
        if broken {
            Outcome::Mute
        } else {
            outcome
        }
    }

    /// A front-end breaks the protocol in a way the coordinator does not see.
    fn break_off(&mut self, at: Index, why: Violation, control: &Control) {
        if let Some(link) = self.links.at(at) {
            link.break_off(why);
            let dom = link.dom;
            let _ = self.handle(Event::SentAway { dom }, control);
        }
    }
}

/// What `look` finds under the lock.
fn locked<T>(inside: &SpinLockIrq<Inside>, look: impl FnOnce(&Inside) -> T) -> T {
    look(&inside.lock())
}

impl Core {
    pub(crate) fn new(control: Control, settings: Settings) -> Result<Self> {
        // It is too large to be moved about on the stack.
        let coordinator = Coordinator::new(Chunks(KVVec::new()), settings);
        let coordinator = KBox::new(coordinator, GFP_KERNEL)?;
        let links = Links::new()?;
        let guarded = pin_init!(Guarded {
            inside <- new_spinlock_irq!(Inside {
                coordinator,
                links,
                armed: None,
            }),
            control,
        });
        Ok(Self(Arc::pin_init(Timer::new(guarded), GFP_KERNEL)?))
    }

    fn guarded(&self) -> &Guarded {
        self.0.target()
    }

    /// Lets the coordinator handle an event.
    pub(crate) fn handle(&self, event: Event) -> Result<(), Refused> {
        self.guarded().handle(event, &self.0)
    }

    /// As [`Core::handle`], for what may well come too late to matter.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.handle(event);
    }

    /// Answers everything that waits, and lets nothing new begin. Others may have the lock in between.
    pub(crate) fn shut_down(&self) {
        self.tell(Event::ShutDown);
        while self.guarded().inside.lock().coordinator.waiting() > 0 {
            self.tell(Event::Tick);
        }
    }

    /// Makes room for one more domain, and for some that may come at the same time.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn make_room(&self) -> Result {
        let inside = &self.guarded().inside;
        let chunks = |known: usize, chunks: usize| {
            let is_short = known + SPARE_ROOM > chunks * CHUNK;
            is_short.then_some(chunks)
        };
        // Domains without a connection are known, too.
        let domains = |inside: &Inside| {
            let coordinator = &inside.coordinator;
            chunks(coordinator.len(), coordinator.storage().0.len())
        };
        let links = |inside: &Inside| chunks(inside.links.len(), inside.links.room().0.len());
        while let Some(chunks) = locked(inside, domains) {
            let room = room::after(chunks)?;
            let unused = room::extend(inside.lock().coordinator.storage_mut(), room);
            drop(unused);
        }
        while let Some(chunks) = locked(inside, links) {
            let room = room::after(chunks)?;
            let unused = room::extend(inside.lock().links.room_mut(), room);
            drop(unused);
        }
        Ok(())
    }

    /// Begins to serve a connection. Returns how the books see the domain at its beginning.
    ///
    /// # Errors
    ///
    /// `EEXIST` if the domain has one, `ENOMEM`, or `EINVAL` if the coordinator refuses.
    pub(crate) fn attach(&self, link: Link, attach: Event) -> Result<View> {
        let dom = link.dom;
        self.make_room()?;
        let Guarded { inside, control } = self.guarded();
        let (rejected, result) = {
            let mut inside = inside.lock();
            inside.links.begin_turn(now());
            let rejected = inside.links.insert(link).err();
            let result = match rejected {
                Some(_) => Err(EEXIST),
                None => inside.handle(attach, control).map_err(|_| EINVAL),
            };
            let result = result.and_then(|()| inside.coordinator.domain(dom).ok_or(EINVAL));
            inside.end_turn(&self.0);
            (rejected, result)
        };
        // The link there is already is a good one.
        let is_ours = rejected.is_none();
        drop(rejected);

        if result.is_err() && is_ours {
            self.detach(dom);
        }
        result
    }

    /// Ends the service of a connection.
    pub(crate) fn detach(&self, dom: DomId) {
        let link = self.guarded().inside.lock().links.remove(dom);
        self.tell(Event::Detach { dom });
        drop(link);
    }

    /// Takes in what a front-end has sent, unless it has to wait: that is left to the channel's thread. May
    /// be called in any context.
    pub(crate) fn receive(&self, dom: DomId) -> Outcome {
        let mut inside = self.guarded().inside.lock();
        let Some(at) = inside.links.find(dom) else {
            return Outcome::Spurious;
        };
        let now = now();
        let patience = inside.patience(at, now);
        if patience > 0 {
            trace::back_shut_out(dom.raw().into(), patience);
            return Outcome::WakeThread;
        }
        inside.listen(at, now, self.guarded(), &self.0)
    }

    /// How long a front-end has to wait before it is listened to, in ns.
    pub(crate) fn patience(&self, dom: DomId) -> u64 {
        let mut inside = self.guarded().inside.lock();
        let at = inside.links.find(dom);
        at.map_or(0, |at| inside.patience(at, now()))
    }

    /// As [`Core::receive`], whether the front-end has to wait or not.
    pub(crate) fn listen(&self, dom: DomId) -> Outcome {
        let mut inside = self.guarded().inside.lock();
        match inside.links.find(dom) {
            Some(at) => inside.listen(at, now(), self.guarded(), &self.0),
            None => Outcome::Spurious,
        }
    }

    /// Whether a front-end has broken the protocol.
    pub(crate) fn is_broken(&self, dom: DomId) -> bool {
        let mut inside = self.guarded().inside.lock();
        inside.links.get(dom).is_some_and(|link| link.broken)
    }

    /// What a front-end has left of what it may cost.
    pub(crate) fn budget(&self, dom: DomId) -> Option<Budget> {
        let mut inside = self.guarded().inside.lock();
        Some(inside.links.get(dom)?.budget)
    }

    /// What a front-end did wrong, once.
    pub(crate) fn take_fault(&self, dom: DomId) -> Option<Violation> {
        let mut inside = self.guarded().inside.lock();
        inside.links.get(dom)?.fault.take()
    }

    /// What is known of a domain.
    pub(crate) fn view(&self, dom: DomId) -> Option<View> {
        self.guarded().inside.lock().coordinator.domain(dom)
    }

    /// What to write down about a domain.
    pub(crate) fn record(&self, dom: DomId) -> Option<Record> {
        self.guarded().inside.lock().coordinator.record(dom)
    }

    /// Pages that donors gave and nobody has taken.
    pub(crate) fn pool(&self) -> u64 {
        self.guarded().inside.lock().coordinator.pool()
    }

    /// What holds for all domains.
    pub(crate) fn settings(&self) -> Settings {
        self.guarded().inside.lock().coordinator.settings()
    }

    /// Looks at all places, of which there are as many as `places` says, and returns what `look` finds. Others have the
    /// lock in between, so that what is found is not of one moment.
    fn look<T>(
        &self,
        places: impl FnOnce(&Inside) -> usize,
        look: impl Fn(&Inside, usize) -> Option<T>,
    ) -> Result<KVVec<T>> {
        let inside = &self.guarded().inside;
        let count = locked(inside, places);
        let mut found = KVVec::with_capacity(count, GFP_KERNEL)?;
        for first in (0..count).step_by(LOOKED_AT_ONCE) {
            let inside = inside.lock();
            for place in first..count.min(first + LOOKED_AT_ONCE) {
                if let Some(one) = look(&inside, place) {
                    // There are no more than places.
                    let _ = found.push_within_capacity(one);
                }
            }
        }
        Ok(found)
    }

    /// What is known of all domains, in no order. One that came meanwhile may be missing.
    pub(crate) fn views(&self) -> Result<KVVec<View>> {
        self.look(
            |inside| inside.coordinator.places(),
            |inside, place| inside.coordinator.domain_at(place),
        )
    }

    /// What is known of all domains, in the order of their numbers, the size of the pool, and whether the books
    /// balance.
    pub(crate) fn books(&self) -> Result<(KVVec<View>, u64, bool)> {
        let mut views = self.views()?;
        views.sort_unstable_by_key(|view| view.dom);
        let inside = self.guarded().inside.lock();
        Ok((
            views,
            inside.coordinator.pool(),
            inside.coordinator.is_balanced(),
        ))
    }

    /// Where the time of each domain's last request went.
    pub(crate) fn stopwatches(&self) -> Result<KVVec<(DomId, Stopwatch)>> {
        let mut stopwatches = self.look(
            |inside| inside.links.places(),
            |inside, place| inside.links.stopwatch_at(place),
        )?;
        stopwatches.sort_unstable_by_key(|(dom, _)| *dom);
        Ok(stopwatches)
    }

    /// How each domain's last request was answered: with how many pages, and why not with more; in no order.
    pub(crate) fn answers(&self) -> Result<KVVec<(DomId, (u64, GrantReason))>> {
        self.look(
            |inside| inside.links.places(),
            |inside, place| inside.links.answer_at(place),
        )
    }

    /// How often each phase of what is done here took how long.
    pub(crate) fn phases(&self) -> Result<KBox<Histograms>> {
        let mut phases = KBox::new(Histograms::default(), GFP_KERNEL)?;
        *phases = *self.guarded().inside.lock().links.turns();
        Ok(phases)
    }
}
