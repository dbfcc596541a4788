// SPDX-License-Identifier: GPL-2.0

//! The service: the coordinator, told of what happens and given its hands.
//!
//! One lock guards it all. It is taken in interrupt context, where a message is decided on and
//! answered on the spot: nothing in between ever waits.

use crate::{
    ledger::Ledger,
    link::{
        Hands,
        Link,
        Links, //
    },
    transfer::Transfer, //
};
use cmm::{
    coordinator::{
        Coordinator,
        Domain,
        Event,
        Record,
        Refused,
        Settings,
        View, //
    },
    histogram::Histograms,
    laps::Laps,
    protocol::{
        layout::UP,
        Violation, //
    },
    DomId, //
};
use kernel::{
    debugfs::Dir,
    new_spinlock_irq,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        SpinLockIrq, //
    }, //
};
use xen::{
    domain,
    domain_control::{
        self,
        DomainControl, //
    },
    event_channel::Outcome,
    timer::{
        now,
        Expire,
        Timer, //
    },
    xenstore::{
        self,
        Watch,
        Watcher, //
    }, //
};

/// Domains to have room for at first.
const FIRST_SLOTS: usize = 16;

/// Under whose scheduler the others run, too, unless somebody has made pools of CPUs.
const DOM0: domain::DomId = domain::DomId(0);

/// Where what belongs to no domain is written down for the next back-end.
const STORE: &CStr = c"cmm";

struct State {
    coordinator: Coordinator<KVVec<Domain>>,
    links: Links,
}

/// The coordinator and the connections.
#[pin_data]
pub(crate) struct Core {
    #[pin]
    state: SpinLockIrq<State>,
    control: DomainControl,
}

/// The service, shared by all devices of the driver.
pub(crate) struct Service {
    core: Arc<Core>,
    timer: Arc<Timer<Clock>>,
    _deaths: Pin<KBox<Watch<Deaths>>>,
    _ledger: Ledger,
    _transfer: Transfer,
}

/// Wakes the coordinator when something is due.
struct Clock {
    core: Arc<Core>,
}

impl Expire for Clock {
    fn expire(&self, timer: &Timer<Self>) {
        let _ = self.core.handle(Event::Tick, timer);
    }
}

/// Notices that domains die whose devices are gone already: what they borrowed is their lenders' still.
struct Deaths {
    core: Arc<Core>,
    timer: Arc<Timer<Clock>>,
}

impl Watcher for Deaths {
    fn changed(&self) {
        let Ok(known) = self.core.known() else {
            pr_warn!("cannot look which domains are gone: no memory\n");
            return;
        };
        for dom in known {
            if is_gone(dom) {
                let _ = self.core.handle(Event::Died { dom }, &self.timer);
            }
        }
    }
}

/// Whether a domain does not exist any more, or will not for long: its toolstack takes its directory away
/// when it has begun to destroy it, which takes until all its pages are unmapped.
pub(crate) fn is_gone(dom: DomId) -> bool {
    let home = CString::try_from_fmt(format_args!("/local/domain/{}", dom.raw()));
    home.is_ok_and(|home| !xenstore::exists(&home, c""))
        || domain_control::reservation(domain::DomId(dom.raw())).is_none()
}

/// The settings of an earlier back-end.
fn recorded() -> Option<Settings> {
    let text = xenstore::read(STORE, c"settings").ok()?;
    Settings::parse(text.as_str().ok()?)
}

fn slots(count: usize) -> Result<KVVec<Domain>> {
    let mut slots = KVVec::with_capacity(count, GFP_KERNEL)?;
    slots.resize(count, Domain::default(), GFP_KERNEL)?;
    Ok(slots)
}

impl Core {
    /// Lets the coordinator handle an event, and `timer` wake it when it wants to be.
    fn handle(&self, event: Event, timer: &Timer<Clock>) -> Result<(), Refused> {
        let mut state = self.state.lock();
        state.links.begin_turn();
        let result = state.handle(event, &self.control);
        state.end_turn(timer);
        result
    }

    /// Where the time of each domain's last request went.
    pub(crate) fn laps(&self) -> Result<KVec<(DomId, Laps)>> {
        let count = self.state.lock().links.len();
        let mut room = KVec::with_capacity(count, GFP_KERNEL)?;
        self.state.lock().links.laps(&mut room);
        Ok(room)
    }

    /// How often each phase of what is done here took how long.
    pub(crate) fn phases(&self) -> Result<KBox<Histograms>> {
        let mut phases = KBox::new(Histograms::default(), GFP_KERNEL)?;
        *phases = *self.state.lock().links.turns();
        Ok(phases)
    }

    /// Which domains are known.
    fn known(&self) -> Result<KVec<DomId>> {
        let count = self.state.lock().coordinator.domains().count();
        let mut known = KVec::with_capacity(count, GFP_KERNEL)?;

        let state = self.state.lock();
        for view in state.coordinator.domains().take(count) {
            // One that came meanwhile is hardly gone.
            let _ = known.push_within_capacity(view.dom);
        }
        drop(state);
        Ok(known)
    }

    /// What is known of all domains, the size of the pool, and whether the books balance.
    pub(crate) fn books(&self) -> Result<(KVec<View>, u64, bool)> {
        let count = self.state.lock().coordinator.domains().count();
        let mut views = KVec::with_capacity(count, GFP_KERNEL)?;

        let state = self.state.lock();
        for view in state.coordinator.domains().take(count) {
            // A domain that came meanwhile may be missing.
            let _ = views.push_within_capacity(view);
        }
        let balanced = state.coordinator.check().is_ok();
        Ok((views, state.coordinator.pool(), balanced))
    }
}

impl State {
    fn handle(&mut self, event: Event, control: &DomainControl) -> Result<(), Refused> {
        let mut hands = Hands {
            links: &mut self.links,
            control,
            seen: None,
        };
        self.coordinator.handle(event, now(), &mut hands)
    }

    /// Ends a turn. The timer is set under the lock: what another CPU finds out later is not undone.
    fn end_turn(&mut self, timer: &Timer<Clock>) {
        self.links.notify();
        if let Some(next) = self.coordinator.next_deadline() {
            timer.arm(next.saturating_sub(now()));
        }
    }

    /// Takes one message of a front-end's in; `Ok(false)` if there is none.
    fn receive(&mut self, dom: DomId, control: &DomainControl) -> Result<bool, Violation> {
        let link = match self.links.get(dom) {
            Some(link) if !link.broken => link,
            _ => return Ok(false),
        };
        match link.receive()? {
            Some(up) => {
                self.links.note(dom, &up);
                // The coordinator refuses only what comes from a front-end it has given up, whose
                // link it has had broken off.
                let _ = self.handle(Event::Up { dom, up }, control);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// A front-end breaks the protocol in a way the coordinator does not see.
    fn break_off(&mut self, dom: DomId, why: Violation, control: &DomainControl) {
        if let Some(link) = self.links.get(dom) {
            link.break_off(why);
        }
        let _ = self.handle(Event::Detach { dom }, control);
    }
}

impl Service {
    pub(crate) fn new() -> Result<Arc<Self>> {
        let control = DomainControl::probe().inspect_err(|_| {
            pr_err!("not loaded: this Xen speaks no version of domctl that is known here\n");
        })?;
        pr_info!("Xen speaks domctl version {:#x}\n", control.version());

        let settings = recorded().unwrap_or_else(|| Settings {
            boost: control.wakers_go_first(DOM0),
            ..Settings::default()
        });
        let coordinator = Coordinator::new(slots(FIRST_SLOTS)?, settings);
        let links = Links::new()?;
        let core = Arc::pin_init(
            pin_init!(Core {
                state <- new_spinlock_irq!(State {
                    coordinator,
                    links,
                }),
                control,
            }),
            GFP_KERNEL,
        )?;

        let timer = Arc::pin_init(Timer::new(Clock { core: core.clone() }), GFP_KERNEL)?;
        let deaths = Deaths {
            core: core.clone(),
            timer: timer.clone(),
        };
        let node = format_args!("@releaseDomain");
        let dir = Dir::new(c"xen-cmm");
        let service = Self {
            _deaths: KBox::pin_init(Watch::new(node, deaths), GFP_KERNEL)?,
            _ledger: Ledger::new(&dir, core.clone())?,
            _transfer: Transfer::new(&dir, core.clone())?,
            core,
            timer,
        };
        Ok(Arc::new(service, GFP_KERNEL)?)
    }

    /// Lets the coordinator handle an event.
    pub(crate) fn handle(&self, event: Event) -> Result<(), Refused> {
        self.core.handle(event, &self.timer)
    }

    /// As [`Service::handle`], for what may well come too late to matter.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.handle(event);
    }

    /// Lets the coordinator know what an earlier back-end knew of a domain.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or `EINVAL` if the coordinator refuses.
    pub(crate) fn recall(&self, dom: DomId, record: Record) -> Result {
        self.make_room()?;
        self.handle(Event::Recall { dom, record })
            .map_err(|_| EINVAL)
    }

    /// Makes room for one more domain, and for some that may come at the same time.
    fn make_room(&self) -> Result {
        // Domains without a connection are known, too.
        let known = self.core.state.lock().coordinator.domains().count();
        let storage = slots((known + FIRST_SLOTS).next_power_of_two())?;
        let unused = self.core.state.lock().coordinator.grow(storage);
        drop(unused);
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
        let links = self.core.state.lock().links.len();
        let room = KVec::with_capacity(links + 1, GFP_KERNEL)?;

        let (unused, rejected, result) = {
            let mut state = self.core.state.lock();
            state.links.begin_turn();
            if state.links.len() + 1 > room.capacity() {
                return Err(EAGAIN);
            }
            let (unused, rejected) = state.links.insert(link, room);
            let result = match rejected {
                Some(_) => Err(EEXIST),
                None => state.handle(attach, &self.core.control).map_err(|_| EINVAL),
            };
            let result = result.and_then(|()| state.coordinator.domain(dom).ok_or(EINVAL));
            state.end_turn(&self.timer);
            (unused, rejected, result)
        };
        // The link there is already is a good one.
        let is_ours = rejected.is_none();
        drop((unused, rejected));

        if result.is_err() && is_ours {
            self.detach(dom);
        }
        result
    }

    /// Ends the service of a connection.
    pub(crate) fn detach(&self, dom: DomId) {
        let link = self.core.state.lock().links.remove(dom);
        self.tell(Event::Detach { dom });
        drop(link);
    }

    /// Takes in what a front-end has sent, unless it is left to the channel's thread. May be called in any
    /// context.
    pub(crate) fn receive(&self, dom: DomId) -> Outcome {
        let mut state = self.core.state.lock();
        match state.links.get(dom) {
            Some(link) if link.flooding => Outcome::Handled,
            _ => self.receive_lane(&mut state, dom),
        }
    }

    /// Takes in what a front-end has sent, for the channel's thread. Returns whether there may be more.
    pub(crate) fn receive_more(&self, dom: DomId) -> bool {
        let mut state = self.core.state.lock();
        if let Some(link) = state.links.get(dom) {
            link.flooding = false;
        }
        self.receive_lane(&mut state, dom) == Outcome::WakeThread
    }

    /// No more than a lane at a time, lest a front-end that never stops keeps this CPU.
    fn receive_lane(&self, state: &mut State, dom: DomId) -> Outcome {
        let control = &self.core.control;
        state.links.begin_turn();
        let mut count = 0;

        let outcome = loop {
            match state.receive(dom, control) {
                Ok(true) if count < UP.slots => count += 1,
                Ok(true) => break Outcome::WakeThread,
                Ok(false) if count > 0 => break Outcome::Handled,
                Ok(false) => break Outcome::Spurious,
                Err(why) => {
                    state.break_off(dom, why, control);
                    break Outcome::Mute;
                }
            }
        };
        let link = state.links.get(dom);
        let broken = link.is_some_and(|link| {
            link.flooding = outcome == Outcome::WakeThread;
            link.broken
        });
        state.end_turn(&self.timer);
        if broken {
            Outcome::Mute
        } else {
            outcome
        }
    }

    /// Whether a front-end has broken the protocol.
    pub(crate) fn is_broken(&self, dom: DomId) -> bool {
        let mut state = self.core.state.lock();
        state.links.get(dom).is_some_and(|link| link.broken)
    }

    /// What a front-end did wrong, once.
    pub(crate) fn take_fault(&self, dom: DomId) -> Option<Violation> {
        self.core.state.lock().links.get(dom)?.fault.take()
    }

    /// What is known of a domain.
    pub(crate) fn view(&self, dom: DomId) -> Option<View> {
        self.core.state.lock().coordinator.domain(dom)
    }

    /// What to write down about a domain.
    pub(crate) fn record(&self, dom: DomId) -> Option<Record> {
        self.core.state.lock().coordinator.record(dom)
    }

    /// Pages that donors gave and nobody has taken.
    pub(crate) fn pool(&self) -> u64 {
        self.core.state.lock().coordinator.pool()
    }

    /// What holds for all domains.
    pub(crate) fn settings(&self) -> Settings {
        self.core.state.lock().coordinator.settings()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if xenstore::write(STORE, c"settings", format_args!("{}", self.settings())).is_err() {
            pr_warn!("cannot write down the settings\n");
        }
    }
}
