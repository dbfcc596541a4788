// SPDX-License-Identifier: GPL-2.0

//! Inter-domain event channels: one bit of news from one domain to another.
//!
//! An event arrives as an interrupt. Linux masks the channel until it is told the end of the
//! interrupt (*late EOI*), so that a hostile peer cannot drown this domain in events. It is told
//! when the work is done: after [`Handler::handle`], or after [`Handler::handle_threaded`] if that
//! has to do it ([`Outcome::WakeThread`]). An event after which there was nothing to do is
//! [`Outcome::Spurious`], and Linux answers such events with growing delays. Saying `Spurious`
//! wrongly costs latency, not saying it costs protection.
//!
//! With `threadirqs` on its command line, or if it is built for real time, Linux has a thread call
//! [`Handler::handle`], too. Another one calls [`Handler::handle_threaded`] still.
//!
//! C header: [`include/xen/events.h`](srctree/include/xen/events.h)

use crate::{
    bindings,
    late_eoi::{
        LateEoi,
        Word, //
    },
    series::{
        IRQ_HANDLED,
        IRQ_WAKE_THREAD, //
    },
    xenbus::Device, //
};
use core::marker::PhantomData;
use kernel::{
    device,
    devres::Devres,
    error::to_result,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed,
            Release, //
        },
        rcu,
        Arc, //
    }, //
};

pub use crate::late_eoi::Outcome;

/// A port of an event channel, as the domain that opened it counts them. [`EventChannel`] has an
/// example of its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(pub u32);

/// Handles the events of a channel. [`EventChannel`] has an example of its use.
///
/// Who borrows is refused: somebody may forget a channel, which calls it when what it borrows is gone.
///
/// ```compile_fail,E0478
/// use xen::event_channel::{Handler, Notifier, Outcome};
///
/// struct Borrows<'a>(&'a u32);
///
/// impl Handler for Borrows<'_> {
///     fn handle(&self, _notifier: &Notifier) -> Outcome {
///         Outcome::Handled
///     }
/// }
/// ```
pub trait Handler: Send + Sync + Sized + 'static {
    /// Handles an event, in interrupt context. `notifier` is the channel's.
    fn handle(&self, notifier: &Notifier) -> Outcome;

    /// Does what [`Handler::handle`] left or a [`Waker`] wants, in a thread of this channel's own,
    /// where it may sleep.
    fn handle_threaded(&self, thread: &Thread<'_>) -> Outcome {
        let _ = thread;
        Outcome::Handled
    }
}

/// The thread of a channel, which is to be found in [`Handler::handle_threaded`] only.
///
/// # Invariants
///
/// Made in the thread of an interrupt's, and not sent out of it. The device is bound as long as it
/// lives.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
/// use xen::event_channel::{Handler, Notifier, Outcome, Thread};
///
/// /// Believes nothing.
/// struct Sceptic;
///
/// impl Handler for Sceptic {
///     fn handle(&self, _notifier: &Notifier) -> Outcome {
///         Outcome::WakeThread
///     }
///
///     fn handle_threaded(&self, thread: &Thread<'_>) -> Outcome {
///         thread.device().dev_fatal(EPROTO, fmt!("the other half says something"));
///         Outcome::Mute
///     }
/// }
/// ```
///
/// Nobody makes one for himself.
///
/// ```compile_fail,E0451
/// use kernel::device::Bound;
/// use xen::{event_channel::Thread, xenbus::Device};
///
/// fn forge<'a>(of_another: Thread<'a>, dev: &'a Device<Bound>) -> Thread<'a> {
///     Thread { dev, ..of_another }
/// }
/// ```
pub struct Thread<'a> {
    dev: &'a Device<device::Bound>,
    line: &'a Line,
    /// Not to be sent to another thread.
    _not_send: PhantomData<*mut ()>,
}

impl Thread<'_> {
    /// The device the channel belongs to, which is not unbound before the thread has come back.
    pub fn device(&self) -> &Device<device::Bound> {
        self.dev
    }

    /// Sends an event.
    pub fn notify(&self) {
        self.line.notify();
    }
}

/// No interrupt: the channel has been closed.
const CLOSED: u32 = u32::MAX;

impl Word for Atomic<u32> {
    fn load(&self) -> u32 {
        self.load(Acquire)
    }

    fn store(&self, value: u32) {
        self.store(value, Release);
    }

    fn swap(&self, value: u32) -> u32 {
        self.xchg(value, Full)
    }

    fn replace(&self, from: u32, to: u32) -> bool {
        self.cmpxchg(from, to, Full).is_ok()
    }
}

/// A channel's interrupt, for whoever may outlive it.
///
/// # Invariants
///
/// `irq` is bound to a channel, whose handler has `cookie`; or it is [`CLOSED`]. Whoever has read
/// it in an RCU read-side critical section may rely on that until the section ends.
struct Line {
    irq: Atomic<u32>,
    /// The address of what the handler gets.
    cookie: Atomic<usize>,
    eoi: LateEoi<Atomic<u32>>,
}

impl Line {
    #[inline]
    fn notify(&self) {
        let _guard = rcu::read_lock();
        let irq = self.irq.load(Acquire);
        if irq != CLOSED {
            // SAFETY: By the type invariants the interrupt is bound to a channel, until the RCU
            // critical section ends. May be called in any context.
            unsafe { bindings::notify_remote_via_irq(irq as c_int) };
        }
    }

    fn wake(&self) {
        let _guard = rcu::read_lock();
        let irq = self.irq.load(Acquire);
        if irq != CLOSED {
            self.eoi.ask();
            let cookie = core::ptr::without_provenance_mut(self.cookie.load(Relaxed));
            // SAFETY: By the type invariants the interrupt is one, until the RCU critical section
            // ends. Linux compares the cookie with those of its handlers, no more. May be called
            // in any context.
            unsafe { bindings::irq_wake_thread(irq, cookie) };
        }
    }

    /// Whoever uses the interrupt has done so after this, and nobody begins.
    fn close(&self) {
        // INVARIANT: It is closed; and those who have read another value are waited for.
        self.irq.store(CLOSED, Release);
        // SAFETY: May be called wherever one may sleep, as here: the interrupt is about to be
        // freed, which sleeps, too.
        unsafe { bindings::synchronize_rcu() };
    }
}

/// An interrupt that is bound to a channel, and has no handler yet.
///
/// # Invariants
///
/// `irq` is bound to an event channel, and has no handler.
struct BoundIrq {
    irq: u32,
}

impl BoundIrq {
    /// # Errors
    ///
    /// As [`EventChannel::listen`].
    fn listen(dev: &Device<device::Bound>) -> Result<(Self, Port)> {
        let mut port = 0;
        // SAFETY: The device is valid, and knows its other half's domain; `port` may be written.
        to_result(unsafe { bindings::xenbus_alloc_evtchn(dev.as_raw(), &mut port) })?;
        // SAFETY: The port is open, and nobody has bound it here. On success the interrupt owns it.
        let irq = unsafe { bindings::bind_evtchn_to_irq_lateeoi(port) };
        if irq < 0 {
            // SAFETY: The port is open, is no interrupt's, and is not used again.
            unsafe { bindings::xenbus_free_evtchn(dev.as_raw(), port) };
            return Err(Error::from_errno(irq));
        }
        // INVARIANT: It has just been bound.
        Ok((Self { irq: irq as u32 }, Port(port)))
    }

    /// # Errors
    ///
    /// As [`EventChannel::connect`].
    fn connect(dev: &Device<device::Bound>, port: Port) -> Result<Self> {
        // SAFETY: The device is valid, and knows its other half's domain; Xen checks the port.
        let irq = unsafe { bindings::bind_interdomain_evtchn_to_irq_lateeoi(dev.as_raw(), port.0) };
        if irq < 0 {
            return Err(Error::from_errno(irq));
        }
        // INVARIANT: It has just been bound.
        Ok(Self { irq: irq as u32 })
    }
}

impl Drop for BoundIrq {
    /// What gives an interrupt back (`unbind_from_irqhandler`) wants a handler to free, and warns
    /// if there is none. By its port here, which only Linux knows, it can be given back without.
    fn drop(&mut self) {
        /// So many ports a domain has at most (`EVTCHN_FIFO_NR_CHANNELS`).
        const PORTS: u32 = 1 << 17;
        // SAFETY: Looks a number up, whatever it is, in any context.
        let is_ours = |port: &u32| unsafe { bindings::irq_from_evtchn(*port) } == self.irq;
        if let Some(port) = (0..PORTS).find(is_ours) {
            // SAFETY: By the type invariants the port is bound, to an interrupt without a handler,
            // and nobody uses either again.
            unsafe { bindings::evtchn_put(port) };
        }
    }
}

/// Tells Linux the end of an interrupt: that being handled, or none, which changes nothing.
///
/// # Safety
///
/// The interrupt is bound to a channel, with late EOI.
unsafe fn end(irq: c_int, spurious: bool) {
    let flags = if spurious {
        bindings::XEN_EOI_FLAG_SPURIOUS
    } else {
        0
    };
    // SAFETY: By the safety requirements it is such an interrupt. May be called in any context.
    unsafe { bindings::xen_irq_lateeoi(irq as c_uint, flags) };
}

/// What the handlers of a channel get: all of it but its registration.
#[pin_data]
struct Inner<T> {
    dev: ARef<Device>,
    line: Arc<Line>,
    #[pin]
    handler: T,
}

/// A handler that is registered for an interrupt.
///
/// # Invariants
///
/// `inner.line` is not closed, and its interrupt is bound to a channel and has [`Self::hard_irq`]
/// and [`Self::thread`] as its handlers, with `inner` as their cookie.
struct Registration<T: Handler> {
    inner: Arc<Inner<T>>,
}

impl<T: Handler> Registration<T> {
    fn new(inner: Arc<Inner<T>>, irq: BoundIrq, name: &'static CStr) -> Result<Self> {
        let cookie = core::ptr::from_ref(&*inner);
        inner.line.cookie.store(cookie.addr(), Relaxed);
        // INVARIANT (of `Line`): The interrupt is bound, and will have a handler with that cookie.
        // If it has none in the end, it is closed before it is given back.
        inner.line.irq.store(irq.irq, Release);

        // SAFETY: The callbacks are for an `Inner<T>` as their cookie, and this is one: it stays
        // valid, and in place, as long as the `Arc` that is kept until `drop` has freed the
        // interrupt, which waits for both. The device is bound until then: this is dropped before
        // it is unbound. The name is as long-lived as the module.
        let result = to_result(unsafe {
            bindings::request_threaded_irq(
                irq.irq,
                Some(Self::hard_irq),
                Some(Self::thread),
                0,
                name.as_char_ptr(),
                cookie.cast_mut().cast::<c_void>(),
            )
        });
        if result.is_err() {
            inner.line.close();
        }
        result?;
        // It has a handler, and is given back together with that.
        core::mem::forget(irq);
        // INVARIANT: As registered above.
        Ok(Self { inner })
    }

    /// # Safety
    ///
    /// Only for an interrupt whose handler was registered with an `Inner<T>` as its cookie.
    unsafe extern "C" fn hard_irq(irq: c_int, cookie: *mut c_void) -> bindings::irqreturn_t {
        // SAFETY: By the safety requirements the cookie is an `Inner<T>`, which is valid until the
        // interrupt is freed, which waits for this.
        let inner = unsafe { &*cookie.cast::<Inner<T>>() };
        let line = &inner.line;
        let wants_thread = line.eoi.handle(
            || inner.handler.handle(Notifier::of(line)),
            // SAFETY: This is the interrupt being handled, bound with late EOI.
            |spurious| unsafe { end(irq, spurious) },
        );
        if wants_thread {
            IRQ_WAKE_THREAD
        } else {
            IRQ_HANDLED
        }
    }

    /// # Safety
    ///
    /// As for `hard_irq`, and the device of the `Inner<T>` must be bound.
    unsafe extern "C" fn thread(irq: c_int, cookie: *mut c_void) -> bindings::irqreturn_t {
        // SAFETY: By the safety requirements the cookie is an `Inner<T>`, which is valid until the
        // interrupt is freed, which waits for this.
        let inner = unsafe { &*cookie.cast::<Inner<T>>() };
        let line = &inner.line;
        // SAFETY: By the safety requirements the device is bound, and the context is a zero-sized
        // marker.
        let dev = unsafe { &*core::ptr::from_ref::<Device>(&inner.dev).cast() };
        // INVARIANT: This is the thread of an interrupt. The device is bound until this returns.
        let thread = Thread {
            dev,
            line,
            _not_send: PhantomData,
        };

        line.eoi.run(
            || inner.handler.handle_threaded(&thread),
            // SAFETY: This is the interrupt that was handled, bound with late EOI.
            |spurious| unsafe { end(irq, spurious) },
        );
        IRQ_HANDLED
    }
}

impl<T: Handler> Drop for Registration<T> {
    fn drop(&mut self) {
        let line = &self.inner.line;
        let irq = line.irq.load(Relaxed);
        line.close();
        let cookie = core::ptr::from_ref(&*self.inner).cast_mut();
        // SAFETY: By the type invariants the interrupt is bound, with `inner` as its handlers'
        // cookie. This waits for both handlers, and closes the channel. Nobody uses its number
        // after it: the line has been closed.
        unsafe { bindings::unbind_from_irqhandler(irq, cookie.cast::<c_void>()) };
    }
}

/// A bound event channel, closed when dropped, or else when its device is unbound.
///
/// Not to be dropped by its own handler or thread, which it waits for.
///
/// # Examples
///
/// A back-end that answers whatever the front-end counts.
///
/// ```
/// use kernel::{device::Bound, prelude::*, sync::atomic::{Acquire, Atomic, Relaxed, Release}};
/// use xen::{
///     event_channel::{EventChannel, Handler, Notifier, Outcome, Port},
///     grant::MappedPage,
///     shared_page::Offset,
///     xenbus::Device,
///     xenstore,
/// };
///
/// const ASKED: Offset<u32> = Offset::at::<0>();
/// const ANSWERED: Offset<u32> = Offset::at::<64>();
///
/// struct Echo {
///     page: MappedPage,
///     answered: Atomic<u32>,
/// }
///
/// impl Handler for Echo {
///     fn handle(&self, notifier: &Notifier) -> Outcome {
///         let asked = self.page.word(ASKED).load(Acquire);
///         if asked == self.answered.load(Relaxed) {
///             return Outcome::Spurious;
///         }
///         self.answered.store(asked, Relaxed);
///         self.page.word(ANSWERED).store(asked, Release);
///         notifier.notify();
///         Outcome::Handled
///     }
/// }
///
/// fn connect(dev: &Device<Bound>, page: MappedPage) -> Result<EventChannel<Echo>> {
///     let port = Port(xenstore::read_number(&dev.otherend()?, c"event-channel")?);
///     let echo = Echo { page, answered: Atomic::new(0) };
///     EventChannel::connect(dev, port, c"echo", echo)
/// }
/// ```
pub struct EventChannel<T: Handler> {
    // Dropped before what it uses.
    _registration: Devres<Registration<T>>,
    inner: Arc<Inner<T>>,
    port: Port,
}

impl<T: Handler> EventChannel<T> {
    /// Opens a channel for the other half of `dev` to bind to, as front-ends do. May sleep.
    ///
    /// # Errors
    ///
    /// What Xen says, after the device has begun to close: `ENOSPC` if this domain has no port
    /// left. What Linux says: `ENOMEM`, and others, if there is no interrupt or no thread.
    pub fn listen<E>(
        dev: &Device<device::Bound>,
        name: &'static CStr,
        handler: impl PinInit<T, E>,
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        let (irq, port) = BoundIrq::listen(dev)?;
        Self::new(dev, name, handler, irq, port)
    }

    /// Binds to the channel the other half of `dev` has opened as `port`, as back-ends do. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// What Xen says: there may be no such port, or it may not be for this domain. What Linux says,
    /// as in [`listen`](Self::listen).
    pub fn connect<E>(
        dev: &Device<device::Bound>,
        port: Port,
        name: &'static CStr,
        handler: impl PinInit<T, E>,
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        let irq = BoundIrq::connect(dev, port)?;
        Self::new(dev, name, handler, irq, port)
    }

    fn new<E>(
        dev: &Device<device::Bound>,
        name: &'static CStr,
        handler: impl PinInit<T, E>,
        irq: BoundIrq,
        port: Port,
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        // INVARIANT: It is closed.
        let line = Line {
            irq: Atomic::new(CLOSED),
            cookie: Atomic::new(0),
            eoi: LateEoi::new(Atomic::new(0), Atomic::new(0)),
        };
        let line = Arc::new(line, GFP_KERNEL)?;
        let inner = Arc::pin_init::<Error>(
            try_pin_init!(Inner {
                dev: dev.into(),
                line,
                handler <- handler,
            }),
            GFP_KERNEL,
        )?;
        let registration = Registration::new(inner.clone(), irq, name)?;
        Ok(Self {
            _registration: Devres::new::<core::convert::Infallible>(dev.as_ref(), registration)?,
            inner,
            port,
        })
    }

    /// The port, to tell the other half.
    pub fn port(&self) -> Port {
        self.port
    }

    /// What handles its events.
    pub fn handler(&self) -> &T {
        &self.inner.handler
    }

    /// Sends an event. May be called in any context.
    #[inline]
    pub fn notify(&self) {
        self.inner.line.notify();
    }

    /// The sending end.
    pub fn notifier(&self) -> Notifier {
        Notifier(self.inner.line.clone())
    }

    /// What wakes the channel's thread.
    pub fn waker(&self) -> Waker {
        Waker(self.inner.line.clone())
    }
}

/// The sending end of an [`EventChannel`], which may outlive it and does nothing then.
///
/// # Examples
///
/// ```
/// use xen::event_channel::Notifier;
///
/// /// To be dropped when what is written is complete.
/// struct News<'a>(&'a Notifier);
///
/// impl Drop for News<'_> {
///     fn drop(&mut self) {
///         self.0.notify();
///     }
/// }
/// ```
#[repr(transparent)]
#[derive(Clone)]
pub struct Notifier(Arc<Line>);

impl Notifier {
    fn of(line: &Arc<Line>) -> &Self {
        // SAFETY: It is a transparent wrapper, without further invariants.
        unsafe { &*core::ptr::from_ref(line).cast() }
    }

    /// Sends an event. May be called in any context.
    #[inline]
    pub fn notify(&self) {
        self.0.notify();
    }

    /// Calls `look` with the number of the interrupt, which is the channel's as long as that lasts;
    /// `None` if it has been closed. May be called in any context.
    pub(crate) fn with_irq<R>(&self, look: impl FnOnce(u32) -> R) -> Option<R> {
        let _guard = rcu::read_lock();
        match self.0.irq.load(Acquire) {
            CLOSED => None,
            irq => Some(look(irq)),
        }
    }
}

/// Wakes the thread of an [`EventChannel`], as if an event had asked for it. It may outlive the
/// channel, and does nothing then.
///
/// # Examples
///
/// A timer that has its work done where one may sleep.
///
/// ```
/// use xen::{event_channel::Waker, timer::{Expire, Timer}};
///
/// struct Sweep(Waker);
///
/// impl Expire for Sweep {
///     fn expire(&self, timer: &Timer<Self>) {
///         self.0.wake();
///         timer.arm(1_000_000_000);
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Waker(Arc<Line>);

impl Waker {
    /// Lets [`Handler::handle_threaded`] run. May be called in any context.
    pub fn wake(&self) {
        self.0.wake();
    }
}
