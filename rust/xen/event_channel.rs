// SPDX-License-Identifier: GPL-2.0

//! Inter-domain event channels: one bit of news from one domain to another.
//!
//! An event arrives as an interrupt. Linux masks the channel until the handler has sent an end of
//! interrupt (*late EOI*), so that a hostile peer cannot drown this domain in events: an event
//! after which there was nothing to do is [`Outcome::Spurious`], and Linux answers such events
//! with growing delays. Saying `Spurious` wrongly costs latency, not saying it costs protection.
//!
//! C header: [`include/xen/events.h`](srctree/include/xen/events.h)

use crate::{
    bindings,
    series::{
        IRQ_HANDLED,
        IRQ_WAKE_THREAD, //
    },
    xenbus::Device, //
};
use core::marker::PhantomPinned;
use kernel::{
    device,
    error::to_result,
    prelude::*,
    sync::aref::ARef, //
};

/// A port of an event channel, as the domain that opened it counts them. [`EventChannel`] has an
/// example of its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(pub u32);

/// What came of an event. [`EventChannel`] has an example of its use.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Something was done.
    Handled,
    /// There was nothing to do.
    Spurious,
    /// Something was done, and more is left for [`Handler::handle_threaded`].
    WakeThread,
    /// The peer breaks the protocol: the channel stays masked, and no event comes any more.
    Mute,
}

/// Handles the events of a channel. [`EventChannel`] has an example of its use.
pub trait Handler: Send + Sync + Sized + 'static {
    /// Handles an event of `channel`, in interrupt context.
    fn handle(&self, channel: &EventChannel<Self>) -> Outcome;

    /// Does what [`Handler::handle`] left, in a thread of this channel's own, where it may sleep.
    /// Events are handled meanwhile.
    fn handle_threaded(&self, channel: &EventChannel<Self>) {
        let _ = channel;
    }
}

/// Opens a port to which the other half of `dev` may bind.
fn open(dev: &Device<device::Bound>) -> Result<Port> {
    let mut port = 0;
    // SAFETY: The device is valid, and knows its other half's domain; `port` may be written.
    to_result(unsafe { bindings::xenbus_alloc_evtchn(dev.as_raw(), &mut port) })?;
    Ok(Port(port))
}

/// A bound event channel, closed when dropped.
///
/// # Invariants
///
/// `irq` is bound to the channel, and its handler is registered with a pointer to `self` as its
/// cookie.
///
/// # Examples
///
/// A back-end that answers whatever the front-end counts.
///
/// ```
/// use kernel::{device::Bound, prelude::*, sync::atomic::{Acquire, Atomic, Relaxed, Release}};
/// use xen::{
///     event_channel::{EventChannel, Handler, Outcome, Port},
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
///     fn handle(&self, channel: &EventChannel<Self>) -> Outcome {
///         let asked = self.page.word(ASKED).load(Acquire);
///         if asked == self.answered.load(Relaxed) {
///             return Outcome::Spurious;
///         }
///         self.answered.store(asked, Relaxed);
///         self.page.word(ANSWERED).store(asked, Release);
///         channel.notify();
///         Outcome::Handled
///     }
/// }
///
/// fn connect(dev: &Device<Bound>, page: MappedPage) -> Result<Pin<KBox<EventChannel<Echo>>>> {
///     let dir = dev.otherend().ok_or(ENODEV)?;
///     let port = Port(xenstore::read_number(dir, c"event-channel")?);
///     let echo = Echo { page, answered: Atomic::new(0) };
///     KBox::pin_init(EventChannel::connect(dev, port, c"echo", echo), GFP_KERNEL)
/// }
/// ```
#[pin_data(PinnedDrop)]
pub struct EventChannel<T: Handler> {
    dev: ARef<Device>,
    port: Port,
    irq: u32,
    #[pin]
    handler: T,
    #[pin]
    _pin: PhantomPinned,
}

impl<T: Handler> EventChannel<T> {
    /// Opens a channel for the other half of `dev` to bind to, as front-ends do.
    ///
    /// # Errors
    ///
    /// What Xen says, after the device has begun to close: `ENOSPC` if this domain has no port
    /// left. What Linux says: `ENOMEM`, and others, if there is no interrupt or no thread.
    pub fn listen<'a, E: 'a>(
        dev: &'a Device<device::Bound>,
        name: &'static CStr,
        handler: impl PinInit<T, E> + 'a,
    ) -> impl PinInit<Self, Error> + 'a
    where
        Error: From<E>,
    {
        Self::new(dev, name, handler, move || {
            let port = open(dev)?;
            // SAFETY: The port is open, and nobody has bound it here. On success the interrupt owns
            // it.
            let irq = unsafe { bindings::bind_evtchn_to_irq_lateeoi(port.0) };
            if irq < 0 {
                // SAFETY: The port is open, is no interrupt's, and is not used again.
                unsafe { bindings::xenbus_free_evtchn(dev.as_raw(), port.0) };
                return Err(Error::from_errno(irq));
            }
            Ok((port, irq as u32))
        })
    }

    /// Binds to the channel the other half of `dev` has opened as `port`, as back-ends do.
    ///
    /// # Errors
    ///
    /// What Xen says: there may be no such port, or it may not be for this domain. What Linux says,
    /// as in [`listen`](Self::listen).
    pub fn connect<'a, E: 'a>(
        dev: &'a Device<device::Bound>,
        port: Port,
        name: &'static CStr,
        handler: impl PinInit<T, E> + 'a,
    ) -> impl PinInit<Self, Error> + 'a
    where
        Error: From<E>,
    {
        Self::new(dev, name, handler, move || {
            // SAFETY: The device is valid, and knows its other half's domain; Xen checks the port.
            let irq =
                unsafe { bindings::bind_interdomain_evtchn_to_irq_lateeoi(dev.as_raw(), port.0) };
            if irq < 0 {
                return Err(Error::from_errno(irq));
            }
            Ok((port, irq as u32))
        })
    }

    fn new<'a, E: 'a>(
        dev: &'a Device<device::Bound>,
        name: &'static CStr,
        handler: impl PinInit<T, E> + 'a,
        bind: impl FnOnce() -> Result<(Port, u32)> + 'a,
    ) -> impl PinInit<Self, Error> + 'a
    where
        Error: From<E>,
    {
        // `bind` takes an interrupt that only `drop` gives back, so a failure after it must, too.
        try_pin_init!(&this in Self {
            dev: dev.into(),
            port: Port(0),
            irq: 0,
            handler <- handler,
            _pin: PhantomPinned,
            _: {
                let (port, irq) = bind()?;
                let this = this.as_ptr();
                // SAFETY: The field is initialised and has no destructor, and nobody else uses it
                // yet.
                unsafe { (*this).port = port };
                // SAFETY: As for `port`.
                unsafe { (*this).irq = irq };

                // INVARIANT: The interrupt is bound to the channel; once this has succeeded its
                // handler has `this` as its cookie, and if it fails there is no `Self`.
                //
                // SAFETY: The callbacks are for a `Self` as their cookie, and `this` is one: all of
                // its fields are initialised, and it stays valid and in place until `drop` frees
                // the interrupt, which waits for both. The name is as long-lived as the module.
                let result = to_result(unsafe {
                    bindings::request_threaded_irq(
                        irq,
                        Some(Self::hard_irq),
                        Some(Self::thread),
                        0,
                        name.as_char_ptr(),
                        this.cast::<c_void>(),
                    )
                });
                if result.is_err() {
                    // The kernel warns that it has none to free, but this is the only way to give
                    // the interrupt back.
                    //
                    // SAFETY: The interrupt is bound, has no handler, and is not used again.
                    unsafe { bindings::unbind_from_irqhandler(irq, core::ptr::null_mut()) };
                }
                result?;
            },
        })
    }

    /// The port, to tell the other half.
    pub fn port(&self) -> Port {
        self.port
    }

    /// The device it belongs to.
    pub fn device(&self) -> &Device {
        &self.dev
    }

    /// What handles its events.
    pub fn handler(&self) -> &T {
        &self.handler
    }

    /// Sends an event. May be called in any context.
    #[inline]
    pub fn notify(&self) {
        self.notifier().notify();
    }

    /// The sending end, which may be used in any context while the channel lives.
    #[inline]
    pub fn notifier(&self) -> Notifier {
        Notifier {
            irq: self.irq as c_int,
        }
    }

    /// What wakes the channel's thread, in any context.
    pub fn waker(&self) -> Waker {
        Waker {
            irq: self.irq,
            cookie: core::ptr::from_ref(self).addr(),
        }
    }

    /// The number of the interrupt the channel is bound to.
    pub(crate) fn irq(&self) -> u32 {
        self.irq
    }

    /// # Safety
    ///
    /// Only for an interrupt whose handler was registered with a `Self` as its cookie.
    unsafe extern "C" fn hard_irq(irq: c_int, this: *mut c_void) -> bindings::irqreturn_t {
        // SAFETY: By the safety requirements the cookie is a `Self`. It is initialised, for it was
        // registered last, and valid until the interrupt is freed, which waits for this.
        let this = unsafe { &*this.cast::<Self>() };
        let outcome = this.handler.handle(this);

        let flags = match outcome {
            Outcome::Mute => return IRQ_HANDLED,
            Outcome::Spurious => bindings::XEN_EOI_FLAG_SPURIOUS,
            Outcome::Handled | Outcome::WakeThread => 0,
        };
        // SAFETY: `irq` is the interrupt being handled, bound with late EOI, and this is the one
        // EOI for it.
        unsafe { bindings::xen_irq_lateeoi(irq as c_uint, flags) };

        if outcome == Outcome::WakeThread {
            IRQ_WAKE_THREAD
        } else {
            IRQ_HANDLED
        }
    }

    /// # Safety
    ///
    /// As for `hard_irq`.
    unsafe extern "C" fn thread(_irq: c_int, this: *mut c_void) -> bindings::irqreturn_t {
        // SAFETY: By the safety requirements the cookie is a `Self`, initialised and valid until
        // the interrupt is freed, which waits for this.
        let this = unsafe { &*this.cast::<Self>() };
        this.handler.handle_threaded(this);
        IRQ_HANDLED
    }
}

#[pinned_drop]
impl<T: Handler> PinnedDrop for EventChannel<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Nothing is moved out of it.
        let this = core::ptr::from_mut(unsafe { self.get_unchecked_mut() });
        // SAFETY: By the type invariants the interrupt is bound, with `this` as its handler's
        // cookie. This waits for both handlers, and closes the channel; nobody uses the number
        // after it but those that know that it may be another's.
        unsafe { bindings::unbind_from_irqhandler((*this).irq, this.cast::<c_void>()) };
    }
}

/// The sending end of an [`EventChannel`].
///
/// It may outlive the channel, whose number may then be another's: an event that means nothing to
/// whoever gets it.
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
#[derive(Clone, Copy)]
pub struct Notifier {
    irq: c_int,
}

impl Notifier {
    /// Sends an event. May be called in any context.
    #[inline]
    pub fn notify(&self) {
        // SAFETY: The number is that of a channel's interrupt, or was: Linux ignores one that is
        // bound to no event channel.
        //
        // FIXME: It looks the number up without a lock, so the channel must not be closed on
        // another CPU during the call. Callers have their own lock against that; the type does not
        // ask for it.
        unsafe { bindings::notify_remote_via_irq(self.irq) };
    }
}

/// Wakes the thread of an [`EventChannel`], as if an event had asked for it.
///
/// It may outlive the channel, and then does nothing.
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
#[derive(Clone, Copy)]
pub struct Waker {
    irq: c_uint,
    cookie: usize,
}

impl Waker {
    /// Lets [`Handler::handle_threaded`] run. May be called in any context.
    pub fn wake(&self) {
        let cookie = core::ptr::without_provenance_mut(self.cookie);
        // SAFETY: Linux compares the cookie with those of the interrupt's handlers, no more.
        //
        // FIXME: As in `Notifier::notify`.
        unsafe { bindings::irq_wake_thread(self.irq, cookie) };
    }
}
