// SPDX-License-Identifier: GPL-2.0

//! Xenbus: the bus of Xen's split drivers.
//!
//! A device has two halves in two domains, a front-end and a back-end, which meet through
//! directories in xenstore and through the [`State`] each of them shows the other.
//!
//! A driver implements [`Driver`] and is registered by
//! `kernel::driver::Registration<xenbus::Adapter<T>>`; its private data is created by
//! [`Driver::probe`], lives while the driver is bound to the device, and is dropped after
//! [`Driver::unbind`].
//!
//! C header: [`include/xen/xenbus.h`](srctree/include/xen/xenbus.h)

use crate::{
    attribute::{
        Groups,
        Knob,
        RawAttribute,
        RawShow,
        RawStore, //
    },
    bindings,
    domain::DomId,
    xenstore, //
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    pin::Pin,
    ptr::{
        addr_of_mut,
        NonNull, //
    },
};
use kernel::{
    device,
    device_id::RawDeviceId,
    driver,
    error::{
        from_result,
        to_result, //
    },
    fmt,
    prelude::*,
    sync::aref::AlwaysRefCounted,
    types::Opaque,
    ThisModule, //
};

/// The state one half of a device shows the other (`enum xenbus_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The directory of the other half is gone, or its state cannot be read.
    Unknown,
    /// Just created by the toolstack.
    Initialising,
    /// The back-end waits for the front-end's details.
    InitWait,
    /// The front-end has published its details.
    Initialised,
    /// In use.
    Connected,
    /// The device is being taken down.
    Closing,
    /// The device has been taken down.
    Closed,
    /// Hot-plug states, of PCI only.
    Reconfiguring,
    /// Hot-plug states, of PCI only.
    Reconfigured,
}

impl State {
    fn from_raw(state: bindings::xenbus_state) -> Self {
        match state {
            bindings::xenbus_state_XenbusStateInitialising => State::Initialising,
            bindings::xenbus_state_XenbusStateInitWait => State::InitWait,
            bindings::xenbus_state_XenbusStateInitialised => State::Initialised,
            bindings::xenbus_state_XenbusStateConnected => State::Connected,
            bindings::xenbus_state_XenbusStateClosing => State::Closing,
            bindings::xenbus_state_XenbusStateClosed => State::Closed,
            bindings::xenbus_state_XenbusStateReconfiguring => State::Reconfiguring,
            bindings::xenbus_state_XenbusStateReconfigured => State::Reconfigured,
            _ => State::Unknown,
        }
    }

    fn into_raw(self) -> bindings::xenbus_state {
        match self {
            State::Unknown => bindings::xenbus_state_XenbusStateUnknown,
            State::Initialising => bindings::xenbus_state_XenbusStateInitialising,
            State::InitWait => bindings::xenbus_state_XenbusStateInitWait,
            State::Initialised => bindings::xenbus_state_XenbusStateInitialised,
            State::Connected => bindings::xenbus_state_XenbusStateConnected,
            State::Closing => bindings::xenbus_state_XenbusStateClosing,
            State::Closed => bindings::xenbus_state_XenbusStateClosed,
            State::Reconfiguring => bindings::xenbus_state_XenbusStateReconfiguring,
            State::Reconfigured => bindings::xenbus_state_XenbusStateReconfigured,
        }
    }
}

/// Which half of a device a driver drives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The front-end: a user of the device, in any domain.
    Frontend,
    /// The back-end: the provider, usually in Dom0.
    Backend,
}

/// What becomes of a device after [`Driver::otherend_changed`].
#[must_use]
#[derive(PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Keep,
    /// It is unregistered: the toolstack has taken it away.
    ///
    /// The driver cannot do this itself, for it borrows private data that unregistering frees.
    Unregister,
}

/// Abstraction of `struct xenbus_device_id`.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct DeviceId(bindings::xenbus_device_id);

impl DeviceId {
    /// The id of devices whose directories are called `device_type` (31 bytes at most).
    pub const fn new(device_type: &'static CStr) -> Self {
        let name = device_type.to_bytes();
        let mut devicetype = [0; 32];
        assert!(name.len() < devicetype.len());

        let mut i = 0;
        while i < name.len() {
            devicetype[i] = name[i];
            i += 1;
        }

        Self(bindings::xenbus_device_id { devicetype })
    }
}

// SAFETY: `DeviceId` is a `#[repr(transparent)]` wrapper of `xenbus_device_id`, without further
// invariants.
unsafe impl RawDeviceId for DeviceId {
    type RawType = bindings::xenbus_device_id;
}

/// The table of ids a driver serves.
pub type IdTable = &'static dyn kernel::device_id::IdTable<DeviceId, ()>;

/// An array of ids, to make an [`IdTable`] of.
pub type IdArray<const N: usize> = kernel::device_id::IdArray<DeviceId, (), N>;

/// A xenbus driver.
///
/// # Examples
///
/// ```ignore
/// static IDS: xenbus::IdArray<1> =
///     xenbus::IdArray::new_without_index([xenbus::DeviceId::new(c"vkitten")]);
///
/// impl xenbus::Driver for Kitten {
///     const HALF: xenbus::Half = xenbus::Half::Frontend;
///     const IDS: xenbus::IdTable = &IDS;
///     type Context = ();
///     type Data = Self;
///     // ...
/// }
/// ```
pub trait Driver: Sized + 'static {
    /// The half of the device this driver drives.
    const HALF: Half;

    /// The device types it serves.
    const IDS: IdTable;

    /// Attributes of each device bound to the driver, there from after `probe` until before
    /// `unbind`.
    const KNOBS: &'static [Knob<Device<device::Bound>, Self::Data>] = &[];

    /// Attributes of the driver itself.
    const DRIVER_KNOBS: &'static [Knob<(), Self::Context>] = &[];

    /// What all devices of the driver share. Made before the driver is registered, dropped after
    /// it was unregistered.
    type Context: Send + Sync;

    /// The private data of a device.
    type Data: Send + Sync;

    /// Makes the shared context, or refuses to serve in this domain at all.
    ///
    /// The buses exist off Xen, too, so a driver should look where it is.
    fn context() -> Result<Self::Context>;

    /// The driver is about to be unregistered. Its devices are bound still, and will be unbound one
    /// after the other.
    fn leave(context: &Self::Context) {
        let _ = context;
    }

    /// A device of a type in [`Driver::IDS`] has appeared.
    fn probe(
        dev: &Device<device::Core<'_>>,
        context: &Self::Context,
    ) -> impl PinInit<Self::Data, Error>;

    /// The other half has changed its state, or shows it for the first time.
    ///
    /// Runs in the one thread that serves all of xenbus: never wait for another domain here.
    fn otherend_changed(
        dev: &Device<device::Bound>,
        context: &Self::Context,
        data: Pin<&Self::Data>,
        state: State,
    ) -> Fate;

    /// The domain has been restored from a saved image or has migrated: grants and event channels
    /// are gone, and the other half is a new one. The front-end's state is `Initialising` again.
    fn resume(dev: &Device<device::Bound>, data: Pin<&Self::Data>) -> Result {
        let _ = (dev, data);
        Ok(())
    }

    /// The driver is unbound from the device. Whatever the other half may still use must be taken
    /// down here, since the bus announces `Closed` before the data is dropped.
    fn unbind(dev: &Device<device::Core<'_>>, context: &Self::Context, data: Pin<&Self::Data>) {
        let _ = (dev, context, data);
    }
}

type DeviceGroups<T> = Groups<Device<device::Bound>, <T as Driver>::Data>;
type DeviceAttribute<T> = RawAttribute<Device<device::Bound>, <T as Driver>::Data>;
type DriverGroups<T> = Groups<(), <T as Driver>::Context>;

/// The C driver structure, and what has to live as long.
///
/// # Invariants
///
/// From a successful [`driver::RegistrationOps::register`] on, and until `unregister`, `context`
/// is a pointer from [`KBox::into_raw`].
#[repr(C)]
pub struct RawDriver<T: Driver> {
    driver: bindings::xenbus_driver,
    context: *mut T::Context,
    device_groups: DeviceGroups<T>,
    driver_groups: DriverGroups<T>,
}

impl<T: Driver> Default for RawDriver<T> {
    fn default() -> Self {
        Self {
            driver: Default::default(),
            context: core::ptr::null_mut(),
            device_groups: Groups::new(),
            driver_groups: Groups::new(),
        }
    }
}

/// Translates between the C bus and a [`Driver`].
pub struct Adapter<T: Driver>(PhantomData<T>);

// SAFETY: `RawDriver` is `repr(C)` and begins with the `xenbus_driver`, which embeds a `struct
// device_driver` at the given offset. `T::Data` is what `probe_callback` stores.
unsafe impl<T: Driver> driver::DriverLayout for Adapter<T> {
    type DriverType = RawDriver<T>;
    type DriverData<'bound> = T::Data;
    const DEVICE_DRIVER_OFFSET: usize =
        offset_of!(RawDriver<T>, driver) + offset_of!(bindings::xenbus_driver, driver);
}

// SAFETY: `unregister` undoes what a successful `register` did.
unsafe impl<T: Driver> driver::RegistrationOps for Adapter<T> {
    unsafe fn register(
        reg: &Opaque<Self::DriverType>,
        name: &'static CStr,
        _module: &'static ThisModule,
    ) -> Result {
        let context = KBox::new(T::context()?, GFP_KERNEL)?;
        // SAFETY: `reg` is initialised, and nobody else knows of it yet.
        let raw = unsafe { &mut *reg.get() };

        raw.device_groups
            .fill(T::KNOBS, |_| Some(device_calls::<T>()))?;
        raw.driver_groups
            .fill(T::DRIVER_KNOBS, driver_calls_of::<T>)?;
        raw.context = KBox::into_raw(context);

        let drv = &mut raw.driver;
        drv.name = name.as_char_ptr();
        drv.ids = T::IDS.as_ptr();
        drv.not_essential = true;
        drv.probe = Some(Self::probe_callback);
        drv.otherend_changed = Some(Self::otherend_changed_callback);
        drv.resume = Some(Self::resume_callback);
        drv.remove = Some(Self::remove_callback);
        drv.driver.dev_groups = raw.device_groups.as_ptr();
        drv.driver.groups = raw.driver_groups.as_ptr();

        let register = match T::HALF {
            Half::Frontend => bindings::__xenbus_register_frontend,
            Half::Backend => bindings::__xenbus_register_backend,
        };

        // No owner: the bus would hold a reference to the module for each bound device, so that it
        // could not be unloaded before somebody has unbound them all by hand. `unregister` unbinds
        // them, and waits for all callbacks, before the module goes.
        let owner = core::ptr::null_mut();

        // SAFETY: `drv` is complete and stays pinned until `unregister`.
        let result = to_result(unsafe { register(drv, owner, core::ptr::null()) });
        if result.is_err() {
            // SAFETY: `reg` failed to register, so nobody uses it.
            unsafe { Self::release(reg) };
        }
        result
    }

    unsafe fn unregister(reg: &Opaque<Self::DriverType>) {
        // SAFETY: By the type invariants a registered driver has a context.
        T::leave(unsafe { &*(*reg.get()).context });

        // SAFETY: By the safety requirements `reg` is registered.
        unsafe { bindings::xenbus_unregister_driver(addr_of_mut!((*reg.get()).driver)) };

        // SAFETY: The driver core holds no reference to an unregistered driver.
        unsafe { Self::release(reg) };
    }
}

impl<T: Driver> Adapter<T> {
    /// Frees what `register` made.
    ///
    /// # Safety
    ///
    /// `reg` must have a context, and must not be registered.
    unsafe fn release(reg: &Opaque<RawDriver<T>>) {
        // SAFETY: By the safety requirements nobody else uses `reg`.
        let raw = unsafe { &mut *reg.get() };

        raw.device_groups.clear();
        raw.driver_groups.clear();

        // SAFETY: By the type invariants `context` came from `KBox::into_raw`.
        drop(unsafe { KBox::from_raw(raw.context) });
        raw.context = core::ptr::null_mut();
    }

    /// # Safety
    ///
    /// `dev` must point to a device of this driver, for all of `'a`.
    unsafe fn context<'a>(dev: *mut bindings::xenbus_device) -> &'a T::Context {
        // SAFETY: By the safety requirements the device has a driver, and that is the one embedded
        // in a `RawDriver<T>`, at a known offset.
        let raw = unsafe {
            (*dev)
                .dev
                .driver
                .byte_sub(<Self as driver::DriverLayout>::DEVICE_DRIVER_OFFSET)
                .cast::<RawDriver<T>>()
        };
        // SAFETY: By the type invariants the context is valid while the driver is registered.
        unsafe { &*(*raw).context }
    }

    extern "C" fn probe_callback(
        dev: *mut bindings::xenbus_device,
        _id: *const bindings::xenbus_device_id,
    ) -> c_int {
        // SAFETY: The bus calls with a valid device of this driver.
        let context = unsafe { Self::context(dev) };
        // SAFETY: As above; the device core holds the device lock while it probes.
        let dev = unsafe { &*dev.cast::<Device<device::CoreInternal<'_>>>() };

        from_result(|| {
            dev.as_ref().set_drvdata(T::probe(dev, context))?;
            Ok(0)
        })
    }

    extern "C" fn otherend_changed_callback(
        dev: *mut bindings::xenbus_device,
        state: bindings::xenbus_state,
    ) {
        // SAFETY: The bus calls only while the driver is bound: the watch is registered after
        // `probe` and unregistered, with a barrier, before `remove`.
        let context = unsafe { Self::context(dev) };
        // SAFETY: As above.
        let bound = unsafe { &*dev.cast::<Device<device::BoundInternal>>() };
        // SAFETY: As above, so the data has been set and has not been taken.
        let data = unsafe { bound.as_ref().drvdata_borrow::<T::Data>() };

        if T::otherend_changed(bound, context, data, State::from_raw(state)) == Fate::Unregister {
            // SAFETY: The device is valid and registered. No borrow of the data lives on.
            unsafe { bindings::device_unregister(addr_of_mut!((*dev).dev)) };
        }
    }

    extern "C" fn resume_callback(dev: *mut bindings::xenbus_device) -> c_int {
        // SAFETY: The bus resumes bound devices only, with xenstore's watches still off, and no driver
        // is unbound meanwhile.
        let bound = unsafe { &*dev.cast::<Device<device::BoundInternal>>() };
        // SAFETY: As above.
        let data = unsafe { bound.as_ref().drvdata_borrow::<T::Data>() };

        from_result(|| T::resume(bound, data).map(|()| 0))
    }

    extern "C" fn remove_callback(dev: *mut bindings::xenbus_device) {
        // SAFETY: The bus removes only devices it has probed.
        let context = unsafe { Self::context(dev) };
        // SAFETY: As above; the device core holds the device lock.
        let dev = unsafe { &*dev.cast::<Device<device::CoreInternal<'_>>>() };
        // SAFETY: `probe_callback` succeeded, so the data has been set.
        let data = unsafe { dev.as_ref().drvdata_borrow::<T::Data>() };

        T::unbind(dev, context, data);
    }
}

/// # Safety
///
/// Only for sysfs, for an attribute of a device of `T`.
unsafe extern "C" fn device_show<T: Driver>(
    dev: *mut bindings::device,
    attr: *mut bindings::device_attribute,
    buf: *mut c_char,
) -> isize {
    // SAFETY: sysfs calls for bound devices of this driver only: the group is removed, with a
    // barrier, before the driver is unbound.
    let (dev, data) = unsafe { bound_device::<T>(dev) };
    // SAFETY: `attr` is one of this driver's `device_groups`.
    let knob = unsafe { DeviceAttribute::<T>::knob(attr) };
    // SAFETY: sysfs calls with a page.
    unsafe { knob.read(dev, &data, buf) }
}

/// # Safety
///
/// Only for sysfs, for an attribute of a device of `T`.
unsafe extern "C" fn device_store<T: Driver>(
    dev: *mut bindings::device,
    attr: *mut bindings::device_attribute,
    buf: *const c_char,
    count: usize,
) -> isize {
    // SAFETY: As in `device_show`.
    let (dev, data) = unsafe { bound_device::<T>(dev) };
    // SAFETY: As in `device_show`.
    let knob = unsafe { DeviceAttribute::<T>::knob(attr) };
    // SAFETY: sysfs calls with `count` bytes.
    unsafe { knob.write(dev, &data, buf, count) }
}

/// # Safety
///
/// `dev` must be embedded in a xenbus device bound to `T`, for all of `'a`.
unsafe fn bound_device<'a, T: Driver>(
    dev: *mut bindings::device,
) -> (&'a Device<device::Bound>, Pin<&'a T::Data>) {
    // SAFETY: By the safety requirements `dev` is embedded in a `xenbus_device`.
    let dev = unsafe { kernel::container_of!(dev, bindings::xenbus_device, dev) };
    // SAFETY: By the safety requirements it is valid, and bound.
    let dev = unsafe { &*dev.cast::<Device<device::BoundInternal>>() };
    // SAFETY: As above.
    let data = unsafe { dev.as_ref().drvdata_borrow::<T::Data>() };
    (dev, data)
}

// An attribute of a driver is not told which one it is, so each has functions of its own.

/// # Safety
///
/// Only for sysfs, for attribute `I` of the driver `T`.
unsafe extern "C" fn driver_show<T: Driver, const I: usize>(
    drv: *mut bindings::device_driver,
    buf: *mut c_char,
) -> isize {
    // SAFETY: `drv` is the one embedded in a registered `RawDriver<T>`.
    let context = unsafe { driver_context::<T>(drv) };
    match T::DRIVER_KNOBS.get(I) {
        // SAFETY: sysfs calls with a page.
        Some(knob) => unsafe { knob.read(&(), context, buf) },
        None => EIO.to_errno() as isize,
    }
}

/// # Safety
///
/// Only for sysfs, for attribute `I` of the driver `T`.
unsafe extern "C" fn driver_store<T: Driver, const I: usize>(
    drv: *mut bindings::device_driver,
    buf: *const c_char,
    count: usize,
) -> isize {
    // SAFETY: As in `driver_show`.
    let context = unsafe { driver_context::<T>(drv) };
    match T::DRIVER_KNOBS.get(I) {
        // SAFETY: sysfs calls with `count` bytes.
        Some(knob) => unsafe { knob.write(&(), context, buf, count) },
        None => EIO.to_errno() as isize,
    }
}

/// The functions of a device's attributes: the same for all.
fn device_calls<T: Driver>() -> (RawShow, RawStore) {
    type Show = unsafe extern "C" fn(
        *mut bindings::device,
        *mut bindings::device_attribute,
        *mut c_char,
    ) -> isize;
    type Store = unsafe extern "C" fn(
        *mut bindings::device,
        *mut bindings::device_attribute,
        *const c_char,
        usize,
    ) -> isize;
    // SAFETY: Function pointers are alike; the driver core calls these as what they are.
    unsafe {
        (
            core::mem::transmute::<Show, RawShow>(device_show::<T>),
            core::mem::transmute::<Store, RawStore>(device_store::<T>),
        )
    }
}

/// The functions of a driver's attribute `I`.
fn driver_calls<T: Driver, const I: usize>() -> (RawShow, RawStore) {
    type Show = unsafe extern "C" fn(*mut bindings::device_driver, *mut c_char) -> isize;
    type Store = unsafe extern "C" fn(*mut bindings::device_driver, *const c_char, usize) -> isize;
    // SAFETY: As in `device_calls`.
    unsafe {
        (
            core::mem::transmute::<Show, RawShow>(driver_show::<T, I>),
            core::mem::transmute::<Store, RawStore>(driver_store::<T, I>),
        )
    }
}

/// As [`driver_calls`], for an index known at run time: there may be eight attributes.
fn driver_calls_of<T: Driver>(i: usize) -> Option<(RawShow, RawStore)> {
    let calls = [
        driver_calls::<T, 0>,
        driver_calls::<T, 1>,
        driver_calls::<T, 2>,
        driver_calls::<T, 3>,
        driver_calls::<T, 4>,
        driver_calls::<T, 5>,
        driver_calls::<T, 6>,
        driver_calls::<T, 7>,
    ];
    calls.get(i).map(|call| call())
}

/// # Safety
///
/// `drv` must be embedded in a registered `RawDriver<T>`, for all of `'a`.
unsafe fn driver_context<'a, T: Driver>(drv: *mut bindings::device_driver) -> &'a T::Context {
    // SAFETY: By the safety requirements.
    let raw = unsafe {
        drv.byte_sub(<Adapter<T> as driver::DriverLayout>::DEVICE_DRIVER_OFFSET)
            .cast::<RawDriver<T>>()
    };
    // SAFETY: By the type invariants the context is valid while the driver is registered.
    unsafe { &*(*raw).context }
}

/// A xenbus device.
///
/// # Invariants
///
/// An instance represents a valid `struct xenbus_device` created by the C side of the kernel.
#[repr(transparent)]
pub struct Device<Ctx: device::DeviceContext = device::Normal>(
    Opaque<bindings::xenbus_device>,
    PhantomData<Ctx>,
);

impl<Ctx: device::DeviceContext> Device<Ctx> {
    pub(crate) fn as_raw(&self) -> *mut bindings::xenbus_device {
        self.0.get()
    }

    /// The device's own directory in xenstore.
    pub fn node(&self) -> &CStr {
        // SAFETY: By the type invariant the device is valid; its node name lives as long.
        unsafe { CStr::from_char_ptr((*self.as_raw()).nodename) }
    }

    /// The state this half shows.
    pub fn state(&self) -> State {
        // SAFETY: By the type invariant the device is valid.
        State::from_raw(unsafe { (*self.as_raw()).state })
    }

    /// Whether there is another half. A front-end's device has none after its domain was restored
    /// without one, until it is removed. May be called in any context.
    pub fn has_otherend(&self) -> bool {
        // SAFETY: By the type invariant the device is valid; the path may be freed meanwhile, and is
        // not looked at.
        let path = unsafe { (&raw const (*self.as_raw()).otherend).read_volatile() };
        !path.is_null()
    }

    /// Shows the other half a new state. May sleep.
    ///
    /// It cannot fail for the caller: if xenstore refuses, the bus reports that itself.
    pub fn switch_state(&self, state: State) {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::xenbus_switch_state(self.as_raw(), state.into_raw()) };
    }

    /// Logs an error, leaves it in xenstore for the administrator, and begins to close the device.
    /// May sleep.
    pub fn fatal(&self, err: Error, args: fmt::Arguments<'_>) {
        // SAFETY: The device is valid, and "%pA" takes a pointer to `fmt::Arguments`.
        unsafe {
            bindings::xenbus_dev_fatal(
                self.as_raw(),
                err.to_errno(),
                c"%pA".as_char_ptr(),
                core::ptr::from_ref(&args).cast::<c_void>(),
            )
        };
    }
}

impl Device<device::Bound> {
    /// The other half's directory in xenstore. A front-end's device has none after its domain was
    /// restored without one, until it is removed.
    pub fn otherend(&self) -> Option<&CStr> {
        // SAFETY: The device is valid. The bus reads this before it probes, and changes it only
        // when the domain is resumed, in which no callback of the device's runs.
        let path = unsafe { (*self.as_raw()).otherend };
        // SAFETY: If it is not null, it is a string that lives as long as shown above.
        (!path.is_null()).then(|| unsafe { CStr::from_char_ptr(path) })
    }

    /// The domain of the other half.
    pub fn otherend_id(&self) -> DomId {
        // SAFETY: By the type invariant the device is valid.
        DomId(unsafe { (*self.as_raw()).otherend_id } as u16)
    }

    /// The state the other half shows now.
    pub fn otherend_state(&self) -> State {
        let Some(path) = self.otherend() else {
            return State::Unknown;
        };
        // SAFETY: The device is valid, and the path is a string.
        State::from_raw(unsafe {
            bindings::xenbus_read_driver_state(self.as_raw(), path.as_char_ptr())
        })
    }

    /// Whether the toolstack takes the device away. As [`is_online`](Self::is_online), from the
    /// front-end's side.
    pub fn is_taken_away(&self) -> bool {
        let back = self.otherend();
        back.is_some_and(|back| matches!(xenstore::read_number(back, c"online"), Ok(0u32)))
    }

    /// Whether the toolstack still wants the device (`online` in the back-end's directory).
    pub fn is_online(&self) -> bool {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::xenbus_dev_is_online(self.as_raw()) != 0 }
    }

    /// Tells the toolstack that the front-end is closed.
    pub fn frontend_closed(&self) {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::xenbus_frontend_closed(self.as_raw()) };
    }
}

// SAFETY: `Device` is a transparent wrapper of `struct xenbus_device`, at whose `dev` the generic
// device is.
unsafe impl<Ctx: device::DeviceContext> device::AsBusDevice<Ctx> for Device<Ctx> {
    const OFFSET: usize = offset_of!(bindings::xenbus_device, dev);
}

// SAFETY: `Device` is a transparent wrapper of a type that does not depend on its argument.
kernel::impl_device_context_deref!(unsafe { Device });
kernel::impl_device_context_into_aref!(Device);

// SAFETY: Instances of `Device` are always reference-counted.
unsafe impl AlwaysRefCounted for Device {
    fn inc_ref(&self) {
        // SAFETY: The existence of a shared reference guarantees a non-zero count.
        unsafe { bindings::get_device(addr_of_mut!((*self.as_raw()).dev)) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        let dev: *mut bindings::xenbus_device = obj.cast().as_ptr();

        // SAFETY: The safety requirements guarantee a non-zero count.
        unsafe { bindings::put_device(addr_of_mut!((*dev).dev)) }
    }
}

impl<Ctx: device::DeviceContext> AsRef<device::Device<Ctx>> for Device<Ctx> {
    fn as_ref(&self) -> &device::Device<Ctx> {
        // SAFETY: By the type invariant `self.as_raw()` is valid, and so is the device in it.
        unsafe { device::Device::from_raw(addr_of_mut!((*self.as_raw()).dev)) }
    }
}

// SAFETY: A `Device` is reference-counted and can be released from any thread.
unsafe impl Send for Device {}

// SAFETY: All methods of a `Device` are thread-safe.
unsafe impl Sync for Device {}

// SAFETY: The same device; the context is a zero-sized marker.
unsafe impl Sync for Device<device::Bound> {}
