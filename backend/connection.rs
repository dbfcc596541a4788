// SPDX-License-Identifier: GPL-2.0

//! Xenbus: how a connection comes about, what its events do, and how it ends.

use crate::{
    core::Core,
    link::Link, //
};
use cmm::{
    budget::{
        Budget,
        TURNS_OF_A_LANE, //
    },
    coordinator::{
        Event,
        Limits,
        Record,
        View, //
    },
    protocol::VERSION,
    DomId, //
};
use core::fmt;
use kernel::{
    device,
    prelude::*,
    str::CString,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    },
};
use xen::{
    domain,
    event_channel::{
        EventChannel,
        Handler,
        Notifier,
        Outcome,
        Port,
        Thread, //
    },
    grant::{
        GrantRef,
        MappedPage, //
    },
    series::{
        EPROTO,
        EPROTONOSUPPORT, //
    },
    xenbus::{
        Device,
        XenbusState, //
    },
    xenstore, //
};

/// Tells the front-end what we speak, and that we wait for it.
///
/// One that has not noticed yet that an earlier back-end went must notice first, and close: what it
/// has published is used up.
pub(crate) fn invite(dev: &Device<device::Bound>) -> Result {
    xenstore::write(dev.node(), c"versions", format_args!("{VERSION}"))?;
    xenstore::write(dev.node(), c"feature-cancel", format_args!("1"))?;
    match dev.otherend_state() {
        XenbusState::Initialised | XenbusState::Connected | XenbusState::Closing => {
            dev.switch_state(XenbusState::Closed)
        }
        XenbusState::Unknown
        | XenbusState::Initialising
        | XenbusState::InitWait
        | XenbusState::Closed
        | XenbusState::Reconfiguring
        | XenbusState::Reconfigured => dev.switch_state(XenbusState::InitWait),
    }
    Ok(())
}

/// Why a connection did not come about.
pub(crate) enum Failure {
    /// What is wrong with a node of the front-end's.
    Node(&'static CStr, Error),
    /// The front-end speaks no version that we do.
    Version,
    /// Xen does not let us map the page.
    Map(GrantRef, Error),
    /// Xen does not let us bind to the event channel.
    Bind(Port, Error),
    /// We cannot.
    Service(Error),
}

impl Failure {
    pub(crate) fn error(&self) -> Error {
        match *self {
            Failure::Version => EPROTONOSUPPORT,
            Failure::Node(_, err)
            | Failure::Map(_, err)
            | Failure::Bind(_, err)
            | Failure::Service(err) => err,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Node(node, err) => {
                let node = node.to_str().unwrap_or("?");
                let what = if *err == ENOENT {
                    "missing"
                } else {
                    "nonsense"
                };
                write!(f, "its front-end's {node} is {what}")
            }
            Failure::Version => write!(f, "its front-end does not speak version {VERSION}"),
            Failure::Map(grant, _) => write!(f, "cannot map its ring-ref {}", grant.0),
            Failure::Bind(port, _) => write!(f, "cannot bind to its event-channel {}", port.0),
            Failure::Service(_) => write!(f, "cannot serve another front-end"),
        }
    }
}

/// What a front-end has published.
struct Details {
    grant: GrantRef,
    port: Port,
    claim: Option<i64>,
    credit: bool,
}

impl Details {
    fn read(dev: &Device<device::Bound>) -> Result<Self, Failure> {
        let dir = &dev.otherend().map_err(Failure::Service)?;
        let number = |node: &'static CStr| {
            xenstore::read_number(dir, node).map_err(|err| Failure::Node(node, err))
        };

        if !speaks(dir).map_err(|err| Failure::Node(c"versions", err))? {
            return Err(Failure::Version);
        }
        Ok(Self {
            grant: GrantRef(number(c"ring-ref")?),
            port: Port(number(c"event-channel")?),
            claim: match xenstore::read_number(dir, c"balance") {
                Err(err) if err == ENOENT => None,
                claim => Some(claim.map_err(|err| Failure::Node(c"balance", err))?),
            },
            credit: or_default(xenstore::read_number(dir, c"feature-credit"), 0u8)
                .map_err(|err| Failure::Node(c"feature-credit", err))?
                == 1,
        })
    }
}

/// Whether our version is among those the front-end speaks.
fn speaks(dir: &CStr) -> Result<bool> {
    let versions = xenstore::read(dir, c"versions")?;
    for version in versions.as_str()?.split_ascii_whitespace() {
        let version: u32 = version.parse().map_err(|_| EINVAL)?;
        if version == VERSION {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The directory in which the toolstack says what memory a domain is to have.
fn memory_dir(dom: DomId) -> Result<CString> {
    CString::try_from_fmt(format_args!("/local/domain/{}/memory", dom.raw()))
}

/// Reads a size in KiB; returns pages.
fn read_size(dir: &CStr, node: &CStr) -> Result<u64> {
    cmm::pages::from_kib(xenstore::read_number(dir, node)?).ok_or(EINVAL)
}

/// What the toolstack wants a domain to have, in pages.
pub(crate) fn target(dom: DomId) -> Result<u64> {
    read_size(&memory_dir(dom)?, c"target")
}

/// What `read` has found in `node`, if there is such a node and it makes sense. If it makes none, that is said, and what
/// was so before holds.
pub(crate) fn sensible<T>(dom: DomId, node: &str, read: Result<T>) -> Option<T> {
    match read {
        Err(err) if err == EINVAL => {
            pr_warn!(
                "domain {}: its {node} is nonsense, and ignored\n",
                dom.raw()
            );
            None
        }
        found => found.ok(),
    }
}

/// The limits a domain has as long as nobody sets others. Its cap has our part in it, if it is known
/// already.
fn default_limits(core: &Core, dom: DomId, target: u64) -> Result<Limits> {
    let largest = read_size(&memory_dir(dom)?, c"static-max");
    let largest = sensible(dom, "memory/static-max", largest).unwrap_or(target);
    let cap = domain::maximum_pages(domain::DomId(dom.raw())).ok_or(ESRCH)?;
    let balance = core.view(dom).map_or(0, |view| view.balance);
    let cap = cap.saturating_add_signed(balance.saturating_neg());
    Ok(Limits::by_default(target, largest, cap))
}

/// What `read` finds, or what there is by default if there is no such node.
fn or_default<T>(read: Result<T>, default: T) -> Result<T> {
    match read {
        Err(err) if err == ENOENT => Ok(default),
        found => found,
    }
}

/// The limits that the administrator has configured for a domain: `cmm-attach` writes those of
/// `/etc/xen/cmm.conf` beside the device.
fn configured_limits(dir: &CStr, limits: Limits) -> Result<Limits> {
    let protected: u8 = or_default(
        xenstore::read_number(dir, c"protected"),
        limits.protected.into(),
    )?;
    let limits = Limits {
        floor: or_default(read_size(dir, c"floor_kb"), limits.floor)?,
        ceiling: or_default(read_size(dir, c"ceiling_kb"), limits.ceiling)?,
        weight: or_default(xenstore::read_number(dir, c"weight"), limits.weight)?,
        protected: protected != 0,
    };
    limits.check().map_err(|_| EINVAL)?;
    Ok(limits)
}

/// The limits a domain begins with. Those configured that cannot be kept are not: all of them, as
/// one without the other may be worse than none.
fn first_limits(
    dev: &Device<device::Bound>,
    core: &Core,
    dom: DomId,
    target: u64,
) -> Result<Limits> {
    let limits = default_limits(core, dom, target)?;
    Ok(configured_limits(dev.node(), limits).unwrap_or_else(|_| {
        pr_warn!(
            "domain {}: the limits configured for it cannot be kept, and are ignored\n",
            dom.raw()
        );
        limits
    }))
}

/// Sets all limits: first those that lie between others.
fn set_limits(core: &Core, dom: DomId, limits: Limits) {
    let Limits {
        floor,
        ceiling,
        weight,
        protected,
    } = limits;
    let set_floor = |pages| Event::SetFloor { dom, pages };
    core.tell(set_floor(0));
    core.tell(Event::SetCeiling {
        dom,
        pages: ceiling,
    });
    core.tell(set_floor(floor));
    core.tell(Event::SetWeight { dom, weight });
    core.tell(Event::SetProtected { dom, protected });
}

/// How long a connection's thread sleeps at once: longer than who is in debt has to wait at least, so that it is
/// woken once for that. Whoever ends the connection waits for it: xenbus's thread, and with it all other devices.
const NAP: u64 = 10_000_000;

/// Handles the events of a connection.
pub(crate) struct Events {
    core: Core,
    dom: DomId,
}

impl Handler for Events {
    fn handle(&self, _notifier: &Notifier) -> Outcome {
        self.core.receive(self.dom)
    }

    fn handle_threaded(&self, thread: &Thread<'_>) -> Outcome {
        // Whoever has had more of this CPU than is its due has it wait, and no event comes meanwhile.
        // A connection that has ended waits for nothing.
        loop {
            match self.core.patience(self.dom) {
                0 => break,
                wait => fsleep(Delta::from_nanos(wait.min(NAP) as i64)),
            }
        }
        let outcome = self.core.listen(self.dom);
        report_fault(&self.core, thread.device(), self.dom);
        outcome
    }
}

/// Says what the front-end did wrong, once.
fn report_fault(core: &Core, dev: &Device<device::Bound>, dom: DomId) {
    if let Some(fault) = core.take_fault(dom) {
        dev.dev_fatal(
            EPROTO,
            format_args!("domain {} is disconnected: it {fault}", dom.raw()),
        );
    }
}

/// Says that a front-end's claim is not believed: the first time only, or one that comes again and again
/// would fill the log.
fn report_claim(begun: &View, claim: Option<i64>) {
    let claim = claim.filter(|claim| *claim != begun.balance);
    if let Some(claim) = claim.filter(|_| begun.disbelieved == 1) {
        pr_warn!(
            "domain {} claims a balance of {} pages, and is believed {}\n",
            begun.dom.raw(),
            claim,
            begun.balance
        );
    }
}

/// A connection, taken down when dropped: no more is said, then no more is heard, and then the page
/// is unmapped.
pub(crate) struct Connection {
    core: Core,
    dom: DomId,
    _channel: EventChannel<Events>,
    _page: Arc<MappedPage>,
}

impl Connection {
    /// Connects to what the front-end has published. The limits of a `fresh` device are those that
    /// it begins with, whatever those of an earlier one were. It may cost what `budget` says.
    pub(crate) fn open(
        dev: &Device<device::Bound>,
        core: &Core,
        dom: DomId,
        fresh: bool,
        budget: Budget,
    ) -> Result<Self, Failure> {
        let details = Details::read(dev)?;
        xenstore::write(dev.node(), c"version", format_args!("{VERSION}"))
            .map_err(Failure::Service)?;
        let page = MappedPage::new(dev, details.grant)
            .and_then(|page| Ok(Arc::new(page, GFP_KERNEL)?))
            .map_err(|err| Failure::Map(details.grant, err))?;
        let events = Events {
            core: core.clone(),
            dom,
        };
        let channel = EventChannel::connect(dev, details.port, c"xen-cmmback", events)
            .map_err(|err| Failure::Bind(details.port, err))?;

        let link = Link::new(dom, page.clone(), &channel, budget);
        let target = target(dom).map_err(Failure::Service)?;
        let limits = first_limits(dev, core, dom, target).map_err(Failure::Service)?;
        let attach = Event::Attach {
            dom,
            claim: details.claim,
            credit: details.credit,
            limits,
            target,
        };
        let begun = core.attach(link, attach).map_err(Failure::Service)?;
        report_claim(&begun, details.claim);
        if fresh && begun.limits != limits {
            set_limits(core, dom, limits);
        }
        // The toolstack may have changed it meanwhile, when the domain was not known, or the news
        // was overtaken by what was read before.
        if let Ok(target) = self::target(dom) {
            core.tell(Event::ToolstackChanged { dom, target });
        }

        // Events that came before the link was there were for nobody.
        if core.receive(dom) == Outcome::WakeThread {
            channel.waker().wake();
        }
        Ok(Self {
            core: core.clone(),
            dom,
            _channel: channel,
            _page: page,
        })
    }

    /// What the front-end has left of what it may cost.
    pub(crate) fn budget(&self) -> Option<Budget> {
        self.core.budget(self.dom)
    }

    /// Takes in what the front-end said last, a lane of it at the most, which still counts. Returns
    /// whether it has broken the protocol.
    pub(crate) fn hear_out(&self, dev: &Device<device::Bound>) -> bool {
        for _ in 0..TURNS_OF_A_LANE {
            if self.core.listen(self.dom) != Outcome::WakeThread {
                break;
            }
        }
        report_fault(&self.core, dev, self.dom);
        self.core.is_broken(self.dom)
    }
}

/// What an earlier back-end has written down about the domain.
pub(crate) fn recorded(dev: &Device<device::Bound>, dom: DomId) -> Option<Record> {
    let parse = |text: xenstore::Value| Record::parse(text.as_str()?).ok_or(EINVAL);
    let found = xenstore::read(dev.node(), c"record").and_then(parse);
    sensible(dom, "record", found)
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.core.detach(self.dom);
    }
}
